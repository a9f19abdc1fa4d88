package console

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/scopegate/scopegate/internal/caddymodules" // Caddy's own modules

	_ "github.com/scopegate/scopegate" // as users import it
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// What operators get to read.
const (
	plainText = "without TLS, so that others could read along: add bind 127.0.0.1"
	noSignIn  = "nobody has to sign in: add basic_auth or forward_auth"
	noHost    = "its site has no host: name it in the site's address"
	noSite    = "it must stand in a site, by itself or in handle or route"
)

// user and password may sign in where basicAuth stands.
const (
	user, password = "admin", "hush-hush"
	basicAuth      = "basic_auth {\nadmin $2b$04$PbXT1fCHB5kl4JSH7kia9egMbMrXn2xDn9pLk1g6WzLIyfQmVhgQG\nother $2b$04$PbXT1fCHB5kl4JSH7kia9egMbMrXn2xDn9pLk1g6WzLIyfQmVhgQG\n}\n"
	host           = "console.example.com"
)

// site is a place for a console, with what stands in the configuration.
type site struct {
	port         string
	certificates *fleettest.Certificates
}

func newSite(t *testing.T) *site {
	t.Helper()
	_, port, err := net.SplitHostPort(harness.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Stop(t) })
	return &site{port: port, certificates: fleettest.NewCertificates(t)}
}

// fill replaces what test cases cannot know.
func (s *site) fill(t *testing.T, text string) string {
	t.Helper()
	certificate, key := s.certificates.Issue(t, host)
	return strings.NewReplacer("PORT", s.port, "TLS", fmt.Sprintf("tls %s %s", certificate, key), "ROOT", s.certificates.RootFile(),
		"CERTIFICATE", certificate, "KEY", key).Replace(text)
}

// global are options that keep a test to itself.
const global = "{\nadmin off\nauto_https off\npersist_config off\nlog default {\noutput discard\n}\n}\n"

// loadCaddyfile loads sites.
func (s *site) loadCaddyfile(t *testing.T, sites string) error {
	t.Helper()
	config, err := harness.Adapt(global + s.fill(t, sites))
	if err != nil {
		t.Fatalf("adapting: %v", err)
	}
	return caddy.Load(config, true)
}

// get asks for the Overview, with TLS unless the scheme is http.
func (s *site) get(t *testing.T, scheme, named string, change func(*http.Request)) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://127.0.0.1:"+s.port+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = named
	if change != nil {
		change(r)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.certificates.Pool(), ServerName: host}, DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func signIn(r *http.Request) { r.SetBasicAuth(user, password) }

