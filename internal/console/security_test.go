package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/console"
)

// TestHosts: only the names of the site lead to its pages.
func TestHosts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options console.Options
		hosts   map[string]bool
	}{
		{"loopback", console.Options{Loopback: true}, map[string]bool{
			"localhost": true, "localhost:2020": true, "LOCALHOST:2020": true, "127.0.0.1:2020": true, "127.8.9.1": true, "[::1]:2020": true, "[::1]": true,
			"localhost.:2020": true, "": false, "localhost.example.com": false, "127.0.0.1.example.com:2020": false, "192.0.2.1:2020": false, "example.com": false,
		}},
		{"a name", console.Options{Hosts: []string{"Console.example.com"}}, map[string]bool{
			"console.example.com": true, "console.example.com:9443": true, "CONSOLE.EXAMPLE.COM": true, "localhost": false, "127.0.0.1": false,
			"example.com": false, "x.console.example.com": false, "": false,
		}},
		{"an address", console.Options{Hosts: []string{"192.0.2.1", "[2001:db8::1]"}}, map[string]bool{
			"192.0.2.1:9443": true, "[2001:db8::1]:9443": true, "192.0.2.2": false,
		}},
		{"a wildcard", console.Options{Hosts: []string{"*.example.com"}}, map[string]bool{
			"console.example.com": true, "example.com": false, ".example.com": false, "a.b.example.com": false,
		}},
		{"a name on loopback", console.Options{Loopback: true, Hosts: []string{"console.example.com"}}, map[string]bool{
			"console.example.com": true, "localhost:2020": true, "example.com": false,
		}},
		{"none", console.Options{}, map[string]bool{"": false, "localhost": false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			handler := console.New(new(source), test.options)
			for host, served := range test.hosts {
				r := httptest.NewRequest(http.MethodGet, "/why", nil)
				r.Host = host
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if want := map[bool]int{true: http.StatusOK, false: http.StatusMisdirectedRequest}[served]; w.Code != want {
					t.Errorf("%q: %d, want %d", host, w.Code, want)
				}
			}
		})
	}
}

// TestRequests: what else is not answered with a page.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		header             []string
		status             int
	}{
		{"page", "GET", "/", nil, 200},
		{"head", "HEAD", "/live", nil, 200},
		{"head of a stream", "HEAD", "/live/stream", nil, 200},
		{"unknown page", "GET", "/nowhere", nil, 404},
		{"unknown file", "GET", "/assets/0123456789abcdef/console.css", nil, 404},
		{"path that is not clean", "GET", "/assets/../why", nil, 307},
		{"post without a browser's header", "POST", "/", nil, 403},
		{"post of another site", "POST", "/", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://example.com"}, 403},
		{"post of our own to a page that only shows", "POST", "/", []string{"Sec-Fetch-Site", "same-origin"}, 405},
		{"delete of our own", "DELETE", "/why", []string{"Sec-Fetch-Site", "same-origin"}, 405},
		{"typed into the browser", "GET", "/", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		{"our own script", "GET", "/", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 200},
		{"link on another site", "GET", "/why?id=00000001", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		{"frame of another site", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		{"script of another site", "GET", "/live/stream", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty"}, 403},
		{"another port of this machine", "GET", "/", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, test.path, nil)
			r.Host = "localhost:2020"
			for i := 0; i < len(test.header); i += 2 {
				r.Header.Set(test.header[i], test.header[i+1])
			}
			w := httptest.NewRecorder()
			console.New(full(t, "text"), console.Options{Loopback: true}).ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("%d, want %d\n%s", w.Code, test.status, w.Body)
			}
			checkHeaders(t, w.Header())
		})
	}
}

// checkHeaders checks those that every answer has.
func checkHeaders(t *testing.T, header http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestErrors: an error page says what is wrong, in whose words it may be.
func TestErrors(t *testing.T) {
	t.Parallel()
	w := get(t, new(source), "/nowhere")
	if body := w.Body.String(); !complete(body) || !strings.Contains(body, "there is no such page") {
		t.Errorf("%d\n%s", w.Code, body)
	}
}

// TestAssets: pages refer to files by their content, which browsers may keep.
func TestAssets(t *testing.T) {
	t.Parallel()
	body := get(t, new(source), "/live").Body.String()
	_, rest, ok := strings.Cut(body, `src="/assets/`)
	path, _, _ := strings.Cut(rest, `"`)
	if !ok || !strings.HasSuffix(path, "/live.js") {
		t.Fatalf("no script in\n%s", body)
	}
	w := get(t, new(source), "/assets/"+path)
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
