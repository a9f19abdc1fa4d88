package discovery

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestRedirects: redirects that name the workspace lead to the gateway; others are left as
// they are.
func TestRedirects(t *testing.T) {
	h, a := scripted(t, "/api/2.2/jobs/list", "/oidc/v1/authorize")
	token := harness.LegacyToken(h.Workspace)
	for _, mode := range []string{"rewrite", "pass"} {
		t.Run(mode, func(t *testing.T) {
			g := h.gateway(t, "discovery "+mode)
			for _, tt := range []struct{ name, path, header, value, want string }{
				{"private link", harness.JobsList, "Location", "http://ws.example.test/login.html?error=private-link-validation-error:123", "@/login.html?error=private-link-validation-error:123"},
				{"over TLS", harness.JobsList, "Location", "https://ws.example.test/x?a=%2F#b", "@/x?a=%2F#b"},
				{"without a scheme", harness.JobsList, "Location", "//WS.example.test:80/x", "@/x"},
				{"relative", harness.JobsList, "Location", "/login.html", ""},
				{"another host", harness.JobsList, "Location", "https://accounts.cloud.databricks.com/login", ""},
				{"presigned", harness.JobsList, "Location", "https://bucket.s3.amazonaws.com/a?X-Amz-Signature=b&u=http://ws.example.test/", ""},
				{"a host that begins alike", harness.JobsList, "Location", "http://ws.example.test.evil.com/", ""},
				{"a user name", harness.JobsList, "Location", "http://ws.example.test@evil.com/", ""},
				{"another port", harness.JobsList, "Location", "http://ws.example.test:8443/", ""},
				{"content", harness.JobsList, "Content-Location", "http://ws.example.test/a", "@/a"},
				{"the workspace's log-in page", "/oidc/v1/authorize", "Location", "http://ws.example.test/login.html?next_url=%2Foidc", ""},
				{"its path alone", "/oidc/v1/authorize", "Location", "/login.html?next_url=%2Foidc", "http://ws.example.test/login.html?next_url=%2Foidc"},
				{"another OAuth endpoint", "/oidc/v1/authorize", "Location", "http://ws.example.test/oidc/v1/consent", "@/oidc/v1/consent"},
				{"Entra ID", "/oidc/v1/authorize", "Location", "https://login.microsoftonline.com/t/oauth2/authorize?redirect_uri=http://ws.example.test/", ""},
				{"back to a client", "/oidc/v1/authorize", "Location", "http://localhost:8020/?code=a&iss=http%3A%2F%2Fws.example.test%2Foidc", "http://localhost:8020/?code=a&iss=@escaped%2Foidc"},
				{"the same from an API", harness.JobsList, "Location", "http://localhost:8020/?iss=http%3A%2F%2Fws.example.test%2Foidc", ""},
				{"MCP", harness.JobsList, "Www-Authenticate", `Bearer realm="DatabricksRealm", resource_metadata="http://ws.example.test/.well-known/oauth-protected-resource/api/2.0/mcp"`, `Bearer realm="DatabricksRealm", resource_metadata="@/.well-known/oauth-protected-resource/api/2.0/mcp"`},
				{"cookies", harness.JobsList, "Set-Cookie", "a=b; Domain=ws.example.test", ""},
				{"links", harness.JobsList, "Link", "<http://ws.example.test/a>; rel=next", ""},
			} {
				t.Run(tt.name, func(t *testing.T) {
					for _, status := range []int{201, 302, 308, 401} {
						a.set(func(rw http.ResponseWriter, _ *http.Request) {
							rw.Header()[tt.header] = []string{tt.value}
							rw.WriteHeader(status)
						})
						got := g.Send(t, "GET", tt.path, harness.Bearer(token))
						want := strings.NewReplacer("@escaped", strings.NewReplacer(":", "%3A", "/", "%2F").Replace(g.URL), "@", g.URL).Replace(tt.want)
						if tt.want == "" || mode == "pass" {
							want = tt.value
						}
						if value := got.Header.Get(tt.header); got.StatusCode != status || value != want {
							t.Errorf("%d %s: %q, want %q", got.StatusCode, tt.header, value, want)
						}
					}
				})
			}
		})
	}
}

