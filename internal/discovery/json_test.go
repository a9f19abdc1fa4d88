package discovery

import (
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	l := link(t, "https://ws.example.com", "http://127.0.0.1:8080")
	const workspace, gateway = "https://ws.example.com", "http://127.0.0.1:8080"
	// In each document, @ stands for the workspace where it is replaced, and W where it stays.
	for _, tt := range []struct{ name, document string }{
		{"config", `{"oidc_endpoint":"@/oidc","account_id":"0","workspace_id":"1","cloud":"AWS","host_type":"workspace","token_federation_default_oidc_audiences":["W/oidc/v1/token"]}`},
		{"spacing, order and numbers", "{ \"b\" : 1.50e3 ,\n\t\"a\":\"@/\" , \"b\":2 }\n"},
		{"nested", `{"a":[{"b":["@/1",{"c":"@/2"}]},"@/3",null,true,-1]}`},
		{"a list", `["@/1","W.evil.com/","@"]`},
		{"a string", `"@/1"`},
		{"audience", `{"audience":"W/a","default_audiences":{"x":["W/b",{"y":"W/c"}],"z":"W/d"},"AUD":"W/e","after":"@/f"}`},
		{"a list of audiences, then others", `{"a":{"audiences":["W/a"],"b":"@/b"},"c":["@/c"]}`},
		{"an escaped name", `{"\u0061udience":"W/a","x":"@/b"}`},
		{"names", `{"W/a":"@/b","W":{"W":1}}`},
		{"inside of text", `{"a":"see W/a","b":" W/a"}`},
		{"other hosts", `{"a":"https://accounts.cloud.databricks.com/oidc","b":"W@evil.com/","c":"W:8443/"}`},
		{"other characters", `{"a":"@/é😀\"\\","b":"Wé/"}`},
		{"no URL at all", `{"a":1}`},
		{"empty strings", `{"":"","a":["",""],"b":"@"}`},
		{"templates", `{"a":"@/oidc/accounts/{account_id}"}`},
	} {
		in := strings.NewReplacer("@/", workspace+"/", `@"`, workspace+`"`, "W", workspace).Replace(tt.document)
		want := strings.NewReplacer("@/", gateway+"/", `@"`, gateway+`"`, "W", workspace).Replace(tt.document)
		got, changed := l.JSON([]byte(in))
		if string(got) != want || changed != (in != want) {
			t.Errorf("%s: %t\n%s\nbecame\n%s\nwant\n%s", tt.name, changed, in, got, want)
		}
	}
	for in, want := range map[string]string{
		`{"a":"https:\/\/ws.example.com\/oidc\/v1"}`:                     `{"a":"http://127.0.0.1:8080/oidc/v1"}`,
		`{"a":"\u0068ttps:\u002F/ws.ex\u0061mple.com\u002f"}`:            `{"a":"http://127.0.0.1:8080/"}`,
		`{"a":"HTTPS://WS.EXAMPLE.COM:443"}`:                             `{"a":"http://127.0.0.1:8080"}`,
		`{"a":"https://ws.example.com\u0000/"}`:                          "",
		`{"a":"https://ws.example.com\\x"}`:                              "",
		`{"a":"https://ws.example.com\n"}`:                               "",
		`{"a":"https://ws.example.com` + strings.Repeat("a", 300) + `"}`: "",
		// not JSON
		`{"a":"https://ws.example.com/"`:             "",
		`{"a":"https://ws.example.com/"}x`:           "",
		"\ufeff" + `{"a":"https://ws.example.com/"}`: "",
		`<a href="https://ws.example.com/">`:         "",
		"":                                           "",
	} {
		if want == "" {
			want = in
		}
		if got, changed := l.JSON([]byte(in)); string(got) != want || changed != (in != want) {
			t.Errorf("%s became %s, %t", in, got, changed)
		}
	}
}
