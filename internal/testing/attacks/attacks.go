// Package attacks holds requests by which a client whose token permits one API tries to call
// another. Tests send them through the gateway, and through proxies that ask it.
//
// In texts, {host} is the host that is attacked, {upstream} the workspace's, and {files},
// {sql} and {all} are tokens with these scopes ({all} holds all-apis).
package attacks

import (
	"regexp"
	"strings"

	"github.com/scopegate/scopegate/internal/testing/golden"
)

// Case is an attack: the bytes on a connection, and the outcome of each request in them.
type Case struct {
	Name, Text string
	Want       []string
}

func one(name, text, want string) Case { return Case{name, text, []string{want}} }

// Outcomes of a request at the gateway: that it passes, a reason code, or a 400 of the server.
const (
	Passes      = "passes"
	BadRequest  = golden.BadRequest
	Scope       = "missing_scope"
	Malformed   = "malformed_path"
	Account     = "account_level_operation"
	Ambiguous   = "ambiguous_request"
	Misdirected = "misdirected_request" // no site has the host
	Missing     = "missing_credential"
	Unsupported = "unsupported_credential"
	Unknown     = "unknown_token"
	// BrokenBody: the body turns out to be malformed after the head was forwarded. Such a
	// request may or may not arrive.
	BrokenBody = "malformed_body"
)

// Request returns the text of a request without a body that closes the connection.
func Request(method, target, token string, headers ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: {host}", "Authorization: Bearer {" + token + "}", "Connection: close"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// With returns the text of a request with exactly these headers.
func With(target string, headers ...string) string {
	lines := append([]string{"GET " + target + " HTTP/1.1", "Host: {host}", "Connection: close"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// AccountPath is a path that no personal access token may call.
const AccountPath = "/api/2.0/accounts/1/workspaces"

// Disguises are for golden.PathTricks: attacks by clients whose token permits everything below
// Base, but not Target.
var Disguises = []struct {
	Token, Method string
	golden.Disguise
}{
	{"files", "GET", golden.Disguise{Base: "/api/2.0/fs/files/Volumes/a", Target: "/api/2.0/secrets/list"}},
	{"files", "DELETE", golden.Disguise{Base: "/api/2.0/fs/directories/a", Target: "/api/2.0/token-management/tokens/1"}},
	{"sql", "POST", golden.Disguise{Base: "/api/2.0/sql/statements", Target: "/api/2.0/token/create"}},
	{"sql", "GET", golden.Disguise{Base: "/api/2.0/sql/warehouses", Target: "/api/2.1/clusters/list"}},
	{"all", "GET", golden.Disguise{Base: "/api/2.0/sql/warehouses", Target: AccountPath}},
}

// Territories are the paths that the tokens with these scopes permit, as the workspace reads
// them. They are written independently of the catalog.
var Territories = map[string]*regexp.Regexp{
	"files": regexp.MustCompile(`^/api/2\.0/(fs/(files|directories)/|dbfs/)`),
	"sql":   regexp.MustCompile(`^/api/2\.0/sql/(statements|warehouses|endpoints|queries|alerts|history)(/|$)`),
}

// Misleading matches names of headers that must not arrive in any spelling.
var Misleading = regexp.MustCompile(`(?i)^(cookie|proxy.authorization|.*(override|rewrite|original).*|x.http.method|x.forwarded.(uri|path|prefix|method|access.token)|http2.settings|x.databricks.(azure|gcp).*)$`)

// Routing matches headers that may arrive in their exact spelling only.
var Routing = regexp.MustCompile(`(?i)^(authorization|x.databricks.(org|workspace).id)$`)
