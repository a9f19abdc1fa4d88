package discovery

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const (
	fuzzWorkspace = "https://ws.example.com"
	fuzzGateway   = "http://127.0.0.1:8080"
)

// FuzzURL: what is rewritten is a URL of the workspace to Go's own parser too, and only
// scheme and host change.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{fuzzWorkspace + "/a?b#c", "HTTPS://WS.example.com.:443", "//ws.example.com/", "https://ws.example.com@evil.com/", `https://ws.example.com\x`, "https://[::1]/"} {
		f.Add(seed)
	}
	l := link(f, fuzzWorkspace, fuzzGateway)
	f.Fuzz(func(t *testing.T, s string) {
		got, changed := l.Location(s)
		if !changed {
			if got != s {
				t.Fatalf("%q became %q", s, got)
			}
			return
		}
		rest, ok := strings.CutPrefix(got, fuzzGateway)
		if !ok || !strings.HasSuffix(s, rest) {
			t.Fatalf("%q became %q", s, got)
		}
		if parsed, err := url.Parse(s); err == nil {
			if host := strings.TrimSuffix(strings.ToLower(parsed.Hostname()), "."); host != "ws.example.com" || parsed.User != nil {
				t.Fatalf("%q, a URL of %s, became %q", s, host, got)
			}
		}
	})
}

// FuzzNewLink: a gateway's address that is used is a host to Go's own parser too, and fits
// into a header.
func FuzzNewLink(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:8080", "gateway", "[::1]:1", "a@b", "a\r\nb: c", "a/b", "a_b."} {
		f.Add("https", seed)
	}
	f.Fuzz(func(t *testing.T, scheme, host string) {
		l, ok := NewLink(Origin{"https", "ws.example.com"}, Origin{scheme, host})
		if !ok {
			return
		}
		got, changed := l.URL(fuzzWorkspace + "/x?y#z")
		parsed, err := url.Parse(got)
		if !changed || err != nil || parsed.User != nil || parsed.Host != host || parsed.Scheme != "http" && parsed.Scheme != "https" ||
			parsed.Path != "/x" || parsed.RawQuery != "y" || parsed.Fragment != "z" {
			t.Fatalf("%q %q: %q, %v", scheme, host, got, err)
		}
		r := http.Response{StatusCode: 302, Header: http.Header{"Location": {got}}}
		if located, err := r.Location(); err != nil || located.Host != host {
			t.Fatalf("%q: %v, %v", got, located, err)
		}
	})
}

// FuzzJSON: a document stays JSON, and differs from what it was only in strings that were
// URLs of the workspace.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"oidc_endpoint":"https://ws.example.com/oidc","aud":["https://ws.example.com"]}`,
		`[{"a":["https:\/\/ws.example.com"]},"\u0068ttps://ws.example.com/é",1e9,{}]`, `"https://ws.example.com"`, `{"a"`, "",
	} {
		f.Add([]byte(seed))
	}
	l := link(f, fuzzWorkspace, fuzzGateway)
	f.Fuzz(func(t *testing.T, document []byte) {
		before := string(document)
		got, changed := l.JSON(document)
		if string(document) != before {
			t.Fatal("the document itself was changed")
		}
		if !changed {
			if string(got) != before {
				t.Fatalf("%q became %q", before, got)
			}
			return
		}
		var old, now any
		if json.Unmarshal(document, &old) != nil || json.Unmarshal(got, &now) != nil {
			t.Fatalf("%q became %q", document, got)
		}
		if want := rewritten(l, old, false); !reflect.DeepEqual(now, want) {
			t.Fatalf("%q became %q, want %v", document, got, want)
		}
		if _, again := l.JSON(got); again {
			t.Fatalf("%q names the workspace still", got)
		}
	})
}

// rewritten is the same by way of decoded values.
func rewritten(l Link, value any, kept bool) any {
	switch value := value.(type) {
	case string:
		if !kept {
			value, _ = l.URL(value)
		}
		return value
	case []any:
		for i := range value {
			value[i] = rewritten(l, value[i], kept)
		}
	case map[string]any:
		for name := range value {
			lower := strings.ToLower(name)
			value[name] = rewritten(l, value[name], kept || lower == "aud" || strings.Contains(lower, "audience"))
		}
	}
	return value
}

// FuzzHeaders: whatever the header, nothing but URLs of the workspace changes.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{`Bearer resource_metadata="https://ws.example.com/a", b="c"`, "http://localhost/?iss=https%3A%2F%2Fws.example.com&a=b#c"} {
		f.Add(seed)
	}
	l := link(f, fuzzWorkspace, fuzzGateway)
	f.Fuzz(func(t *testing.T, s string) {
		for _, change := range []func(string) (string, bool){l.Challenge, l.Redirect} {
			if got, changed := change(s); changed == (got == s) {
				t.Fatalf("%q became %q, %t", s, got, changed)
			}
		}
	})
}
