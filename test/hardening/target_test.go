package hardening

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

const (
	ambiguous   = "ambiguous_request"
	misdirected = "misdirected_request" // no site has the host
)

// TestTargets tries request targets that are not paths, and malformed request lines.
func TestTargets(t *testing.T) {
	r := startRig(t, "")
	const end = "Host: {host}\r\nAuthorization: Bearer {files}\r\nConnection: close\r\n\r\n"
	for _, tt := range []struct{ name, line, want string }{
		{"absolute", "GET http://{host}/api/2.1/clusters/list HTTP/1.1", scope},
		{"absolute, in scope", "GET http://{host}/api/2.0/fs/files/a HTTP/1.1", passes},
		{"absolute without a path", "GET http://{host} HTTP/1.1", malformed},
		{"absolute with a query only", "GET http://{host}?/api/2.0/fs/files/a HTTP/1.1", malformed},
		{"absolute in upper case", "GET HTTP://{host}/api/2.1/clusters/list HTTP/1.1", scope},
		{"absolute https", "GET https://{host}/api/2.0/fs/files/a HTTP/1.1", passes},
		{"absolute, other scheme", "GET gopher://{host}/api/2.1/clusters/list HTTP/1.1", scope},
		{"absolute, file scheme", "GET file:///api/2.1/clusters/list HTTP/1.1", scope},
		{"absolute, workspace as host", "GET http://{upstream}/api/2.0/fs/files/a HTTP/1.1", passes},
		{"absolute, other host", "GET http://other.example/api/2.0/fs/files/a HTTP/1.1", misdirected},
		{"absolute, user", "GET http://{host}@other.example/api/2.0/fs/files/a HTTP/1.1", misdirected},
		{"absolute, user and our host", "GET http://user:password@{host}/api/2.0/fs/files/a HTTP/1.1", passes},
		{"absolute, user and our host, out of scope", "GET http://user:password@{host}/api/2.1/clusters/list HTTP/1.1", scope},
		{"absolute, dots", "GET http://{host}/api/2.0/fs/files/a/../../../../2.1/clusters/list HTTP/1.1", malformed},
		{"absolute, escaped slashes", "GET http://{host}%2fapi%2f2.1%2fclusters%2flist HTTP/1.1", badRequest},
		{"absolute, backslashes", `GET http://{host}\api\2.1\clusters\list HTTP/1.1`, badRequest},
		{"absolute, doubled slash", "GET http://{host}//api/2.1/clusters/list HTTP/1.1", malformed},
		{"absolute in the path", "GET /http://{host}/api/2.1/clusters/list HTTP/1.1", malformed},
		{"absolute below the base", "GET /api/2.0/fs/files/http://{host}/../../../../../../../2.1/clusters/list HTTP/1.1", malformed},
		{"opaque", "GET http:/api/2.1/clusters/list HTTP/1.1", scope},
		{"opaque without a slash", "GET http:api/2.1/clusters/list HTTP/1.1", malformed},
		{"opaque, other scheme", "GET x:api/2.1/clusters/list HTTP/1.1", malformed},
		{"opaque with a path", "GET x:/api/2.0/fs/files/a HTTP/1.1", passes},
		{"opaque, in scope", "GET x:y/../api/2.0/fs/files/a HTTP/1.1", malformed},
		{"scheme only", "GET http: HTTP/1.1", malformed},
		{"mail", "GET mailto:a@b HTTP/1.1", malformed},
		{"no scheme", "GET ://{host}/api/2.1/clusters/list HTTP/1.1", badRequest},
		{"authority", "GET {host} HTTP/1.1", badRequest},
		{"authority by name", "GET localhost:443 HTTP/1.1", malformed},
		{"asterisk", "GET * HTTP/1.1", malformed},
		{"asterisk for options", "OPTIONS * HTTP/1.1", malformed},
		{"asterisk and path", "OPTIONS */api/2.1/clusters/list HTTP/1.1", badRequest},
		{"path with an asterisk", "GET /* HTTP/1.1", scope},
		{"connect to an authority", "CONNECT {host} HTTP/1.1", malformed},
		{"connect to a path", "CONNECT /api/2.1/clusters/list HTTP/1.1", malformed},
		{"connect, in scope", "CONNECT /api/2.0/fs/files/a HTTP/1.1", malformed},
		{"connect to a public route", "CONNECT /oidc/v1/token HTTP/1.1", malformed},
		{"connect in lower case", "connect {host} HTTP/1.1", badRequest},
		{"connect to a path in lower case", "connect /api/2.0/fs/files/a HTTP/1.1", scope},

		{"two spaces", "GET  /api/2.0/fs/files/a HTTP/1.1", badRequest},
		{"space before the method", " GET /api/2.0/fs/files/a HTTP/1.1", badRequest},
		{"tabs", "GET\t/api/2.0/fs/files/a\tHTTP/1.1", badRequest},
		{"tab before the path", "GET \t/api/2.0/fs/files/a HTTP/1.1", badRequest},
		{"no version", "GET /api/2.0/fs/files/a", badRequest},
		{"no version number", "GET /api/2.0/fs/files/a HTTP/", badRequest},
		{"old version", "GET /api/2.0/fs/files/a HTTP/0.9", "505"},
		{"late version", "GET /api/2.0/fs/files/a HTTP/3.0", "505"},
		{"lower-case version", "GET /api/2.0/fs/files/a http/1.1", badRequest},
		{"long version", "GET /api/2.0/fs/files/a HTTP/1.10", badRequest},
		{"version twice", "GET /api/2.0/fs/files/a HTTP/1.1 HTTP/1.1", badRequest},
		{"carriage return in the line", "GET /api/2.0/fs/files/a\rGET HTTP/1.1", badRequest},
		{"second target", "GET /api/2.0/fs/files/a /api/2.1/clusters/list HTTP/1.1", badRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.try(t, tt.line+"\r\n"+end, tt.want)
		})
	}
}