// TestCaddyfile loads consoles. Those that others could look at must not start.
func TestCaddyfile(t *testing.T) {
	for _, test := range []struct{ name, sites, err string }{
		{"loopback", "http://localhost:PORT {\nbind 127.0.0.1\ndatabricks_console\n}", ""},
		{"loopback by name", "http://:PORT {\nbind localhost\ndatabricks_console\n}", ""},
		{"everywhere", "http://:PORT {\ndatabricks_console\n}", plainText},
		{"localhost that listens everywhere", "http://localhost:PORT {\ndatabricks_console\n}", plainText},
		{"loopback and another address", "http://localhost:PORT {\nbind 127.0.0.1 0.0.0.0\ndatabricks_console\n}", plainText},
		{"Unix socket", "http://localhost:PORT {\nbind unix//tmp/scopegate-console-test.sock\ndatabricks_console\n}", plainText},
		{"TLS", "https://console.example.com:PORT {\nTLS\ndatabricks_console\n}", noSignIn},
		{"basic_auth", "https://console.example.com:PORT {\nTLS\n" + basicAuth + "databricks_console\n}", ""},
		{"basic_auth below it", "https://console.example.com:PORT {\nTLS\ndatabricks_console\n" + basicAuth + "}", ""},
		{"basic_auth without TLS", "http://console.example.com:PORT {\n" + basicAuth + "databricks_console\n}", plainText},
		{"basic_auth for some paths", "https://console.example.com:PORT {\nTLS\n" + strings.Replace(basicAuth, " {", " /live {", 1) + "databricks_console\n}", noSignIn},
		{"basic_auth before it in route", "https://console.example.com:PORT {\nTLS\nroute {\n" + basicAuth + "databricks_console\n}\n}", ""},
		{"basic_auth after it in route", "https://console.example.com:PORT {\nTLS\nroute {\ndatabricks_console\n" + basicAuth + "}\n}", noSignIn},
		{"route that signs in", "https://console.example.com:PORT {\nTLS\nroute {\n" + basicAuth + "}\ndatabricks_console\n}", ""},
		{"handle", "https://console.example.com:PORT {\nTLS\nhandle {\n" + basicAuth + "databricks_console\n}\n}", ""},
		{"handle of others", "https://console.example.com:PORT {\nTLS\nhandle /api/* {\n" + basicAuth + "}\nhandle {\ndatabricks_console\n}\n}", noSignIn},
		{"basic_auth of another site", "https://console.example.com:PORT {\nTLS\ndatabricks_console\n}\nhttps://other.example.com:PORT {\nTLS\n" + basicAuth + "}", noSignIn},
		{"no host", "https://:PORT {\nTLS\n" + basicAuth + "databricks_console\n}", noHost},
		{"forward_auth", "https://console.example.com:PORT {\nTLS\nforward_auth 127.0.0.1:1 {\nuri /auth\n}\ndatabricks_console\n}", ""},
		{"forward_auth that redirects", "https://console.example.com:PORT {\nTLS\nforward_auth 127.0.0.1:1 {\nuri /auth\n@no status 401\nhandle_response @no {\nredir * /sign_in\n}\n}\ndatabricks_console\n}", ""},
		{"forward_auth that passes 401", "https://console.example.com:PORT {\nTLS\nforward_auth 127.0.0.1:1 {\nuri /auth\n@no status 401\nhandle_response @no {\nvars refused yes\n}\n}\ndatabricks_console\n}", noSignIn},
		{"reverse_proxy that passes everything", "https://console.example.com:PORT {\nTLS\nreverse_proxy 127.0.0.1:1 {\nmethod GET\nrewrite /auth\nhandle_response {\ndatabricks_console\n}\n}\n}", noSite},
		{"client certificates", "https://console.example.com:PORT {\ntls CERTIFICATE KEY {\nclient_auth {\nmode require_and_verify\ntrust_pool file ROOT\n}\n}\ndatabricks_console\n}", ""},
		{"client certificates without a host", "https://:PORT {\ntls CERTIFICATE KEY {\nclient_auth {\nmode require_and_verify\ntrust_pool file ROOT\n}\n}\ndatabricks_console\n}", noHost},
		{"client certificates that are asked for", "https://console.example.com:PORT {\ntls CERTIFICATE KEY {\nclient_auth {\nmode verify_if_given\ntrust_pool file ROOT\n}\n}\ndatabricks_console\n}", noSignIn},
		{"client certificates that nobody verifies", "https://console.example.com:PORT {\ntls CERTIFICATE KEY {\nclient_auth {\nmode require\n}\n}\ndatabricks_console\n}", noSignIn},
		{"client certificates of another site", "https://console.example.com:PORT {\nTLS\ndatabricks_console\n}\nhttps://other.example.com:PORT {\ntls CERTIFICATE KEY {\nclient_auth {\nmode require_and_verify\ntrust_pool file ROOT\n}\n}\n}", noSignIn},
		{"handle_errors", "https://console.example.com:PORT {\nTLS\n" + basicAuth + "handle_errors {\ndatabricks_console\n}\n}", noSite},
		{"named route", "&(console) {\ndatabricks_console\n}\nhttps://console.example.com:PORT {\nTLS\n" + basicAuth + "invoke console\n}", noSite},
		{"several workspaces", "http://localhost:PORT {\nbind 127.0.0.1\ndatabricks_console\n}\nhttp://:8081 {\nbind 127.0.0.1\nhandle /a* {\ndatabricks_scopes {\nworkspace https://a.cloud.databricks.com\n}\n}\nhandle {\ndatabricks_scopes {\nworkspace https://b.cloud.databricks.com\n}\n}\n}", "the configuration has several workspaces"},
		{"unknown workspace", "http://localhost:PORT {\nbind 127.0.0.1\ndatabricks_console {\nworkspace https://a.cloud.databricks.com\n}\n}", "no handler uses the workspace https://a.cloud.databricks.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			checkError(t, s.loadCaddyfile(t, test.sites), test.err)
		})
	}
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("it does not start: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "databricks_console")):
		t.Errorf("error: %v\nit should have: %s", err, want)
	}
}

