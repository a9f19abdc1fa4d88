package decision

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// startCaddy runs the site of the shipped Caddyfile, after a change, and beside it the decision
// service that it asks.
func startCaddy(t *testing.T, change func(string) string) *proxied {
	t.Helper()
	w := harness.StartWorkspace(t, fakeworkspace.WithSloppyPaths())
	_, site, _ := strings.Cut(shipped(t, "caddy/Caddyfile"), "\n}\n")
	g := harness.NewGateway(t, w)
	address := harness.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	site = substitute(t, site, "http://:8080", "http://:"+port, "http://127.0.0.1:9080", g.URL, "https://<name>.cloud.databricks.com", w.URL())
	if change != nil {
		site = change(site)
	}
	g.Load(t, decisionBlock(w)+"\n}\n"+strings.TrimSuffix(strings.TrimSpace(site), "}"))
	return startProxied(t, g, address, nil)
}

// TestCaddy: no attack gets through a Caddy that asks.
func TestCaddy(t *testing.T) { startCaddy(t, nil).attack(t) }

// TestCaddyAnswers: what clients see of a Caddy that asks.
func TestCaddyAnswers(t *testing.T) {
	p := startCaddy(t, nil)
	for _, test := range []struct {
		name, method, path, token string
		status                    int
		reason                    string
	}{
		{"permitted", "GET", files, "{files}", 404, ""}, // the workspace has no such file
		{"out of scope", "GET", jobs, "{files}", 403, "missing_scope"},
		{"no token", "GET", files, "", 401, "missing_credential"},
		{"malformed", "GET", "/a/../b", "{files}", 400, "malformed_path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := harness.NewRequest(t, test.method, "http://"+p.address+test.path, p.fill.Replace(test.token), nil)
			a := harness.Do(t, harness.Client(t), r)
			if a.StatusCode != test.status || a.Header.Get("X-Scopegate-Reason") != test.reason {
				t.Errorf("answered %d %v %s", a.StatusCode, a.Header, a.Body)
			}
			if test.reason != "" && (!strings.HasPrefix(a.Body, `{"error_code":`) || a.Header.Get("X-Request-Id") == "") {
				t.Errorf("refused with %v %s", a.Header, a.Body)
			}
			if test.status == 401 && len(a.Header.Values("Www-Authenticate")) == 0 && a.Header.Get("X-Databricks-Reason-Phrase") == "" {
				t.Errorf("refused with %v", a.Header)
			}
		})
	}
}

// TestCaddyWithoutList: a Caddy that removes nothing lets no conflicting header through: what
// should have been removed is refused. Only what describes requests is its own.
func TestCaddyWithoutList(t *testing.T) {
	p := startCaddy(t, func(site string) string {
		var kept []string
		for line := range strings.Lines(site) {
			if !strings.HasPrefix(strings.TrimSpace(line), "request_header") {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	})
	for _, name := range []string{"Cookie", "X-HTTP-Method-Override", "X-Original-URL", "X~HTTP~Method", "X-Api-Key"} {
		t.Run(name, func(t *testing.T) {
			answers := p.exchange(t, attacks.Request("GET", files, "files", name+": x"), 1)
			if len(answers) != 1 || answers[0].Header.Get("X-Scopegate-Reason") != attacks.Ambiguous || len(p.Workspace.Requests()) > p.seen {
				t.Errorf("answered %v", answers)
			}
		})
	}
}

// TestCaddyDown: without the decision service nothing passes.
func TestCaddyDown(t *testing.T) {
	dead := "http://" + harness.FreeAddress(t)
	var asked string
	p := startCaddy(t, func(site string) string {
		begin := strings.Index(site, "forward_auth ") + len("forward_auth ")
		asked, _, _ = strings.Cut(site[begin:], " ")
		return strings.Replace(site, "forward_auth "+asked, "forward_auth "+dead, 1)
	})
	answers := p.exchange(t, attacks.Request("GET", files, "files"), 1)
	if len(answers) != 1 || answers[0].StatusCode != http.StatusBadGateway || len(harness.Arrivals(p.Workspace)) > 0 {
		t.Errorf("answered %v", answers)
	}
}
