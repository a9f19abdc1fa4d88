package hardening

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestTargets tries request targets that are not paths, and malformed request lines.
func TestTargets(t *testing.T) { startRig(t, "").all(t, attacks.Targets()) }

// TestMethods: the method is judged as sent, and no header changes it.
func TestMethods(t *testing.T) { startRig(t, "").all(t, attacks.Methods()) }

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
