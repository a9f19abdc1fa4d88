package hardening

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	missing     = "missing_credential"
	unsupported = "unsupported_credential"
	unknown     = "unknown_token"
)

// with returns the text of a request with exactly these headers.
func with(target string, headers ...string) string {
	lines := append([]string{"GET " + target + " HTTP/1.1", "Host: {host}", "Connection: close"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// TestCredentials: exactly one credential arrives, and it is the one that was checked.
func TestCredentials(t *testing.T) {
	r := startRig(t, "")
	basic := func(text string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(r.fill.Replace(text)))
	}
	const file = "/api/2.0/fs/files/a"
	for _, tt := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"one", []string{"Authorization: Bearer {files}"}, passes},
		{"none", nil, missing},
		{"empty", []string{"Authorization:"}, missing},
		{"blank", []string{"Authorization:  \t "}, missing},
		{"scheme only", []string{"Authorization: Bearer"}, unsupported},
		{"scheme and a space", []string{"Authorization: Bearer "}, unsupported},
		{"no scheme", []string{"Authorization: {files}"}, unsupported},
		{"lower-case scheme", []string{"Authorization: bearer {files}"}, passes},
		{"upper-case scheme", []string{"AUTHORIZATION: BEARER {files}"}, passes},
		{"lower-case name", []string{"authorization: Bearer {files}"}, passes},
		{"no space after the colon", []string{"Authorization:Bearer {files}"}, passes},
		{"spaces around", []string{"Authorization: \t Bearer {files} \t "}, passes},
		{"two spaces within", []string{"Authorization: Bearer  {files}"}, unsupported},
		{"tab within", []string{"Authorization: Bearer\t{files}"}, unsupported},
		{"tab after the space", []string{"Authorization: Bearer \t{files}"}, unsupported},
		{"other scheme", []string{"Authorization: Token {files}"}, unsupported},
		{"negotiate", []string{"Authorization: Negotiate {files}"}, unsupported},
		{"digest", []string{`Authorization: Digest username="token", response="{files}"`}, unsupported},
		{"Kelvin sign in the scheme", []string{"Authorization: Bea\u1d63er {files}"}, unsupported},

		{"two, the permitted one first", []string{"Authorization: Bearer {files}", "Authorization: Bearer {all}"}, ambiguous},
		{"two, the permitted one last", []string{"Authorization: Bearer {all}", "Authorization: Bearer {files}"}, ambiguous},
		{"the same twice", []string{"Authorization: Bearer {files}", "Authorization: Bearer {files}"}, ambiguous},
		{"two spellings", []string{"Authorization: Bearer {files}", "aUTHORIZATION: Bearer {all}"}, ambiguous},
		{"one and an empty one", []string{"Authorization: Bearer {files}", "Authorization:"}, ambiguous},
		{"an empty one and one", []string{"Authorization:", "Authorization: Bearer {files}"}, ambiguous},
		{"basic and bearer", []string{"Authorization: Bearer {files}", "Authorization: " + basic("token:{all}")}, ambiguous},
		{"list", []string{"Authorization: Bearer {files}, Bearer {all}"}, unsupported},
		{"list without spaces", []string{"Authorization: Bearer {files},{all}"}, unsupported},
		{"two values", []string{"Authorization: Bearer {files} {all}"}, unsupported},
		{"parameters", []string{"Authorization: Bearer {files}; token={all}"}, unsupported},
		{"semicolon", []string{"Authorization: Bearer {files};"}, unsupported},
		{"quotes", []string{`Authorization: Bearer "{files}"`}, unsupported},
		{"padding", []string{"Authorization: Bearer {files}="}, unsupported},
		{"percent", []string{"Authorization: Bearer {files}%20"}, unsupported},
		{"dot", []string{"Authorization: Bearer {files}."}, unsupported},
		{"suffix", []string{"Authorization: Bearer {files}-2"}, unknown},
		{"upper-case token", []string{"Authorization: Bearer DAPI00000000000000000000000000000000"}, unsupported},
		{"short", []string{"Authorization: Bearer dapi"}, unsupported},
		{"long", []string{"Authorization: Bearer dapi" + strings.Repeat("0", 129)}, unsupported},
		{"very long", []string{"Authorization: Bearer dapi" + strings.Repeat("0", 8000)}, unsupported},
		{"not ASCII", []string{"Authorization: Bearer {files}\u200b"}, unsupported},
		{"not UTF-8", []string{"Authorization: Bearer {files}\xff"}, unsupported},
		{"NUL", []string{"Authorization: Bearer {files}\x00"}, badRequest},
		{"control", []string{"Authorization: Bearer {files}\x0b"}, badRequest},
		{"internal token", []string{"Authorization: Bearer dkea00000000000000000000000000000000"}, unsupported},
		{"JWT", []string{"Authorization: Bearer eyJhbGciOiJub25lIn0.e30.x"}, unsupported},

		{"basic", []string{"Authorization: " + basic("token:{files}")}, passes},
		{"basic, other user", []string{"Authorization: " + basic("admin:{files}")}, unsupported},
		{"basic, capitalized user", []string{"Authorization: " + basic("Token:{files}")}, unsupported},
		{"basic, no user", []string{"Authorization: " + basic(":{files}")}, unsupported},
		{"basic, no colon", []string{"Authorization: " + basic("{files}")}, unsupported},
		{"basic, two colons", []string{"Authorization: " + basic("token:{files}:{all}")}, unsupported},
		{"basic, line feed", []string{"Authorization: " + basic("token:{files}\n")}, unsupported},
		{"basic, NUL", []string{"Authorization: " + basic("token:{files}\x00{all}")}, unsupported},
		{"basic, space", []string{"Authorization: " + basic("token: {files}")}, unsupported},
		{"basic, padded", []string{"Authorization: " + basic("token:{files}") + "===="}, unsupported},
		{"basic, two texts", []string{"Authorization: " + basic("token:{files}") + basic("token:{all}")[6:]}, unsupported},
		{"basic, comma", []string{"Authorization: " + basic("token:{files}") + "," + basic("token:{all}")}, unsupported},

		{"folded", []string{"Authorization: Bearer", " {files}"}, passes},
		{"folded with a tab", []string{"Authorization: Bearer", "\t{files}"}, passes},
		{"folded, then another", []string{"Authorization: Bearer {files}", " {all}"}, unsupported},
		{"folded into another header", []string{"X: y", " Authorization: Bearer {all}"}, missing},
		{"folded from the first line on", []string{" Authorization: Bearer {files}"}, missing},
		{"space before the colon", []string{"Authorization : Bearer {files}"}, badRequest},
		{"space before the colon of a second", []string{"Authorization: Bearer {files}", "Authorization : Bearer {all}"}, badRequest},
		{"space before the name", []string{"Authorization: Bearer {files}", "X: y", " Authorization: Bearer other"}, passes},
		{"NUL in the name of a second", []string{"Authorization: Bearer {files}", "Authorization\x00: Bearer {all}"}, badRequest},
		{"second name is not ASCII", []string{"Authorization: Bearer {files}", "Authorizat\u0131on: Bearer {all}"}, badRequest},
		{"no name", []string{"Authorization: Bearer {files}", ": Bearer {all}"}, badRequest},
		{"no colon", []string{"Authorization: Bearer {files}", "Authorization Bearer {all}"}, badRequest},
		{"bare line feed", []string{"X: y\nAuthorization: Bearer {files}"}, passes},
		{"bare line feed before a second", []string{"Authorization: Bearer {files}\nAuthorization: Bearer {all}"}, ambiguous},
		{"bare carriage return before a second", []string{"Authorization: Bearer {files}\rAuthorization: Bearer {all}"}, badRequest},
		{"bare carriage return in another", []string{"Authorization: Bearer {files}", "X: y\rAuthorization: Bearer {all}"}, badRequest},

		{"underscore", []string{"Authorization: Bearer {files}", "Authorization_: Bearer {all}"}, passes},
		{"dot", []string{"Authorization: Bearer {files}", "Authorization.: Bearer {all}"}, passes},
		{"tilde", []string{"Authorization: Bearer {files}", "Authorization~: Bearer {all}"}, passes},
		{"quotes before", []string{"Authorization: Bearer {files}", "'`Authorization: Bearer {all}"}, passes},
		{"only an alias", []string{"Authorization_: Bearer {files}"}, missing},
		{"only a proxy credential", []string{"Proxy-Authorization: Bearer {files}"}, missing},
		{"cookie only", []string{"Cookie: DBAUTH={files}"}, missing},
		{"with a cookie", []string{"Authorization: Bearer {files}", "Cookie: token={all}"}, passes},
		{"with several cookies", []string{"Authorization: Bearer {files}", "Cookie: a={all}", "cookie: b={all}", "Cookie~: c={all}"}, passes},
		{"with a proxy credential", []string{"Authorization: Bearer {files}", "Proxy-Authorization: Bearer {all}"}, passes},
		{"with an Azure credential", []string{"Authorization: Bearer {files}", "X-Databricks-Azure-SP-Management-Token: {all}"}, passes},
		{"with a Google credential", []string{"Authorization: Bearer {files}", "X-Databricks-GCP-SA-Access-Token: {all}", "X-Databricks~GCP~SA~Access~Token: {all}"}, passes},

		{"hop by hop", []string{"Authorization: Bearer {files}", "Connection: Authorization"}, ambiguous},
		{"hop by hop, lower case", []string{"Authorization: Bearer {files}", "Connection: close, authorization"}, ambiguous},
		{"hop by hop, spaces", []string{"Authorization: Bearer {files}", "Connection: \t, ,, AUTHORIZATION ,"}, ambiguous},
		{"hop by hop, folded", []string{"Authorization: Bearer {files}", "Connection: x,", " Authorization"}, ambiguous},
		{"hop by hop, no-break space", []string{"Authorization: Bearer {files}", "Connection: Authorization\u00a0"}, ambiguous},
		{"hop by hop, proxy", []string{"Authorization: Bearer {files}", "Proxy-Connection: Authorization"}, passes},
		{"hop by hop, keep alive", []string{"Authorization: Bearer {files}", "Keep-Alive: Authorization"}, passes},
		{"hop by hop, with an alias", []string{"Authorization: Bearer {files}", "Authorization~: Bearer {all}", "Connection: Authorization"}, ambiguous},
		{"hop by hop, quoted", []string{"Authorization: Bearer {files}", `Connection: "Authorization"`}, passes},
		{"hop by hop, parameters", []string{"Authorization: Bearer {files}", "Connection: Authorization;q=1"}, passes},
		{"trailer", []string{"Authorization: Bearer {files}", "Trailer: Authorization"}, passes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			arrived := r.try(t, with(file, tt.headers...), tt.want)
			for _, got := range arrived {
				value := got.Header.Get("Authorization")
				if bearer, basic := strings.EqualFold(value, "Bearer "+r.tokens["files"].Value), value == basic("token:{files}"); !bearer && !basic {
					t.Errorf("arrived with %q", value)
				}
			}
		})
	}
}

