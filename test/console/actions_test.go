package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestNarrow narrows a token on the loopback interface: confirm, sign in, confirm once more.
func TestNarrow(t *testing.T) {
	d := openDesk(t, false)
	token := d.seenToken(t)
	p, id := d.person(t), token.Info.TokenId
	if body := p.ask(t, p.Page+"/tokens/"+id, nil).Body; !strings.Contains(body, "/tokens/"+id+"/narrow") || !strings.Contains(body, "/tokens/"+id+"/revoke") {
		t.Errorf("no buttons in\n%s", body)
	}
	link := p.confirm(t, id, "narrow")
	asked, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	q := asked.Query()
	if q.Get("scope") != "authentication" || q.Get("client_id") != appID || q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != p.Page+"/actions/callback" {
		t.Errorf("asks for %v", q)
	}
	back := p.signIn(t, link)
	done := p.comeBack(t, back)
	for _, has := range []string{"The token now has the scopes jobs.", "admin (admin@example.com)", "This gateway applies it now.", "update-token-management " + id, "clusters", "Scopes after"} {
		if !strings.Contains(done.Body, has) {
			t.Errorf("%d, it lacks %q\n%s", done.StatusCode, has, done.Body)
		}
	}
	if strings.Contains(done.Body, "Acknowledged by") {
		t.Errorf("there are edges:\n%s", done.Body)
	}
	if got, _ := d.scopesOf(token); got != "jobs" {
		t.Errorf("it holds %s", got)
	}
	event := harness.NextEvent(t).Data
	for name, want := range map[string]string{"workspace": d.Workspace.URL(), "token_id": id, "by": "admin (admin@example.com)", "action": "narrow", "former": "sql jobs clusters", "scopes": "jobs"} {
		if event[name] != want {
			t.Errorf("event: %s is %v, want %s", name, event[name], want)
		}
	}
	// What the gateway enforces and shows is new at once.
	if body := p.ask(t, p.Page+"/tokens/"+id, nil).Body; !strings.Contains(body, "<dt>Holds</dt><dd>jobs</dd>") || strings.Contains(body, "/narrow") {
		t.Errorf("the page is old:\n%s", body)
	}
	// As the person, with an access token, and not with the gateway's credential.
	requests := d.Workspace.Requests()
	i := slices.IndexFunc(requests, func(r fakeworkspace.Request) bool { return r.Method == http.MethodPatch })
	if i < 0 || requests[i].UserName != "admin@example.com" {
		t.Error("the gateway's credential changed the token")
	}
	access := strings.TrimPrefix(requests[i].Header.Get("Authorization"), "Bearer ")
	d.checkSecrets(t, codeOf(t, back), token.Value, access)
}

func codeOf(t *testing.T, back string) string {
	t.Helper()
	u, err := url.Parse(back)
	if err != nil || u.Query().Get("code") == "" {
		t.Fatalf("%s: %v", back, err)
	}
	return u.Query().Get("code")
}

// TestRevoke revokes a token over TLS, with a confidential client.
func TestRevoke(t *testing.T) {
	d := openDesk(t, true)
	token := d.seenToken(t)
	p, id := d.person(t), token.Info.TokenId
	link := p.confirm(t, id, "revoke")
	var cookies []string
	page, _ := url.Parse(p.Page)
	for _, cookie := range p.client.Jar.Cookies(page) {
		cookies = append(cookies, cookie.Name)
	}
	if len(cookies) != 1 || !strings.HasPrefix(cookies[0], "__Host-scopegate-action-") {
		t.Errorf("cookies: %q", cookies)
	}
	back := p.signIn(t, link)
	done := p.comeBack(t, back)
	if done.StatusCode != http.StatusOK || !strings.Contains(done.Body, "The token is revoked.") || !strings.Contains(done.Body, "It cannot be undone") {
		t.Errorf("%d\n%s", done.StatusCode, done.Body)
	}
	if _, has := d.scopesOf(token); has {
		t.Error("the workspace still has the token")
	}
	if refused := d.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(token.Value)); refused.StatusCode != http.StatusForbidden {
		t.Errorf("it passes: %d", refused.StatusCode)
	}
	if event := harness.NextEvent(t).Data; event["action"] != "revoke" || event["former"] != "sql jobs clusters" || event["scopes"] != "" {
		t.Errorf("event: %v", event)
	}
	if left := p.client.Jar.Cookies(page); len(left) > 0 {
		t.Errorf("a cookie is left: %v", left)
	}
	if again := p.ask(t, back, nil, "Sec-Fetch-Site", "cross-site"); again.StatusCode != http.StatusBadRequest || !strings.Contains(again.Body, "it was used already") {
		t.Errorf("again: %d\n%s", again.StatusCode, again.Body)
	}
	d.checkSecrets(t, codeOf(t, back), token.Value)
}

