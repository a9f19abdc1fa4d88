package attacks

import "strings"

// Targets are request targets that are not paths, and malformed request lines.
func Targets() []Case {
	const end = "\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nConnection: close\r\n\r\n"
	var all []Case
	for _, c := range []struct{ name, line, want string }{
		{"absolute", "GET http://{host}/api/2.1/clusters/list HTTP/1.1", Scope},
		{"absolute, in scope", "GET http://{host}/api/2.0/fs/files/a HTTP/1.1", Passes},
		{"absolute without a path", "GET http://{host} HTTP/1.1", Malformed},
		{"absolute with a query only", "GET http://{host}?/api/2.0/fs/files/a HTTP/1.1", Malformed},
		{"absolute in upper case", "GET HTTP://{host}/api/2.1/clusters/list HTTP/1.1", Scope},
		{"absolute https", "GET https://{host}/api/2.0/fs/files/a HTTP/1.1", Passes},
		{"absolute, other scheme", "GET gopher://{host}/api/2.1/clusters/list HTTP/1.1", Scope},
		{"absolute, file scheme", "GET file:///api/2.1/clusters/list HTTP/1.1", Scope},
		{"absolute, workspace as host", "GET http://{upstream}/api/2.0/fs/files/a HTTP/1.1", Passes},
		{"absolute, other host", "GET http://other.example/api/2.0/fs/files/a HTTP/1.1", Misdirected},
		{"absolute, user", "GET http://{host}@other.example/api/2.0/fs/files/a HTTP/1.1", Misdirected},
		{"absolute, user and our host", "GET http://user:password@{host}/api/2.0/fs/files/a HTTP/1.1", Passes},
		{"absolute, user and our host, out of scope", "GET http://user:password@{host}/api/2.1/clusters/list HTTP/1.1", Scope},
		{"absolute, dots", "GET http://{host}/api/2.0/fs/files/a/../../../../2.1/clusters/list HTTP/1.1", Malformed},
		{"absolute, escaped slashes", "GET http://{host}%2fapi%2f2.1%2fclusters%2flist HTTP/1.1", BadRequest},
		{"absolute, backslashes", `GET http://{host}\api\2.1\clusters\list HTTP/1.1`, BadRequest},
		{"absolute, doubled slash", "GET http://{host}//api/2.1/clusters/list HTTP/1.1", Malformed},
		{"absolute in the path", "GET /http://{host}/api/2.1/clusters/list HTTP/1.1", Malformed},
		{"absolute below the base", "GET /api/2.0/fs/files/http://{host}/../../../../../../../2.1/clusters/list HTTP/1.1", Malformed},
		{"opaque", "GET http:/api/2.1/clusters/list HTTP/1.1", Scope},
		{"opaque without a slash", "GET http:api/2.1/clusters/list HTTP/1.1", Malformed},
		{"opaque, other scheme", "GET x:api/2.1/clusters/list HTTP/1.1", Malformed},
		{"opaque with a path", "GET x:/api/2.0/fs/files/a HTTP/1.1", Passes},
		{"opaque, in scope", "GET x:y/../api/2.0/fs/files/a HTTP/1.1", Malformed},
		{"scheme only", "GET http: HTTP/1.1", Malformed},
		{"mail", "GET mailto:a@b HTTP/1.1", Malformed},
		{"no scheme", "GET ://{host}/api/2.1/clusters/list HTTP/1.1", BadRequest},
		{"authority", "GET {host} HTTP/1.1", BadRequest},
		{"authority by name", "GET localhost:443 HTTP/1.1", Malformed},
		{"asterisk", "GET * HTTP/1.1", Malformed},
		{"asterisk for options", "OPTIONS * HTTP/1.1", Malformed},
		{"asterisk and path", "OPTIONS */api/2.1/clusters/list HTTP/1.1", BadRequest},
		{"path with an asterisk", "GET /* HTTP/1.1", Scope},
		{"connect to an authority", "CONNECT {host} HTTP/1.1", Malformed},
		{"connect to a path", "CONNECT /api/2.1/clusters/list HTTP/1.1", Malformed},
		{"connect, in scope", "CONNECT /api/2.0/fs/files/a HTTP/1.1", Malformed},
		{"connect to a public route", "CONNECT /oidc/v1/token HTTP/1.1", Malformed},
		{"connect in lower case", "connect {host} HTTP/1.1", BadRequest},
		{"connect to a path in lower case", "connect /api/2.0/fs/files/a HTTP/1.1", Scope},

		{"two spaces", "GET  /api/2.0/fs/files/a HTTP/1.1", BadRequest},
		{"space before the method", " GET /api/2.0/fs/files/a HTTP/1.1", BadRequest},
		{"tabs", "GET\t/api/2.0/fs/files/a\tHTTP/1.1", BadRequest},
		{"tab before the path", "GET \t/api/2.0/fs/files/a HTTP/1.1", BadRequest},
		{"no version", "GET /api/2.0/fs/files/a", BadRequest},
		{"no version number", "GET /api/2.0/fs/files/a HTTP/", BadRequest},
		{"old version", "GET /api/2.0/fs/files/a HTTP/0.9", "505"},
		{"late version", "GET /api/2.0/fs/files/a HTTP/3.0", "505"},
		{"lower-case version", "GET /api/2.0/fs/files/a http/1.1", BadRequest},
		{"long version", "GET /api/2.0/fs/files/a HTTP/1.10", BadRequest},
		{"version twice", "GET /api/2.0/fs/files/a HTTP/1.1 HTTP/1.1", BadRequest},
		{"carriage return in the line", "GET /api/2.0/fs/files/a\rGET HTTP/1.1", BadRequest},
		{"second target", "GET /api/2.0/fs/files/a /api/2.1/clusters/list HTTP/1.1", BadRequest},
	} {
		all = append(all, Case{c.name, c.line + end, []string{c.want}})
	}
	return all
}