// TestMethods: the method is judged as sent, and no header changes it.
func TestMethods(t *testing.T) {
	r := startRig(t, "")
	for _, tt := range []struct{ name, method, target, token, want string }{
		{"write for read", "POST", "/api/2.0/fs/directories/a", "files", scope},
		{"patch for put", "PATCH", "/api/2.0/fs/files/a", "files", scope},
		{"HEAD out of scope", "HEAD", "/api/2.1/clusters/list", "files", scope},
		{"HEAD in scope", "HEAD", "/api/2.0/fs/files/a", "files", passes},
		{"options", "OPTIONS", "/api/2.1/clusters/list", "files", scope},
		{"trace", "TRACE", "/api/2.0/fs/files/a", "files", scope},
		{"track", "TRACK", "/api/2.0/fs/files/a", "files", scope},
		{"debug", "DEBUG", "/api/2.0/fs/files/a", "files", scope},
		{"propfind", "PROPFIND", "/api/2.0/fs/files/a", "files", scope},
		{"lower case", "get", "/api/2.0/fs/files/a", "files", scope},
		{"one lower-case letter", "GEt", "/api/2.0/fs/files/a", "files", scope},
		{"lower case on another route", "post", "/api/2.0/token/create", "sql", scope},
		{"longer than a known method", "POSTS", "/api/2.0/sql/statements", "sql", scope},
		{"two methods", "GET,POST", "/api/2.0/sql/statements", "sql", badRequest},
		{"slash", "GET/POST", "/api/2.0/sql/statements", "sql", badRequest},
		{"colon", "GET:", "/api/2.0/sql/statements", "sql", badRequest},
		{"quotes", `"POST"`, "/api/2.0/sql/statements", "sql", badRequest},
		{"NUL", "POST\x00", "/api/2.0/sql/statements", "sql", badRequest},
		{"letters outside ASCII", "PO\u017fT", "/api/2.0/sql/statements", "sql", badRequest},
		{"tilde", "~POST", "/api/2.0/sql/statements", "sql", scope},
		{"exclamation mark", "POST!", "/api/2.0/sql/statements", "sql", scope},
		{"long", strings.Repeat("P", 33), "/api/2.0/sql/statements", "sql", "405"},
		{"very long", strings.Repeat("P", 1<<17), "/api/2.0/sql/statements", "sql", "431"},
		{"preface", "PRI", "/api/2.0/sql/statements", "sql", scope},
		{"any method of a row", "purge", "/api/2.0/sql/endpoints", "sql", passes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.try(t, request(tt.method, tt.target, tt.token), tt.want)
		})
	}
}