// TestActionMisuse: what must change nothing.
func TestActionMisuse(t *testing.T) {
	d := openDesk(t, false)
	token := d.seenToken(t)
	id := token.Info.TokenId
	path := d.Page + "/tokens/" + id + "/revoke"
	for _, test := range []struct {
		name   string
		do     func(*testing.T, *person) harness.Answer
		status int
		has    string
	}{
		{"another browser", func(t *testing.T, p *person) harness.Answer {
			return d.person(t).ask(t, p.signIn(t, p.confirm(t, id, "revoke")), nil, "Sec-Fetch-Site", "cross-site")
		}, 400, "began in another browser"},
		{"another browser burns the state", func(t *testing.T, p *person) harness.Answer {
			back := p.signIn(t, p.confirm(t, id, "revoke"))
			d.person(t).ask(t, back, nil, "Sec-Fetch-Site", "cross-site")
			return p.ask(t, back, nil, "Sec-Fetch-Site", "cross-site")
		}, 400, "it was used already"},
		{"signed in, and not confirmed once more", func(t *testing.T, p *person) harness.Answer {
			return p.ask(t, p.signIn(t, p.confirm(t, id, "revoke")), nil, "Sec-Fetch-Site", "cross-site")
		}, 200, "This is the last step"},
		{"the last step by another site", func(t *testing.T, p *person) harness.Answer {
			page := p.ask(t, p.signIn(t, p.confirm(t, id, "revoke")), nil, "Sec-Fetch-Site", "cross-site")
			return p.ask(t, p.Page+"/actions/callback", lastForm(t, page), "Sec-Fetch-Site", "same-site")
		}, 403, "another site"},
		{"the last step by who knows the cookie and not the page", func(t *testing.T, p *person) harness.Answer {
			page := p.ask(t, p.signIn(t, p.confirm(t, id, "revoke")), nil, "Sec-Fetch-Site", "cross-site")
			return p.ask(t, p.Page+"/actions/callback", url.Values{"state": {found(t, page, hiddenField)}})
		}, 400, "Nothing was changed"},
		{"the last step without the sign-in", func(t *testing.T, p *person) harness.Answer {
			link, _ := url.Parse(p.confirm(t, id, "revoke"))
			return p.ask(t, p.Page+"/actions/callback", url.Values{"state": {link.Query().Get("state")}})
		}, 400, "Nothing was changed"},
		{"a made-up code", func(t *testing.T, p *person) harness.Answer {
			link, _ := url.Parse(p.confirm(t, id, "revoke"))
			return p.comeBack(t, p.Page+"/actions/callback?code=made-up&state="+link.Query().Get("state"))
		}, 502, "invalid_grant"},
		{"no state", func(t *testing.T, p *person) harness.Answer { return p.ask(t, p.Page+"/actions/callback?code=x", nil) }, 400, "nothing waits for this sign-in"},
		{"a form of another site", func(t *testing.T, p *person) harness.Answer {
			return p.ask(t, path, url.Values{"plan": {found(t, p.ask(t, path, nil), hiddenField)}}, "Sec-Fetch-Site", "cross-site")
		}, 403, "another site"},
		{"a form of no browser", func(t *testing.T, p *person) harness.Answer {
			return p.ask(t, path, url.Values{}, "Sec-Fetch-Site", "none")
		}, 403, "only pages of this site"},
		{"a plan that was not shown", func(t *testing.T, p *person) harness.Answer { return p.ask(t, path, url.Values{"plan": {"x"}}) }, 409, "changed since the page was shown"},
		{"an unknown action", func(t *testing.T, p *person) harness.Answer {
			return p.ask(t, p.Page+"/tokens/"+id+"/widen", nil)
		}, 404, "no such page"},
		{"declined", func(t *testing.T, p *person) harness.Answer {
			d.Workspace.SignInAs("")
			defer d.Workspace.SignInAs("admin@example.com")
			return p.comeBack(t, p.signIn(t, p.confirm(t, id, "revoke")))
		}, 403, "you declined"},
		{"no admin", func(t *testing.T, p *person) harness.Answer {
			d.Workspace.AddUser("analyst@example.com", false)
			d.Workspace.SignInAs("analyst@example.com")
			defer d.Workspace.SignInAs("admin@example.com")
			return p.comeBack(t, p.signIn(t, p.confirm(t, id, "revoke")))
		}, 403, "refused to let analyst (analyst@example.com) manage tokens"},
		{"the workspace is down for discovery", func(t *testing.T, p *person) harness.Answer {
			plan := found(t, p.ask(t, path, nil), hiddenField)
			defer d.Workspace.Faults().Set("/oidc/.well-known/", fakeworkspace.Unavailable("")).Remove()
			return p.ask(t, path, url.Values{"plan": {plan}})
		}, 503, "could not be asked (server_error); nothing was changed"},
		{"it leads elsewhere to sign in", func(t *testing.T, p *person) harness.Answer {
			plan := found(t, p.ask(t, path, nil), hiddenField)
			elsewhere := `{"authorization_endpoint":"https://evil.example/oidc/v1/authorize","token_endpoint":"` + d.Workspace.URL() + `/oidc/v1/token"}`
			defer d.Workspace.Faults().Set("/oidc/.well-known/", fakeworkspace.Respond(200, "application/json", elsewhere)).Remove()
			return p.ask(t, path, url.Values{"plan": {plan}})
		}, 502, "names another host"},
		{"it is down for the code", func(t *testing.T, p *person) harness.Answer {
			back := p.signIn(t, p.confirm(t, id, "revoke"))
			defer d.Workspace.Faults().Set("/oidc/v1/token", fakeworkspace.Reset()).Remove()
			return p.comeBack(t, back)
		}, 503, "could not be asked"},
		{"it does not say who signed in", func(t *testing.T, p *person) harness.Answer {
			back := p.signIn(t, p.confirm(t, id, "revoke"))
			defer d.Workspace.Faults().Set("/api/2.0/preview/scim/", fakeworkspace.InternalError()).Remove()
			return p.comeBack(t, back)
		}, 503, "nothing was changed"},
		{"it fails before the change", func(t *testing.T, p *person) harness.Answer {
			back := p.signIn(t, p.confirm(t, id, "revoke"))
			defer d.Workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.InternalError()).Remove()
			return p.comeBack(t, back)
		}, 503, "nothing was changed"},
		{"it fails in the change", func(t *testing.T, p *person) harness.Answer {
			back := p.signIn(t, p.confirm(t, id, "revoke"))
			defer d.Workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.InternalError(), fakeworkspace.OnMethod(http.MethodDelete)).Remove()
			return p.comeBack(t, back)
		}, 502, "it is not known whether the token was changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := test.do(t, d.person(t))
			if answer.StatusCode != test.status || !strings.Contains(answer.Body, test.has) {
				t.Errorf("%d, want %d and %q\n%s", answer.StatusCode, test.status, test.has, answer.Body)
			}
			if got, has := d.scopesOf(token); !has || got != "sql jobs clusters" {
				t.Errorf("the token holds %q, %t", got, has)
			}
		})
	}
	d.checkSecrets(t, token.Value)
}

