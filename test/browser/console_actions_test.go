package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// arrived reports whether a tab shows another page. Between two pages no script can run.
func arrived(p *Page) bool {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	done, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`window.here === undefined && location.href !== "about:blank" && document.readyState === "complete"`))
	return err == nil && done
}

// TestConsoleActions narrows and revokes a token in a real browser, which signs in at the workspace:
// another site. The browser keeps to the page's security policy, cookies come back, and each page has
// no barriers.
func TestConsoleActions(t *testing.T) {
	const app = "11111111-2222-4333-8444-555555555555"
	b := Start(t, "ignore-certificate-errors")
	for _, test := range []struct {
		name, scheme, verb, done string
		steps                    []string // what to click
	}{
		{"narrow on loopback", "http", "narrow", "The token now has the scopes jobs.", []string{"main form button", "main a.button", "#continue", "main form button"}},
		{"revoke over TLS", "https", "revoke", "The token is revoked.", []string{"main form button", "main a.button", "#continue"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := harness.StartWorkspace(t, fakeworkspace.WithScopeCheck(harness.CatalogScopes))
			c := &console{Gateway: harness.NewGateway(t, w), http: harness.Client(t)}
			_, port, _ := strings.Cut(harness.FreeAddress(t), ":")
			c.Page = test.scheme + "://localhost:" + port
			secure := ""
			if test.scheme == "https" {
				certificate, key := fleettest.NewCertificates(t).Issue(t, "localhost")
				secure = fmt.Sprintf("tls %s %s\n", certificate, key)
			}
			w.AddApp(fakeworkspace.App{ClientID: app, Redirects: []string{c.Page + "/actions/callback"}})
			w.ShowSignIn()
			c.Load(t, harness.GatewayBlock(w, "mode observe")+fmt.Sprintf("\n}\n%s {\nbind 127.0.0.1\n%sdatabricks_console {\nactions {\nclient_id %s\n}\n}\n", c.Page, secure, app))
			token := w.Mint(fakeworkspace.TokenSpec{Owner: hostileText, Comment: hostileText + strings.Repeat("w", 300), Scopes: []string{"sql", "jobs", "clusters"}})
			c.call(t, token.Value, "GET "+harness.JobsList)
			path := "/tokens/" + token.Info.TokenId
			c.look(t, b, path+"/"+test.verb, true)

			p := b.Open(t, c.Page+path)
			for i, click := range append([]string{`main a[href$="/` + test.verb + `"]`}, test.steps...) {
				before := Eval[string](t, p, "window.here = document.title")
				Eval[bool](t, p, fmt.Sprintf("document.querySelector(%q).click(), true", click))
				harness.WaitFor(t, fmt.Sprintf("step %d, from %s", i, before), func() bool {
					return arrived(p)
				})
				if strings.HasPrefix(Eval[string](t, p, "location.href"), c.Page) {
					for _, barrier := range p.Barriers(t) {
						t.Errorf("step %d: %s", i, barrier)
					}
				}
				if forbidden := p.Forbidden(t); len(forbidden) > 0 {
					t.Errorf("step %d: the policy forbade %s", i, strings.Join(forbidden, "\n"))
				}
				p.Look(t, Look{Width: 360})
				if wide := Eval[[]string](t, p, tooWide); len(wide) > 0 {
					t.Errorf("step %d: on a phone, the page scrolls sideways because of %s", i, strings.Join(wide, "\n"))
				}
				if Eval[bool](t, p, "!!window.attacked") {
					t.Errorf("step %d: a text became markup", i)
				}
			}
			if body := Eval[string](t, p, "document.body.innerText"); !strings.Contains(body, test.done) || !strings.Contains(body, "admin (admin@example.com)") {
				t.Errorf("in the end:\n%s", body)
			}
			if info, has := w.Info(token.Info.TokenId); has != (test.verb == "narrow") || has && strings.Join(info.Scopes, " ") != "jobs" {
				t.Errorf("the token holds %v, %t", info.Scopes, has)
			}
		})
	}
}
