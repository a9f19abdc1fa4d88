package attacks

import (
	"encoding/base64"
	"strings"
)

// Basic returns the credential with a user and a password.
func Basic(fill *strings.Replacer, text string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(fill.Replace(text)))
}

// Credentials are requests with none, one or several credentials in all forms.
func Credentials(fill *strings.Replacer) []Case {
	basic := func(text string) string { return Basic(fill, text) }
	var all []Case
	for _, c := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"one", []string{"Authorization: Bearer {files}"}, Passes},
		{"none", nil, Missing},
		{"empty", []string{"Authorization:"}, Missing},
		{"blank", []string{"Authorization:  \t "}, Missing},
		{"scheme only", []string{"Authorization: Bearer"}, Unsupported},
		{"scheme and a space", []string{"Authorization: Bearer "}, Unsupported},
		{"no scheme", []string{"Authorization: {files}"}, Unsupported},
		{"lower-case scheme", []string{"Authorization: bearer {files}"}, Passes},
		{"upper-case scheme", []string{"AUTHORIZATION: BEARER {files}"}, Passes},
		{"lower-case name", []string{"authorization: Bearer {files}"}, Passes},
		{"no space after the colon", []string{"Authorization:Bearer {files}"}, Passes},
		{"spaces around", []string{"Authorization: \t Bearer {files} \t "}, Passes},
		{"two spaces within", []string{"Authorization: Bearer  {files}"}, Unsupported},
		{"tab within", []string{"Authorization: Bearer\t{files}"}, Unsupported},
		{"tab after the space", []string{"Authorization: Bearer \t{files}"}, Unsupported},
		{"other scheme", []string{"Authorization: Token {files}"}, Unsupported},
		{"negotiate", []string{"Authorization: Negotiate {files}"}, Unsupported},
		{"digest", []string{`Authorization: Digest username="token", response="{files}"`}, Unsupported},
		{"Kelvin sign in the scheme", []string{"Authorization: Bea\u1d63er {files}"}, Unsupported},

		{"two, the permitted one first", []string{"Authorization: Bearer {files}", "Authorization: Bearer {all}"}, Ambiguous},
		{"two, the permitted one last", []string{"Authorization: Bearer {all}", "Authorization: Bearer {files}"}, Ambiguous},
		{"the same twice", []string{"Authorization: Bearer {files}", "Authorization: Bearer {files}"}, Ambiguous},
		{"two spellings", []string{"Authorization: Bearer {files}", "aUTHORIZATION: Bearer {all}"}, Ambiguous},
		{"one and an empty one", []string{"Authorization: Bearer {files}", "Authorization:"}, Ambiguous},
		{"an empty one and one", []string{"Authorization:", "Authorization: Bearer {files}"}, Ambiguous},
		{"basic and bearer", []string{"Authorization: Bearer {files}", "Authorization: " + basic("token:{all}")}, Ambiguous},
		{"list", []string{"Authorization: Bearer {files}, Bearer {all}"}, Unsupported},
		{"list without spaces", []string{"Authorization: Bearer {files},{all}"}, Unsupported},
		{"two values", []string{"Authorization: Bearer {files} {all}"}, Unsupported},
		{"parameters", []string{"Authorization: Bearer {files}; token={all}"}, Unsupported},
		{"semicolon", []string{"Authorization: Bearer {files};"}, Unsupported},
		{"quotes", []string{`Authorization: Bearer "{files}"`}, Unsupported},
		{"padding", []string{"Authorization: Bearer {files}="}, Unsupported},
		{"percent", []string{"Authorization: Bearer {files}%20"}, Unsupported},
		{"dot", []string{"Authorization: Bearer {files}."}, Unsupported},
		{"suffix", []string{"Authorization: Bearer {files}-2"}, Unknown},
		{"upper-case token", []string{"Authorization: Bearer DAPI00000000000000000000000000000000"}, Unsupported},
		{"short", []string{"Authorization: Bearer dapi"}, Unsupported},
		{"long", []string{"Authorization: Bearer dapi" + strings.Repeat("0", 129)}, Unsupported},
		{"very long", []string{"Authorization: Bearer dapi" + strings.Repeat("0", 8000)}, Unsupported},
		{"not ASCII", []string{"Authorization: Bearer {files}\u200b"}, Unsupported},
		{"not UTF-8", []string{"Authorization: Bearer {files}\xff"}, Unsupported},
		{"NUL", []string{"Authorization: Bearer {files}\x00"}, BadRequest},
		{"control", []string{"Authorization: Bearer {files}\x0b"}, BadRequest},
		{"internal token", []string{"Authorization: Bearer dkea00000000000000000000000000000000"}, Unsupported},
		{"JWT", []string{"Authorization: Bearer eyJhbGciOiJub25lIn0.e30.x"}, Unsupported},

		{"basic", []string{"Authorization: " + basic("token:{files}")}, Passes},
		{"basic, other user", []string{"Authorization: " + basic("admin:{files}")}, Unsupported},
		{"basic, capitalized user", []string{"Authorization: " + basic("Token:{files}")}, Unsupported},
		{"basic, no user", []string{"Authorization: " + basic(":{files}")}, Unsupported},
		{"basic, no colon", []string{"Authorization: " + basic("{files}")}, Unsupported},
		{"basic, two colons", []string{"Authorization: " + basic("token:{files}:{all}")}, Unsupported},
		{"basic, line feed", []string{"Authorization: " + basic("token:{files}\n")}, Unsupported},
		{"basic, NUL", []string{"Authorization: " + basic("token:{files}\x00{all}")}, Unsupported},
		{"basic, space", []string{"Authorization: " + basic("token: {files}")}, Unsupported},
		{"basic, padded", []string{"Authorization: " + basic("token:{files}") + "===="}, Unsupported},
		{"basic, two texts", []string{"Authorization: " + basic("token:{files}") + basic("token:{all}")[6:]}, Unsupported},
		{"basic, comma", []string{"Authorization: " + basic("token:{files}") + "," + basic("token:{all}")}, Unsupported},

		{"folded", []string{"Authorization: Bearer", " {files}"}, Passes},
		{"folded with a tab", []string{"Authorization: Bearer", "\t{files}"}, Passes},
		{"folded, then another", []string{"Authorization: Bearer {files}", " {all}"}, Unsupported},
		{"folded into another header", []string{"X: y", " Authorization: Bearer {all}"}, Missing},
		{"folded from the first line on", []string{" Authorization: Bearer {files}"}, Missing},
		{"space before the colon", []string{"Authorization : Bearer {files}"}, BadRequest},
		{"space before the colon of a second", []string{"Authorization: Bearer {files}", "Authorization : Bearer {all}"}, BadRequest},
		{"space before the name", []string{"Authorization: Bearer {files}", "X: y", " Authorization: Bearer other"}, Passes},
		{"NUL in the name of a second", []string{"Authorization: Bearer {files}", "Authorization\x00: Bearer {all}"}, BadRequest},
		{"second name is not ASCII", []string{"Authorization: Bearer {files}", "Authorizat\u0131on: Bearer {all}"}, BadRequest},
		{"no name", []string{"Authorization: Bearer {files}", ": Bearer {all}"}, BadRequest},
		{"no colon", []string{"Authorization: Bearer {files}", "Authorization Bearer {all}"}, BadRequest},
		{"bare line feed", []string{"X: y\nAuthorization: Bearer {files}"}, Passes},
		{"bare line feed before a second", []string{"Authorization: Bearer {files}\nAuthorization: Bearer {all}"}, Ambiguous},
		{"bare carriage return before a second", []string{"Authorization: Bearer {files}\rAuthorization: Bearer {all}"}, BadRequest},
		{"bare carriage return in another", []string{"Authorization: Bearer {files}", "X: y\rAuthorization: Bearer {all}"}, BadRequest},

		{"underscore", []string{"Authorization: Bearer {files}", "Authorization_: Bearer {all}"}, Passes},
		{"dot", []string{"Authorization: Bearer {files}", "Authorization.: Bearer {all}"}, Passes},
		{"tilde", []string{"Authorization: Bearer {files}", "Authorization~: Bearer {all}"}, Passes},
		{"quotes before", []string{"Authorization: Bearer {files}", "'`Authorization: Bearer {all}"}, Passes},
		{"only an alias", []string{"Authorization_: Bearer {files}"}, Missing},
		{"only a proxy credential", []string{"Proxy-Authorization: Bearer {files}"}, Missing},
		{"cookie only", []string{"Cookie: DBAUTH={files}"}, Missing},
		{"with a cookie", []string{"Authorization: Bearer {files}", "Cookie: token={all}"}, Passes},
		{"with several cookies", []string{"Authorization: Bearer {files}", "Cookie: a={all}", "cookie: b={all}", "Cookie~: c={all}"}, Passes},
		{"with a proxy credential", []string{"Authorization: Bearer {files}", "Proxy-Authorization: Bearer {all}"}, Passes},
		{"with an Azure credential", []string{"Authorization: Bearer {files}", "X-Databricks-Azure-SP-Management-Token: {all}"}, Passes},
		{"with a Google credential", []string{"Authorization: Bearer {files}", "X-Databricks-GCP-SA-Access-Token: {all}", "X-Databricks~GCP~SA~Access~Token: {all}"}, Passes},

		{"hop by hop", []string{"Authorization: Bearer {files}", "Connection: Authorization"}, Ambiguous},
		{"hop by hop, lower case", []string{"Authorization: Bearer {files}", "Connection: close, authorization"}, Ambiguous},
		{"hop by hop, spaces", []string{"Authorization: Bearer {files}", "Connection: \t, ,, AUTHORIZATION ,"}, Ambiguous},
		{"hop by hop, folded", []string{"Authorization: Bearer {files}", "Connection: x,", " Authorization"}, Ambiguous},
		{"hop by hop, no-break space", []string{"Authorization: Bearer {files}", "Connection: Authorization\u00a0"}, Ambiguous},
		{"hop by hop, proxy", []string{"Authorization: Bearer {files}", "Proxy-Connection: Authorization"}, Passes},
		{"hop by hop, keep alive", []string{"Authorization: Bearer {files}", "Keep-Alive: Authorization"}, Passes},
		{"hop by hop, with an alias", []string{"Authorization: Bearer {files}", "Authorization~: Bearer {all}", "Connection: Authorization"}, Ambiguous},
		{"hop by hop, quoted", []string{"Authorization: Bearer {files}", `Connection: "Authorization"`}, Passes},
		{"hop by hop, parameters", []string{"Authorization: Bearer {files}", "Connection: Authorization;q=1"}, Passes},
		{"trailer", []string{"Authorization: Bearer {files}", "Trailer: Authorization"}, Passes},
	} {
		all = append(all, one(c.name, With("/api/2.0/fs/files/a", c.headers...), c.want))
	}
	return all
}

// QueryCredentials are tokens in the query (RFC 6750, section 2.3).
func QueryCredentials() []Case {
	var all []Case
	for _, c := range []struct{ name, query, want string }{
		{"plain", "access_token={all}", Ambiguous},
		{"empty", "access_token=", Ambiguous},
		{"no value", "access_token", Ambiguous},
		{"second", "a=b&access_token={all}", Ambiguous},
		{"twice", "access_token={files}&access_token={all}", Ambiguous},
		{"escaped letter", "%61ccess_token={all}", Ambiguous},
		{"escaped underscore", "access%5ftoken={all}", Ambiguous},
		{"in a value", "a=access_token%3d{files}", Passes},
		{"in a name", "my_access_token_name=x", Passes},
		{"with a broken escape", "access_token={all}&a=%zz", Ambiguous},
		{"with a semicolon", "access_token={all}&a=b;c", Ambiguous},
		{"after a semicolon", "a=b;access_token={all}", Ambiguous},
		{"before a semicolon", "access_token={all};a=b", Ambiguous},
	} {
		all = append(all, one(c.name, Request("GET", "/api/2.0/sql/warehouses?"+c.query, "sql"), c.want))
	}
	return all
}