// TestQueryCredentials: a token in the query (RFC 6750, section 2.3) never reaches the
// workspace as a second credential.
func TestQueryCredentials(t *testing.T) {
	r := startRig(t, "")
	for _, tt := range []struct{ name, query, want string }{
		{"plain", "access_token={all}", ambiguous},
		{"empty", "access_token=", ambiguous},
		{"no value", "access_token", ambiguous},
		{"second", "a=b&access_token={all}", ambiguous},
		{"twice", "access_token={files}&access_token={all}", ambiguous},
		{"escaped letter", "%61ccess_token={all}", ambiguous},
		{"escaped underscore", "access%5ftoken={all}", ambiguous},
		{"in a value", "a=access_token%3d{files}", passes},
		{"in a name", "my_access_token_name=x", passes},
		{"with a broken escape", "access_token={all}&a=%zz", ambiguous},
		{"with a semicolon", "access_token={all}&a=b;c", ambiguous},
		{"after a semicolon", "a=b;access_token={all}", ambiguous},
		{"before a semicolon", "access_token={all};a=b", ambiguous},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.try(t, request("GET", "/api/2.0/sql/warehouses?"+tt.query, "sql"), tt.want)
		})
	}
}

// TestPipeline: each request on a connection is judged independently, by its own token.
func TestPipeline(t *testing.T) {
	r := startRig(t, "")
	const (
		file     = "/api/2.0/fs/files/a"
		clusters = "/api/2.1/clusters/list"
	)
	get := func(target, token string) string {
		return strings.Replace(request("GET", target, token), "Connection: close\r\n", "", 1)
	}
	for _, tt := range []struct {
		name  string
		parts []string
		want  []string
	}{
		{"two tokens", []string{get(file, "files"), get("/api/2.0/sql/warehouses", "sql")}, []string{passes, passes}},
		{"two tokens, crossed", []string{get(file, "sql"), get("/api/2.0/sql/warehouses", "files")}, []string{scope, scope}},
		{"the strong one first", []string{get(clusters, "all"), get(clusters, "files")}, []string{passes, scope}},
		{"the strong one last", []string{get(clusters, "files"), get(clusters, "all")}, []string{scope, passes}},
		{"alternating", []string{get(file, "files"), get(clusters, "files"), get(file, "files"), get(file, "sql"), get(clusters, "all")}, []string{passes, scope, passes, scope, passes}},
		{"no token after a strong one", []string{get(clusters, "all"), "GET " + clusters + " HTTP/1.1\r\nHost: {host}\r\n\r\n"}, []string{passes, missing}},
		{"public, then not", []string{get("/oidc/x", "files"), get(clusters, "files")}, []string{passes, scope}},
		{"refused, then in scope", []string{get("/api/2.0/fs/files/%00", "files"), get(file, "files")}, []string{malformed, passes}},
		{"many", slices.Repeat([]string{get(clusters, "files")}, 20), slices.Repeat([]string{scope}, 20)},
		{"body, then another", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nContent-Length: 5\r\n\r\nhello", get(clusters, "files")}, []string{passes, scope}},
		{"refused body, then another", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sql}\r\nContent-Length: 5\r\n\r\nhello", get(clusters, "all")}, []string{scope, passes}},
		{"a request as a body", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nContent-Length: {length}\r\n\r\n" + get(clusters, "files"), get(file, "files")}, []string{passes, passes}},
		{"a refused request as a body", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sql}\r\nContent-Length: {length}\r\n\r\n" + get(clusters, "all"), get(file, "files")}, []string{scope, passes}},
		{"waits, and is refused", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sql}\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n" + get(clusters, "all")}, []string{scope}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.try(t, measured(r.fill, strings.Join(tt.parts, "")), tt.want...)
		})
	}
}

// measured replaces {length} with the length of everything after the head.
func measured(fill *strings.Replacer, text string) string {
	head, body, found := strings.Cut(text, "{length}\r\n\r\n")
	if !found {
		return text
	}
	inner, rest, _ := strings.Cut(body, "\r\n\r\n")
	inner = fill.Replace(inner + "\r\n\r\n")
	return head + strconv.Itoa(len(inner)) + "\r\n\r\n" + inner + rest
}
