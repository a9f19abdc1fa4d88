package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// forged are headers by which a client could lie about where its request comes from. Their
// values contain "forged".
var forged = func() (lines []string) {
	for _, name := range []string{
		"Forwarded", "X-Forwarded", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-By",
		"X-Forwarded-Client-IP", "X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Real-IP", "True-Client-IP", "X-Client-IP", "Client-IP",
		"X-Cluster-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-Original-Forwarded-For", "X-Original-Host", "X-Envoy-External-Address",
		"X-Remote-Addr", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Original-URL", "Via", "X-Scheme", "Client-Cert",
		"X~Forwarded~For", "X-Forwarded-For~", "X_Forwarded_Host", "X.Forwarded.Proto", "X_Real_IP", "X~Real~IP", "Forwarded_", "~True-Client-IP", "x-real-ip",
	} {
		lines = append(lines, name+": for=203.0.113.9;forged")
	}
	return append(lines, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: forged", "X-Forwarded-Proto: forged", "X-Innocent: kept")
}()

// TestForwardingHeaders: only the gateway says where a request came from, whatever its
// decision, and however it is set up.
func TestForwardingHeaders(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	ownProxy := func(options string) string {
		return fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s%s\n}\nreverse_proxy %s", workspace.URL(), harness.AdminBlock, options, workspace.URL())
	}
	for _, site := range []struct{ name, directives string }{
		{"databricks_gateway", harness.GatewayBlock(workspace, "oauth pass")},
		{"reverse_proxy", ownProxy("oauth pass")},
		{"observe", harness.GatewayBlock(workspace, "mode observe")},
		{"observe, reverse_proxy", ownProxy("mode observe")},
	} {
		t.Run(site.name, func(t *testing.T) {
			g := harness.StartSite(t, workspace, site.directives)
			for _, tt := range []struct{ name, target, authorization string }{
				{"judged", "/api/2.0/serving-endpoints", "Bearer " + harness.LegacyToken(workspace)},
				{"oauth", "/api/2.0/serving-endpoints", "Bearer " + workspace.SignJWT(nil)},
				{"public", "/.well-known/databricks-config", ""},
			} {
				t.Run(tt.name, func(t *testing.T) {
					workspace.Reset()
					before := len(g.ReadRecords(t))
					lines := []string{"GET " + tt.target + " HTTP/1.1", "Host: " + g.Listen, "Connection: X-Forwarded-For, X-Forwarded-Proto"}
					if tt.authorization != "" {
						lines = append(lines, "Authorization: "+tt.authorization)
					}
					c := g.Dial(t)
					c.Send(t, append(lines, forged...)...)
					if answer := c.Answer(t, "GET"); answer.Header.Get("X-Scopegate-Reason") != "" {
						t.Fatalf("refused: %d %s", answer.StatusCode, answer.Body)
					}
					notForged(t, lastFrom(t, workspace, tt.target), g.Listen, "127.0.0.1", "http")
					record := g.Records(t, before+1)[before]
					if record["client_address"] != "127.0.0.1" {
						t.Errorf("recorded the address %v", record["client_address"])
					}
					if dropped := fmt.Sprint(record["dropped_headers"]); !strings.Contains(dropped, "Forwarded") {
						t.Errorf("recorded as dropped: %s", dropped)
					}
				})
			}
		})
	}
}