// Methods are those that some servers take for another.
func Methods() []Case {
	var all []Case
	for _, c := range []struct{ name, method, target, token, want string }{
		{"write for read", "POST", "/api/2.0/fs/directories/a", "files", Scope},
		{"patch for put", "PATCH", "/api/2.0/fs/files/a", "files", Scope},
		{"HEAD out of scope", "HEAD", "/api/2.1/clusters/list", "files", Scope},
		{"HEAD in scope", "HEAD", "/api/2.0/fs/files/a", "files", Passes},
		{"options", "OPTIONS", "/api/2.1/clusters/list", "files", Scope},
		{"trace", "TRACE", "/api/2.0/fs/files/a", "files", Scope},
		{"track", "TRACK", "/api/2.0/fs/files/a", "files", Scope},
		{"debug", "DEBUG", "/api/2.0/fs/files/a", "files", Scope},
		{"propfind", "PROPFIND", "/api/2.0/fs/files/a", "files", Scope},
		{"lower case", "get", "/api/2.0/fs/files/a", "files", Scope},
		{"one lower-case letter", "GEt", "/api/2.0/fs/files/a", "files", Scope},
		{"lower case on another route", "post", "/api/2.0/token/create", "sql", Scope},
		{"longer than a known method", "POSTS", "/api/2.0/sql/statements", "sql", Scope},
		{"two methods", "GET,POST", "/api/2.0/sql/statements", "sql", BadRequest},
		{"slash", "GET/POST", "/api/2.0/sql/statements", "sql", BadRequest},
		{"colon", "GET:", "/api/2.0/sql/statements", "sql", BadRequest},
		{"quotes", `"POST"`, "/api/2.0/sql/statements", "sql", BadRequest},
		{"NUL", "POST\x00", "/api/2.0/sql/statements", "sql", BadRequest},
		{"letters outside ASCII", "PO\u017fT", "/api/2.0/sql/statements", "sql", BadRequest},
		{"tilde", "~POST", "/api/2.0/sql/statements", "sql", Scope},
		{"exclamation mark", "POST!", "/api/2.0/sql/statements", "sql", Scope},
		{"long", strings.Repeat("P", 33), "/api/2.0/sql/statements", "sql", "405"},
		{"very long", strings.Repeat("P", 1<<17), "/api/2.0/sql/statements", "sql", "431"},
		{"preface", "PRI", "/api/2.0/sql/statements", "sql", Scope},
		{"any method of a row", "purge", "/api/2.0/sql/endpoints", "sql", Passes},
	} {
		all = append(all, one(c.name, Request(c.method, c.target, c.token), c.want))
	}
	return all
}