// TestTokenChanged: a token is left alone if it is not as the person saw it, and the gateway
// forgets what it believed.
func TestTokenChanged(t *testing.T) {
	for _, verb := range []string{"narrow", "revoke"} {
		t.Run(verb, func(t *testing.T) {
			d := openDesk(t, false)
			token := d.seenToken(t)
			p, id := d.person(t), token.Info.TokenId
			back := p.signIn(t, p.confirm(t, id, verb))
			d.Workspace.SetScopes(id, "jobs", "files")
			answer := p.comeBack(t, back)
			if answer.StatusCode != http.StatusConflict || !strings.Contains(answer.Body, "were changed since the page was shown") {
				t.Errorf("%d\n%s", answer.StatusCode, answer.Body)
			}
			if got, has := d.scopesOf(token); !has || got != "jobs files" {
				t.Errorf("the token holds %q, %t", got, has)
			}
			if body := p.ask(t, p.Page+"/tokens/"+id, nil).Body; !strings.Contains(body, "<dt>Holds</dt><dd>files, jobs</dd>") && !strings.Contains(body, "<dt>Holds</dt><dd>jobs, files</dd>") {
				t.Errorf("the page is old:\n%s", body)
			}
			back = p.signIn(t, p.confirm(t, id, "revoke"))
			d.Workspace.Revoke(id)
			if answer := p.comeBack(t, back); answer.StatusCode != http.StatusOK || !strings.Contains(answer.Body, "it was revoked before") {
				t.Errorf("revoked meanwhile: %d\n%s", answer.StatusCode, answer.Body)
			}
		})
	}
}

// TestActionUser: another user of the page cannot finish what one began.
func TestActionUser(t *testing.T) {
	d := openDesk(t, true)
	token := d.seenToken(t)
	p := d.person(t)
	back := p.signIn(t, p.confirm(t, token.Info.TokenId, "revoke"))
	p.user = "other"
	answer := p.ask(t, back, nil, "Sec-Fetch-Site", "cross-site")
	if _, has := d.scopesOf(token); !has || answer.StatusCode != http.StatusBadRequest || !strings.Contains(answer.Body, "as another user") {
		t.Errorf("%d\n%s", answer.StatusCode, answer.Body)
	}
}

// TestNoActions: without the option there is nothing of it.
func TestNoActions(t *testing.T) {
	g, console, _ := beside(t)
	token := g.Mint("sql", "jobs")
	g.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(token.Value))
	page := console + "/tokens/" + token.Info.TokenId
	if body := read(t, page); strings.Contains(body, "/narrow") || strings.Contains(body, "/revoke\"") || strings.Contains(body, "Change it") {
		t.Errorf("there are buttons:\n%s", body)
	}
	for _, path := range []string{page + "/narrow", page + "/revoke", console + "/actions/callback?state=x&code=y"} {
		answer := harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, path, "", nil))
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}