// notForged checks what arrived of [forged].
func notForged(t *testing.T, arrived fakeworkspace.Request, host, address, scheme string) {
	t.Helper()
	for name, values := range arrived.Header {
		if text := strings.Join(values, " "); strings.Contains(text, "forged") || name != "X-Forwarded-For" && strings.Contains(text, "203.0.113.9") {
			t.Errorf("%s arrived: %q", name, values)
		}
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": address, "X-Forwarded-Host": host, "X-Forwarded-Proto": scheme, "X-Innocent": "kept",
	} {
		if got := arrived.Header[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
}

// TestForwardingHeadersHTTP2: the same over HTTP/2.
func TestForwardingHeadersHTTP2(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	var pairs []string
	for _, line := range forged {
		name, value, _ := strings.Cut(line, ": ")
		pairs = append(pairs, name, value)
	}
	req := harness.NewRequest(t, "GET", g.URL+harness.JobsList, harness.LegacyToken(workspace), nil, pairs...)
	if answer := harness.Do(t, harness.ClientH2C(t), req); answer.StatusCode != http.StatusOK {
		t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
	}
	notForged(t, harness.OnlyArrival(t, workspace), g.Listen, "127.0.0.1", "http")
}

// TestTrustedProxies: what a trusted proxy says in X-Forwarded-For, -Host and -Proto goes
// on, as with Caddy's reverse_proxy. Of the others only those do that client_ip_headers
// names: most proxies pass them on as their clients sent them.
func TestTrustedProxies(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	lines := []string{
		"X-Forwarded-For: 198.51.100.7, 203.0.113.9", "X-Forwarded-Host: front.example.com", "X-Forwarded-Proto: https",
		"X-Real-IP: 203.0.113.10", "Forwarded: for=203.0.113.11", "X-Forwarded-Port: 443", "True-Client-IP: 203.0.113.12", "X~Real~IP: 203.0.113.13",
	}
	all := []string{"Forwarded", "True-Client-Ip", "X-Forwarded-Port", "X-Real-Ip", "X~real~ip"}
	for _, tt := range []struct {
		name, servers, options, client string
		trusted                        bool
		dropped                        []string
	}{
		{"nobody", "", "", "127.0.0.1", false, all},
		{"others", "trusted_proxies static 192.0.2.0/24", "", "127.0.0.1", false, all},
		{"trusted", "trusted_proxies static 127.0.0.0/8", "", "198.51.100.7", true, all},
		{"trusted, observe", "trusted_proxies static 127.0.0.0/8", "mode observe", "198.51.100.7", true, all},
		{"strictly", "trusted_proxies static 127.0.0.0/8\ntrusted_proxies_strict", "", "203.0.113.9", true, all},
		{"by another header", "trusted_proxies static 127.0.0.0/8\nclient_ip_headers X-Real-IP", "", "203.0.113.10", true, []string{"Forwarded", "True-Client-Ip", "X-Forwarded-Port", "X~real~ip"}},
		{"another header of nobody", "client_ip_headers X-Real-IP", "", "127.0.0.1", false, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			workspace.Reset()
			g := harness.NewGateway(t, workspace)
			if tt.servers != "" {
				g.Global = "servers :" + g.Listen[strings.LastIndexByte(g.Listen, ':')+1:] + " {\nprotocols h1\n" + tt.servers + "\n}"
			}
			g.Load(t, harness.GatewayBlock(workspace, tt.options))
			c := g.Dial(t)
			c.Send(t, append([]string{"GET " + harness.JobsList + " HTTP/1.1", "Host: " + g.Listen, "Authorization: Bearer " + harness.LegacyToken(workspace)}, lines...)...)
			if answer := c.Answer(t, "GET"); answer.StatusCode != http.StatusOK {
				t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
			}
			arrived := lastFrom(t, workspace, harness.JobsList)
			want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": g.Listen, "X-Forwarded-Proto": "http"}
			if tt.trusted {
				want = map[string]string{"X-Forwarded-For": "198.51.100.7, 203.0.113.9, 127.0.0.1", "X-Forwarded-Host": "front.example.com", "X-Forwarded-Proto": "https"}
			}
			for name, value := range want {
				if got := arrived.Header.Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			for _, name := range all {
				if got := arrived.Header[name] != nil; got == slices.Contains(tt.dropped, name) {
					t.Errorf("%s arrived: %t", name, got)
				}
			}
			record := g.Records(t, 1)[0]
			if record["client_address"] != tt.client {
				t.Errorf("recorded the address %v, want %s", record["client_address"], tt.client)
			}
			var dropped []string
			for _, name := range record["dropped_headers"].([]any) {
				dropped = append(dropped, name.(string))
			}
			if !slices.Equal(dropped, tt.dropped) {
				t.Errorf("recorded as dropped: %q, want %q", dropped, tt.dropped)
			}
		})
	}
}

// TestForwardingTrailers: in mode observe trailers pass, but none that says where the
// request came from.
func TestForwardingTrailers(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	upstream, trailers := startTrailerServer(t)
	g := harness.StartSite(t, workspace, fmt.Sprintf("databricks_scopes {\nworkspace %s\n%smode observe\n}\nreverse_proxy %s", workspace.URL(), harness.AdminBlock, upstream))
	token := harness.LegacyToken(workspace)
	for _, announced := range []string{"X-Sum", "X-Sum, X-Real-IP, X-Forwarded-For"} {
		c := g.Dial(t)
		c.Send(t, "POST /anything HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token, "Transfer-Encoding: chunked", "Trailer: "+announced)
		c.WriteText(t, "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Real-IP: forged\r\nX-Forwarded-For: forged\r\nForwarded: forged\r\n\r\n")
		if answer := c.Answer(t, "POST"); answer.StatusCode != http.StatusOK {
			t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
		}
		if arrived := <-trailers; len(arrived) != 1 || arrived.Get("X-Sum") != "1" {
			t.Errorf("announced %s: arrived %v", announced, arrived)
		}
	}
}