// TestAddressOfTheClient: the address is what the client, or a proxy that is trusted, says,
// and nothing is rewritten where that is no address.
func TestAddressOfTheClient(t *testing.T) {
	h, a := scripted(t, "GET "+harness.WellKnown)
	a.set(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Location", plainAddress+"/oidc/x")
		_, _ = rw.Write([]byte(`{"a":"` + plainAddress + `/x"}`))
	})
	trusting := func(g *harness.Gateway) {
		g.Global = "servers :" + g.Listen[strings.LastIndexByte(g.Listen, ':')+1:] + " {\nprotocols h1 h2c\ntrusted_proxies static 127.0.0.0/8\n}"
	}
	anyHost := func(g *harness.Gateway) {
		led := g.Change
		g.Change = func(config []byte) []byte { // as http://:8080
			return led(replaced(t, config, `"match":[{"host":["127.0.0.1"]}],`, ""))
		}
	}
	for _, tt := range []struct {
		name    string
		trusted bool
		header  []string
		want    string
	}{
		{"the host that it named", false, []string{"Host", "Gateway.example.com:8080"}, "http://Gateway.example.com:8080"},
		{"an address", false, []string{"Host", "[::1]:8080"}, "http://[::1]:8080"},
		{"a name with an underscore", false, []string{"Host", "scope_gate:8080"}, "http://scope_gate:8080"},
		{"forwarding headers of nobody", false, []string{"Host", "gateway", "X-Forwarded-Host", "evil.com", "X-Forwarded-Proto", "https"}, "http://gateway"},
		{"of a trusted proxy", true, []string{"Host", "gateway", "X-Forwarded-Host", "front.example.com", "X-Forwarded-Proto", "https"}, "https://front.example.com"},
		{"half of it", true, []string{"Host", "gateway", "X-Forwarded-Proto", "https"}, "https://gateway"},
		{"several hosts", true, []string{"Host", "gateway", "X-Forwarded-Host", "a.example.com, b.example.com"}, plainAddress},
		{"a host that is none", true, []string{"Host", "gateway", "X-Forwarded-Host", "evil.com/x?"}, plainAddress},
		{"a user name", true, []string{"Host", "gateway", "X-Forwarded-Host", "a@evil.com"}, plainAddress},
		{"quotes", true, []string{"Host", "gateway", "X-Forwarded-Host", `a","b":"c`}, plainAddress},
		{"another scheme", true, []string{"Host", "gateway", "X-Forwarded-Proto", "javascript"}, plainAddress},
		{"the workspace's own name", false, []string{"Host", "ws.example.test"}, plainAddress},
		{"odd characters", false, []string{"Host", "gate!way"}, plainAddress},
		{"a port that is none", false, []string{"Host", "gateway:x"}, plainAddress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := []func(*harness.Gateway){anyHost}
			if tt.trusted {
				change = append(change, trusting)
			}
			g := h.gateway(t, "", change...)
			got := g.Send(t, "GET", harness.WellKnown, func(r *http.Request) {
				for i := 0; i < len(tt.header); i += 2 {
					if r.Header.Set(tt.header[i], tt.header[i+1]); tt.header[i] == "Host" {
						r.Host = tt.header[i+1]
					}
				}
			})
			if want := `{"a":"` + tt.want + `/x"}`; got.Body != want || got.Header.Get("Location") != tt.want+"/oidc/x" {
				t.Errorf("%d, location %q, body %q, want %q", got.StatusCode, got.Header.Get("Location"), got.Body, want)
			}
		})
	}
	t.Run("HTTP/1.0, without a host", func(t *testing.T) {
		g := h.gateway(t, "", anyHost)
		c := g.Dial(t)
		c.Send(t, "GET "+harness.WellKnown+" HTTP/1.0")
		if got := c.Answer(t, "GET"); got.Body != `{"a":"`+plainAddress+`/x"}` {
			t.Errorf("%d %q", got.StatusCode, got.Body)
		}
	})
	t.Run("HTTP/1.0", func(t *testing.T) {
		g := h.gateway(t, "", anyHost)
		c := g.Dial(t)
		c.Send(t, "GET "+harness.WellKnown+" HTTP/1.0", "Host: gateway")
		if got := c.Answer(t, "GET"); got.Body != `{"a":"http://gateway/x"}` || got.ContentLength != int64(len(got.Body)) {
			t.Errorf("%d %q", got.StatusCode, got.Body)
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		g := h.gateway(t, "")
		got := harness.Do(t, harness.ClientH2C(t), harness.NewRequest(t, "GET", g.URL+harness.WellKnown, "", nil))
		if got.Body != `{"a":"`+g.URL+`/x"}` {
			t.Errorf("%d %q", got.StatusCode, got.Body)
		}
	})
	t.Run("without forwarding headers", func(t *testing.T) {
		g := h.site(t, "databricks_scopes {\nworkspace "+h.address+"\nusage off\n"+harness.AdminBlock+"}\n"+
			"reverse_proxy "+h.address+" {\nheader_up Host ws.example.test\nheader_up -X-Forwarded-Host\nheader_up -X-Forwarded-Proto\ntransport databricks\n}")
		if got := g.Send(t, "GET", harness.WellKnown, nil); got.Body != `{"a":"`+g.URL+`/x"}` {
			t.Errorf("%d %q", got.StatusCode, got.Body)
		}
	})
}
