package discovery

import (
	"strings"
	"testing"
)

func link(t testing.TB, workspace, gateway string) Link {
	t.Helper()
	l, ok := newLink(workspace, gateway)
	if !ok {
		t.Fatalf("no link from %s to %s", workspace, gateway)
	}
	return l
}

func newLink(workspace, gateway string) (Link, bool) {
	var origins [2]Origin
	for i, text := range []string{workspace, gateway} {
		origins[i].Scheme, origins[i].Host, _ = strings.Cut(text, "://")
	}
	return NewLink(origins[0], origins[1])
}

func TestNewLink(t *testing.T) {
	t.Parallel()
	const workspace = "https://ws.example.com"
	for _, tt := range []struct {
		workspace, gateway string
		want               bool
	}{
		{workspace, "http://127.0.0.1:8080", true},
		{workspace, "https://gateway", true},
		{workspace, "https://gateway:443", true},
		{workspace, "https://scope_gate:8443", true},
		{workspace, "http://[::1]:8080", true},
		{workspace, "HTTP://gateway", true},
		{workspace, "http://ws.example.com", true}, // the name is the gateway's for its clients
		{workspace, "https://ws.example.com:8443", true},
		{workspace, "https://ws.example.com", false},
		{workspace, "https://WS.example.com.:443", false},
		{workspace, "ftp://gateway", false},
		{workspace, "javascript://gateway", false},
		{workspace, "https,http://gateway", false},
		{workspace, "://gateway", false},
		{workspace, "http://", false},
		{workspace, "http://:8080", false},
		{workspace, "http://a..b", false},
		{workspace, "http://gateway:0", false},
		{workspace, "http://gateway:65536", false},
		{workspace, "http://gateway:+80", false},
		{workspace, "http://gateway:80:80", false},
		{workspace, "http://user@gateway", false},
		{workspace, "http://gateway/evil", false},
		{workspace, "http://gateway?x", false},
		{workspace, "http://gateway#x", false},
		{workspace, `http://gateway\evil`, false},
		{workspace, `http://gateway"`, false},
		{workspace, "http://gate way", false},
		{workspace, "http://gateway\r\nSet-Cookie: a=b", false},
		{workspace, "http://gateway\x00", false},
		{workspace, "http://gateway,evil", false},
		{workspace, "http://gatewäy", false},
		{workspace, "http://g%61teway", false},
		{workspace, "http://[::1", false},
		{workspace, "http://::1", false},
		{workspace, "http://[fe80::1%25eth0]", false},
		{workspace, "http://[127.0.0.1]", false},
		{workspace, "http://" + strings.Repeat("a", 300), false},
		{"unix:///run/x", "http://gateway", false},
		{"https://", "http://gateway", false},
	} {
		if _, got := newLink(tt.workspace, tt.gateway); got != tt.want {
			t.Errorf("from %q to %q: %t", tt.workspace, tt.gateway, got)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	const gateway = "http://127.0.0.1:8080"
	for _, tt := range []struct{ workspace, url, want string }{
		// of the workspace
		{"https://ws.example.com", "https://ws.example.com", gateway},
		{"https://ws.example.com", "https://ws.example.com/", gateway + "/"},
		{"https://ws.example.com", "https://ws.example.com/a%2Fb?c=%20#d%23", gateway + "/a%2Fb?c=%20#d%23"},
		{"https://ws.example.com", "https://ws.example.com?a", gateway + "?a"},
		{"https://ws.example.com", "https://ws.example.com#a", gateway + "#a"},
		{"https://ws.example.com", "HTTPS://WS.Example.COM/Path", gateway + "/Path"},
		{"https://WS.example.com", "https://ws.example.com/x", gateway + "/x"},
		{"https://ws.example.com", "https://ws.example.com:443/x", gateway + "/x"},
		{"https://ws.example.com", "https://ws.example.com:0443/x", gateway + "/x"},
		{"https://ws.example.com", "https://ws.example.com:/x", gateway + "/x"},
		{"https://ws.example.com", "https://ws.example.com./x", gateway + "/x"},
		{"https://ws.example.com.:443", "https://ws.example.com/x", gateway + "/x"},
		{"https://ws.example.com", "http://ws.example.com/x", gateway + "/x"}, // behind its own TLS
		{"http://ws.test:8080", "http://ws.test:8080/x", gateway + "/x"},
		{"https://[2001:db8::1]", "https://[2001:DB8:0::1]:443/x", gateway + "/x"},
		{"https://ws.example.com", "https://ws.example.com/oidc/accounts/{account_id}", gateway + "/oidc/accounts/{account_id}"},
		{"https://ws.example.com", "https://ws.example.com//evil.com", gateway + "//evil.com"},
		// of others
		{"https://ws.example.com", "https://accounts.cloud.databricks.com/oidc", ""},
		{"https://ws.example.com", "https://ws.example.com.evil.com/x", ""},
		{"https://ws.example.com", "https://ws.example.comevil/x", ""},
		{"https://ws.example.com", "https://evilws.example.com/x", ""},
		{"https://ws.example.com", "https://x.ws.example.com/x", ""},
		{"https://ws.example.com", "https://example.com/x", ""},
		{"https://ws.example.com", "https://ws.example.com..", ""},
		{"https://ws.example.com", "https://ws.example.com:8443/x", ""},
		{"https://ws.example.com", "http://ws.example.com:443/x", ""},
		{"https://ws.example.com:8443", "https://ws.example.com/x", ""},
		{"https://ws.example.com", "https://ws.example.com@evil.com/x", ""},
		{"https://ws.example.com", "https://ws.example.com:443@evil.com/x", ""},
		{"https://ws.example.com", "https://evil.com@ws.example.com/x", ""},
		{"https://ws.example.com", `https://ws.example.com\@evil.com/x`, ""},
		{"https://ws.example.com", `https://evil.com\@ws.example.com/x`, ""},
		{"https://ws.example.com", `https://ws.example.com\x`, ""},
		{"https://ws.example.com", "https:/ws.example.com/x", ""},
		{"https://ws.example.com", "https:ws.example.com/x", ""},
		{"https://ws.example.com", "https:///ws.example.com/x", ""},
		{"https://ws.example.com", "//ws.example.com/x", ""},
		{"https://ws.example.com", " https://ws.example.com/x", ""},
		{"https://ws.example.com", "ws.example.com/x", ""},
		{"https://ws.example.com", "/x?next=https://ws.example.com/", ""},
		{"https://ws.example.com", "see https://ws.example.com/", ""},
		{"https://ws.example.com", "wss://ws.example.com/x", ""},
		{"https://ws.example.com", "https://ws.example.com:99999/x", ""},
		{"https://ws.example.com", "https://ws.ex\tample.com/x", ""},
		{"https://ws.example.com", "https://ws%2eexample.com/x", ""},
		{"https://ws.example.com", "https://ｗs.example.com/x", ""},
		{"https://ws.example.com", "https://", ""},
		{"https://ws.example.com", "", ""},
	} {
		got, changed := link(t, tt.workspace, gateway).URL(tt.url)
		if want := tt.want; changed != (want != "") || changed && got != want || !changed && got != tt.url {
			t.Errorf("%s: %q became %q, %t", tt.workspace, tt.url, got, changed)
		}
	}
}

// checkChanges checks what each text becomes, and that this is told; empty means no change.
func checkChanges(t *testing.T, change func(string) (string, bool), wants map[string]string) {
	t.Helper()
	for text, want := range wants {
		if want == "" {
			want = text
		}
		if got, changed := change(text); got != want || changed != (text != want) {
			t.Errorf("%q became %q, %t", text, got, changed)
		}
	}
}

func TestLocation(t *testing.T) {
	t.Parallel()
	l := link(t, "https://ws.example.com", "https://gateway:8443")
	checkChanges(t, l.Location, map[string]string{
		"https://ws.example.com/login.html?error=private-link-validation-error:1": "https://gateway:8443/login.html?error=private-link-validation-error:1",
		"//ws.example.com/login.html":   "https://gateway:8443/login.html",
		"//ws.example.com:443":          "https://gateway:8443",
		"//ws.example.com.evil.com/":    "//ws.example.com.evil.com/",
		"//evil.com/ws.example.com":     "//evil.com/ws.example.com",
		"///ws.example.com/x":           "///ws.example.com/x",
		"/login.html":                   "/login.html",
		"login.html":                    "login.html",
		"?next=https://ws.example.com/": "?next=https://ws.example.com/",
		"https://bucket.s3.amazonaws.com/x?X-Amz-Signature=a&u=https://ws.example.com": "https://bucket.s3.amazonaws.com/x?X-Amz-Signature=a&u=https://ws.example.com",
	})
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	l := link(t, "https://ws.example.com", "http://127.0.0.1:8080")
	checkChanges(t, l.Redirect, map[string]string{
		"http://localhost:8020/?code=a%2Bb&iss=https%3A%2F%2Fws.example.com%2Foidc&state=c": "http://localhost:8020/?code=a%2Bb&iss=http%3A%2F%2F127.0.0.1%3A8080%2Foidc&state=c",
		"http://localhost:8020?iss=https://ws.example.com/oidc#f":                           "http://localhost:8020?iss=http%3A%2F%2F127.0.0.1%3A8080%2Foidc#f",
		"http://localhost:8020/?iss=https%3A%2F%2Fws.example.com.evil.com%2Foidc":           "",
		"http://localhost:8020/?next=https%3A%2F%2Fws.example.com%2Foidc":                   "",
		"http://localhost:8020/?xiss=https%3A%2F%2Fws.example.com%2Foidc":                   "",
		"http://localhost:8020/#iss=https%3A%2F%2Fws.example.com%2Foidc":                    "",
		"http://localhost:8020/?iss=%zz&code=a":                                             "",
		"http://localhost:8020/iss=https://ws.example.com":                                  "",

		// Endpoints are called at the gateway.
		"https://ws.example.com/oidc/v1/consent?a=b": "http://127.0.0.1:8080/oidc/v1/consent?a=b",
		"//ws.example.com/OIDC/%761/consent":         "http://127.0.0.1:8080/OIDC/%761/consent",
		"/oidc/v1/consent":                           "",
		"consent?a=b":                                "",
		// Pages are the workspace's own.
		"https://ws.example.com/login.html?next_url=%2Foidc%2Fv1%2Fauthorize": "",
		"//ws.example.com/login.html":                                         "https://ws.example.com/login.html",
		"/login.html?next_url=/oidc/":                                         "https://ws.example.com/login.html?next_url=/oidc/",
		"/#login":                                                             "https://ws.example.com/#login",
		"https://ws.example.com":                                              "",
		"https://ws.example.com/oidc/../login.html":                           "",
		"https://ws.example.com/oidc/%2e%2e/login.html":                       "",
		// Of others.
		"//evil.com/login.html":                          "",
		"https://ws.example.com.evil.com/oidc":           "",
		"https://accounts.cloud.databricks.com/oidc/x?a": "",
	})
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	l := link(t, "https://ws.example.com", "http://gateway")
	checkChanges(t, l.Challenge, map[string]string{
		`Bearer realm="DatabricksRealm", resource_metadata="https://ws.example.com/.well-known/oauth-protected-resource/api/2.0/mcp"`: `Bearer realm="DatabricksRealm", resource_metadata="http://gateway/.well-known/oauth-protected-resource/api/2.0/mcp"`,
		`Bearer resource_metadata="https://ws.example.com/a",error="invalid_token"`:                                                   `Bearer resource_metadata="http://gateway/a",error="invalid_token"`,
		`Bearer Resource_Metadata = https://ws.example.com/a, scope="x"`:                                                              `Bearer Resource_Metadata = http://gateway/a, scope="x"`,
		`Bearer resource_metadata="https://ws.example.com/a", DPoP resource_metadata="https://ws.example.com/b"`:                      `Bearer resource_metadata="http://gateway/a", DPoP resource_metadata="http://gateway/b"`,
		`Bearer resource_metadata="https://evil.com/a"`:                                                                               "",
		`Bearer xresource_metadata="https://ws.example.com"`:                                                                          "",
		`Bearer realm="https://ws.example.com"`:                                                                                       "",
		`Bearer resource_metadata`:                                                                                                    "",
		`Bearer resource_metadata=`:                                                                                                   "",
		`Bearer resource_metadata="https://ws.example.com`:                                                                            `Bearer resource_metadata="http://gateway`,
		`resource_metadataresource_metadata=`:                                                                                         "",
		"":                                                                                                                            "",
	})
}

// The zero value changes nothing.
func TestZeroLink(t *testing.T) {
	t.Parallel()
	var l Link
	for _, f := range []func(string) (string, bool){l.URL, l.Location, l.Redirect, l.Challenge} {
		if got, changed := f("https://ws.example.com/"); changed || got != "https://ws.example.com/" {
			t.Errorf("became %q", got)
		}
	}
}
