package judge

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestParseOrigins(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		values []string
		want   Origins
		err    string
	}{
		{name: "none"},
		{name: "plain", values: []string{"https://app.example.com"}, want: Origins{"https://app.example.com"}},
		{name: "with a port", values: []string{"http://localhost:3000"}, want: Origins{"http://localhost:3000"}},
		{name: "upper case and default port", values: []string{"HTTPS://App.Example.COM:443"}, want: Origins{"https://app.example.com"}},
		{name: "default port of http", values: []string{"http://app:080"}, want: Origins{"http://app"}},
		{name: "port of the other scheme", values: []string{"http://app:443"}, want: Origins{"http://app:443"}},
		{name: "sorted, each once", values: []string{"https://b", "https://a", "https://b:443"}, want: Origins{"https://a", "https://b"}},
		{name: "IPv4", values: []string{"http://127.0.0.1:8000"}, want: Origins{"http://127.0.0.1:8000"}},
		{name: "IPv6", values: []string{"http://[0:0::1]:8000"}, want: Origins{"http://[::1]:8000"}},
		{name: "not ASCII", values: []string{"https://Bücher.example"}, want: Origins{"https://xn--bcher-kva.example"}},
		{name: "underscore", values: []string{"http://My_app:3000"}, want: Origins{"http://my_app:3000"}},
		{name: "browser extension", values: []string{"chrome-extension://abcdefgh"}, want: Origins{"chrome-extension://abcdefgh"}},
		{name: "all", values: []string{"*"}, want: Origins{"*"}},
		{name: "all, twice", values: []string{"*", "*"}, want: Origins{"*"}},

		{name: "all and one", values: []string{"https://a", "*"}, err: "cors * allows every origin; remove the others"},
		{name: "null", values: []string{"null"}, err: "cannot allow the origin null"},
		{name: "pattern", values: []string{"https://*.example.com"}, err: "list every origin, or write * for all"},
		{name: "empty", values: []string{""}, err: "lacks its scheme"},
		{name: "host only", values: []string{"app.example.com"}, err: `"app.example.com" lacks its scheme`},
		{name: "host and port", values: []string{"localhost:3000"}, err: "lacks its scheme"},
		{name: "slash", values: []string{"https://App.example.com/"}, err: "write https://app.example.com"},
		{name: "path", values: []string{"https://app.example.com:443/index.html"}, err: "write https://app.example.com"},
		{name: "query", values: []string{"https://app?x"}, err: "write https://app"},
		{name: "empty query", values: []string{"https://app?"}, err: "write https://app"},
		{name: "fragment", values: []string{"https://app#x"}, err: "write https://app"},
		{name: "empty fragment", values: []string{"https://app#"}, err: "write https://app"},
		{name: "password", values: []string{"https://u:hush@app"}, err: "has no user name or password"},
		{name: "password without a scheme", values: []string{"u:hush@app"}, err: "has no user name or password"},
		{name: "other scheme", values: []string{"ftp://app"}, err: "that of no web page"},
		{name: "file", values: []string{"file:///index.html"}, err: "that of no web page"},
		{name: "no host", values: []string{"https://"}, err: "no valid host"},
		{name: "port only", values: []string{"https://:8443"}, err: "no valid host"},
		{name: "short address", values: []string{"http://127.1"}, err: "no valid host"},
		{name: "zone", values: []string{"http://[fe80::1%25eth0]"}, err: "no valid host"},
		{name: "space", values: []string{"https://a b"}, err: "is not an origin"},
		{name: "comma", values: []string{"https://a,"}, err: "separate origins by spaces"},
		{name: "placeholder", values: []string{"https://{env.APP}"}, err: "not an origin"},
		{name: "large port", values: []string{"https://app:65536"}, err: "between 1 and 65535"},
		{name: "port zero", values: []string{"https://app:0"}, err: "between 1 and 65535"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseOrigins(test.values)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error holds the password: %v", err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	const app = "https://app.example.com"
	for _, origin := range []string{"", "null", app + "/", app + ":443", "HTTPS://app.example.com", "http://app.example.com", "https://app.example.com.", "https://app.example.com.evil.example", "https://evil.example", " " + app, app + ", " + app, "*"} {
		if (Origins{app}).Allow(origin) {
			t.Errorf("%q is allowed", origin)
		}
	}
	switch {
	case !(Origins{app}).Allow(app), !(Origins{"*"}).Allow(app), !(Origins{"*"}).Allow("null"):
		t.Error("an allowed origin is refused")
	case Origins(nil).Allow(app), (Origins{"*"}).Allow(""):
		t.Error("an origin is allowed that is not configured")
	}
}

// FuzzParseOrigins: what is accepted has one form, which is that of an origin.
func FuzzParseOrigins(f *testing.F) {
	for _, seed := range []string{"https://app.example.com", "HTTP://localhost:080", "http://[::1]:1", "*", "https://bücher.example", "https://u:p@x", "moz-extension://x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := ParseOrigins([]string{value})
		if err != nil || got.Any() {
			return
		}
		again, err := ParseOrigins(got)
		if err != nil || !slices.Equal(again, got) {
			t.Errorf("%q: %q, then %q, %v", value, got, again, err)
		}
		u, err := url.Parse(got[0])
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != got[0] {
			t.Errorf("%q: %q is not an origin", value, got)
		}
		if strings.ContainsFunc(got[0], func(c rune) bool { return c <= ' ' || c > '~' || c == ',' || c == '*' }) {
			t.Errorf("%q: %q could not be sent in a header", value, got)
		}
	})
}