// TestJSON is TestCaddyfile for orders of handlers and routes that only JSON has.
func TestJSON(t *testing.T) {
	const (
		console = `{"handler":"databricks_console"}`
		auth    = `{"handler":"authentication","providers":{"http_basic":{"accounts":[{"username":"admin","password":"$2b$04$PbXT1fCHB5kl4JSH7kia9egMbMrXn2xDn9pLk1g6WzLIyfQmVhgQG"}]}}}`
		asks    = `{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:1"}],"rewrite":{"method":"GET","uri":"/auth"},"handle_response":[{"match":{"status_code":[%s]},"routes":[{"handle":[{"handler":"vars"}]}]}]}`
		match   = `"match":[{"host":["console.example.com"]}],`
	)
	for _, test := range []struct{ name, routes, err string }{
		{"one route", `{` + match + `"handle":[` + auth + `,` + console + `]}`, ""},
		{"one route, in the other order", `{` + match + `"handle":[` + console + `,` + auth + `]}`, noSignIn},
		{"two routes", `{"handle":[` + auth + `]},{` + match + `"handle":[` + console + `]}`, ""},
		{"two routes, in the other order", `{` + match + `"handle":[` + console + `]},{"handle":[` + auth + `]}`, noSignIn},
		{"two routes of which one has a matcher", `{"match":[{"path":["/live"]}],"handle":[` + auth + `]},{` + match + `"handle":[` + console + `]}`, noSignIn},
		{"two routes of a group", `{"group":"g","handle":[` + auth + `]},{` + match + `"handle":[` + console + `]}`, noSignIn},
		{"subroute that signs in", `{"handle":[{"handler":"subroute","routes":[{"handle":[` + auth + `]}]}]},{` + match + `"handle":[` + console + `]}`, ""},
		{"subroute that signs some in", `{"handle":[{"handler":"subroute","routes":[{"match":[{"path":["/live"]}],"handle":[` + auth + `]}]}]},{` + match + `"handle":[` + console + `]}`, noSignIn},
		{"subroute that passes errors", `{"handle":[{"handler":"subroute","routes":[{"handle":[` + auth + `]}],"errors":{"routes":[{"handle":[{"handler":"vars"}]}]}}]},{` + match + `"handle":[` + console + `]}`, noSignIn},
		{"in a subroute", `{` + match + `"handle":[` + auth + `,{"handler":"subroute","routes":[{"handle":[` + console + `]}]}]}`, ""},
		{"in a subroute, signed in inside", `{` + match + `"handle":[{"handler":"subroute","routes":[{"handle":[` + auth + `]},{"handle":[` + console + `]}]}]}`, ""},
		{"some of the hosts", `{"match":[{"host":["console.example.com"]},{"path":["/live"]}],"handle":[` + auth + `,` + console + `]}`, noHost},
		{"asks first", `{` + match + `"handle":[` + fmt.Sprintf(asks, "2") + `,` + console + `]}`, ""},
		{"asks first, for one status", `{` + match + `"handle":[` + fmt.Sprintf(asks, "204") + `,` + console + `]}`, ""},
		{"asks first, and passes refusals", `{` + match + `"handle":[` + fmt.Sprintf(asks, "2,4") + `,` + console + `]}`, noSignIn},
		{"asks first, and passes everything", `{` + match + `"handle":[` + fmt.Sprintf(asks, "") + `,` + console + `]}`, noSignIn},
		{"proxy that asks nobody", `{` + match + `"handle":[{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:1"}]},` + console + `]}`, noSignIn},
		{"misspelled option", `{` + match + `"handle":[` + auth + `,{"handler":"databricks_console","workspaces":"prod"}]}`, "workspaces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			config := `{"admin":{"disabled":true,"config":{"persist":false}},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},
				"apps":{"databricks":{},
					"tls":{"certificates":{"load_files":[{"certificate":"CERTIFICATE","key":"KEY"}]}},
					"http":{"servers":{"console":{"listen":[":PORT"],"automatic_https":{"disable":true},"tls_connection_policies":[{}],"routes":[` + test.routes + `]}}}}}`
			checkError(t, caddy.Load([]byte(s.fill(t, config)), true), test.err)
		})
	}
}

// TestHTTPPort: Caddy speaks no TLS on its HTTP port, whatever the policies say.
func TestHTTPPort(t *testing.T) {
	s := newSite(t)
	const config = `{"admin":{"disabled":true,"config":{"persist":false}},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},
		"apps":{"http":{"http_port":PORT,"servers":{"console":{"listen":[":PORT"],"automatic_https":{"disable":true},"tls_connection_policies":[{}],
			"routes":[{"match":[{"host":["console.example.com"]}],"handle":[{"handler":"authentication"},{"handler":"databricks_console"}]}]}}}}}`
	checkError(t, caddy.Load([]byte(s.fill(t, config)), true), plainText)
}

// TestSignIn: those who have not signed in see nothing, and other names do not lead there.
func TestSignIn(t *testing.T) {
	s := newSite(t)
	if err := s.loadCaddyfile(t, "https://console.example.com:PORT {\nTLS\n"+basicAuth+"databricks_console\n}"); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "https", host, nil); got != http.StatusUnauthorized {
		t.Errorf("without a password: %d", got)
	}
	if got := s.get(t, "https", host, signIn); got != http.StatusOK {
		t.Errorf("with a password: %d", got)
	}
}

// TestClientCertificate: only those with a certificate see the page, whatever name they begin with.
func TestClientCertificate(t *testing.T) {
	s := newSite(t)
	err := s.loadCaddyfile(t, `https://console.example.com:PORT {
	tls CERTIFICATE KEY {
		client_auth {
			mode require_and_verify
			trust_pool file ROOT
		}
	}
	databricks_console
}
https://other.example.com:PORT {
	TLS
	respond hello
}`)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(s.certificates.Issue(t, "operator"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(server string, certificates ...tls.Certificate) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+s.port+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		config := &tls.Config{RootCAs: s.certificates.Pool(), ServerName: server, Certificates: certificates, InsecureSkipVerify: server != host}
		response, err := (&http.Transport{TLSClientConfig: config, DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	if got := ask(host, certificate); got != http.StatusOK {
		t.Errorf("with a certificate: %d", got)
	}
	if got := ask(host); got != 0 {
		t.Errorf("without a certificate: %d", got)
	}
	for _, server := range []string{"other.example.com", ""} {
		if got := ask(server); got == http.StatusOK || got == 0 {
			t.Errorf("under the name %q without a certificate: %d", server, got)
		}
	}
}

// TestMixedCertificates: where clients may name one site and ask for another, a certificate for
// the other one would lead to the page.
func TestMixedCertificates(t *testing.T) {
	const (
		lax   = "{\nadmin off\nauto_https off\npersist_config off\nlog default {\noutput discard\n}\nservers {\nstrict_sni_host insecure_off\n}\n}\n"
		page  = "https://console.example.com:PORT {\ntls CERTIFICATE KEY {\nclient_auth {\nmode require_and_verify\ntrust_pool file ROOT\n}\n}\nSIGNIN\ndatabricks_console\n}\n"
		other = "https://other.example.com:PORT {\ntls CERTIFICATE KEY {\nclient_auth {\nmode verify_if_given\ntrust_pool file OTHERROOT\n}\n}\nrespond hello\n}\n"
	)
	for _, test := range []struct{ name, options, signIn, other, err string }{
		{"names must match", global, "", other, ""},
		{"names need not match", lax, "", other, "strict_sni_host insecure_off"},
		{"names need not match, with a password", lax, basicAuth, other, ""},
		{"no other certificates", lax, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			sites := strings.NewReplacer("SIGNIN", test.signIn, "OTHERROOT", fleettest.NewCertificates(t).RootFile()).Replace(page + test.other)
			config, err := harness.Adapt(test.options + s.fill(t, sites))
			if err != nil {
				t.Fatal(err)
			}
			checkError(t, caddy.Load(config, true), test.err)
		})
	}
}

// TestLoopback: on this machine, only this machine's names lead to the page.
func TestLoopback(t *testing.T) {
	s := newSite(t)
	if err := s.loadCaddyfile(t, "http://:PORT {\nbind 127.0.0.1\ndatabricks_console\n}"); err != nil {
		t.Fatal(err)
	}
	for named, want := range map[string]int{
		"localhost:" + s.port: 200, "127.0.0.1:" + s.port: 200, "[::1]:" + s.port: 200, "localhost": 200,
		"attacker.example.com:" + s.port: 421, "127.0.0.1.example.com": 421,
	} {
		if got := s.get(t, "http", named, nil); got != want {
			t.Errorf("Host: %s: %d, want %d", named, got, want)
		}
	}
}