// TestHosts: the Host header that arrives is always the workspace's, whatever host the
// client names.
func TestHosts(t *testing.T) {
	const site = "databricks_gateway {workspace} {\n{admin}" + hardeningCache + "}"
	r := startRigSite(t, site)
	// Serve every host.
	_, port, _ := strings.Cut(r.Listen, ":")
	dial := r.Listen
	r.Listen = ":" + port
	r.Load(t, "bind 127.0.0.1\n"+strings.NewReplacer("{workspace}", r.Workspace.URL(), "{admin}", harness.AdminBlock).Replace(site))
	r.Listen = dial
	for _, tt := range []struct{ name, target, headers, want string }{
		{"ours", "/api/2.0/fs/files/a", "Host: {host}", passes},
		{"other", "/api/2.0/fs/files/a", "Host: other.example", passes},
		{"other, out of scope", "/api/2.1/clusters/list", "Host: other.example", scope},
		{"the workspace's", "/api/2.0/fs/files/a", "Host: {upstream}", passes},
		{"absolute, another in the header", "http://one.example/api/2.0/fs/files/a", "Host: two.example", passes},
		{"absolute, none in the header", "http://one.example/api/2.0/fs/files/a", "X: y", badRequest},
		{"two", "/api/2.0/fs/files/a", "Host: {host}\r\nHost: other.example", badRequest},
		{"twice", "/api/2.0/fs/files/a", "Host: {host}\r\nHost: {host}", badRequest},
		{"none", "/api/2.0/fs/files/a", "X: y", badRequest},
		{"empty", "/api/2.0/fs/files/a", "Host:", badRequest},
		{"dots", "/api/2.0/fs/files/a", "Host: ...", badRequest},
		{"path", "/api/2.0/fs/files/a", "Host: {host}/api/2.1/clusters/list?", badRequest},
		{"user", "/api/2.0/fs/files/a", "Host: a@other.example", badRequest},
		{"list", "/api/2.0/fs/files/a", "Host: {host}, other.example", badRequest},
		{"spaces", "/api/2.0/fs/files/a", "Host: {host} other.example", badRequest},
		{"port", "/api/2.0/fs/files/a", "Host: other.example:99999", passes},
		{"space before the colon", "/api/2.0/fs/files/a", "Host : {host}", badRequest},
		{"folded", "/api/2.0/fs/files/a", "Host:\r\n other.example", passes},
		{"underscore", "/api/2.0/fs/files/a", "Host: {host}\r\nHost_: other.example", passes},
		{"forwarded", "/api/2.0/fs/files/a", "Host: {host}\r\nX-Forwarded-Host: other.example", passes},
		{"named in Connection", "/api/2.0/fs/files/a", "Host: {host}\r\nConnection: Host", passes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			arrived := r.try(t, "GET "+tt.target+" HTTP/1.1\r\n"+tt.headers+"\r\nAuthorization: Bearer {files}\r\nConnection: close\r\n\r\n", tt.want)
			for _, got := range arrived {
				if tt.name == "forwarded" && got.Header.Get("X-Forwarded-Host") != r.Listen {
					t.Errorf("the client's X-Forwarded-Host arrived: %q", got.Header["X-Forwarded-Host"])
				}
			}
		})
	}
}
