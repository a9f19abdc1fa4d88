package console

import (
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// desk is a gateway whose page changes tokens.
type desk struct {
	*harness.Gateway
	Page         string // its URL, without a slash at the end
	log          string // path of a log of everything
	certificates *fleettest.Certificates
	seen         []string // all that browsers were shown
}

const (
	appID     = "11111111-2222-4333-8444-555555555555"
	appSecret = "dose00112233445566778899aabbccddeeff"
)

// openDesk starts a gateway with the page on the loopback interface, with a public client; or, if
// secure, with TLS, a password and a confidential client.
func openDesk(t *testing.T, secure bool) *desk {
	t.Helper()
	workspace := harness.StartWorkspace(t, fakeworkspace.WithScopeCheck(harness.CatalogScopes))
	d := &desk{Gateway: harness.NewGateway(t, workspace), log: filepath.Join(t.TempDir(), "log")}
	_, port, _ := net.SplitHostPort(harness.FreeAddress(t))
	app := fakeworkspace.App{ClientID: appID}
	site, secret := "http://localhost:"+port+" {\nbind 127.0.0.1", ""
	d.Page = "http://localhost:" + port
	if secure {
		d.certificates = fleettest.NewCertificates(t)
		certificate, key := d.certificates.Issue(t, host)
		site = fmt.Sprintf("https://%s:%s {\ntls %s %s\n%s", host, port, certificate, key, basicAuth)
		d.Page, app.Secret, secret = "https://"+host+":"+port, appSecret, "client_secret {env.TEST_APP_SECRET}"
		t.Setenv("TEST_APP_SECRET", appSecret)
	}
	app.Redirects = []string{d.Page + "/actions/callback"}
	workspace.AddApp(app)
	d.Global = fmt.Sprintf("log everything {\noutput file %s\nlevel DEBUG\n}\n%s", d.log, harness.TapEvents("databricks_token_changed"))
	d.Load(t, harness.GatewayBlock(workspace, "mode observe")+fmt.Sprintf("\n}\n%s\ndatabricks_console {\nactions {\nclient_id %s\n%s\n}\n}", site, appID, secret))
	return d
}

// seenToken mints a token that may do everything, and calls one operation with it.
func (d *desk) seenToken(t *testing.T) fakeworkspace.Token {
	t.Helper()
	token := d.Mint("sql", "jobs", "clusters")
	if answer := d.Send(t, http.MethodGet, harness.JobsList, harness.Bearer(token.Value)); answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", answer.StatusCode, answer.Body)
	}
	return token
}

// person has a browser.
type person struct {
	*desk
	client *http.Client
	user   string
}

func (d *desk) person(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}}
	if d.certificates != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: d.certificates.Pool()}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &person{d, &http.Client{Transport: transport, Jar: jar, Timeout: harness.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, user}
}

// ask opens a page, or sends a form.
func (p *person) ask(t *testing.T, target string, form url.Values, header ...string) harness.Answer {
	t.Helper()
	method, body := http.MethodGet, ""
	header = append([]string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, header...)
	if form != nil {
		method, body = http.MethodPost, form.Encode()
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
		if !strings.Contains(strings.Join(header, " "), "Sec-Fetch-Site") {
			header = append(header, "Sec-Fetch-Site", "same-origin")
		}
	}
	r := harness.NewRequest(t, method, target, "", strings.NewReader(body), header...)
	if p.certificates != nil && strings.HasPrefix(target, p.Page) {
		r.SetBasicAuth(p.user, password)
	}
	answer := harness.Do(t, p.client, r)
	p.seen = append(p.seen, answer.Body)
	return answer
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="(plan|state)" value="([0-9a-f]{64})">`)
	proofField  = regexp.MustCompile(`<input type="hidden" name="proof" value="([0-9a-f]{64})">`)
	signInLink  = regexp.MustCompile(`href="(http[^"]*/oidc/v1/authorize[^"]*)"`)
)

// found returns what a page has.
func found(t *testing.T, page harness.Answer, what *regexp.Regexp) string {
	t.Helper()
	match := what.FindStringSubmatch(page.Body)
	if page.StatusCode != http.StatusOK || match == nil {
		t.Fatalf("%d without %s\n%s", page.StatusCode, what, page.Body)
	}
	return html.UnescapeString(match[len(match)-1])
}

// confirm confirms an action, and returns where to sign in.
func (p *person) confirm(t *testing.T, token, verb string) (signIn string) {
	t.Helper()
	path := p.Page + "/tokens/" + token + "/" + verb
	plan := found(t, p.ask(t, path, nil), hiddenField)
	return found(t, p.ask(t, path, url.Values{"plan": {plan}}), signInLink)
}

// signIn signs in, and returns where the workspace leads back to.
func (p *person) signIn(t *testing.T, link string) (back string) {
	t.Helper()
	answer := p.ask(t, link, nil)
	if answer.StatusCode != http.StatusFound || !strings.HasPrefix(answer.Header.Get("Location"), p.Page+"/actions/callback?") {
		t.Fatalf("%d %v %s", answer.StatusCode, answer.Header, answer.Body)
	}
	return answer.Header.Get("Location")
}

// comeBack follows the workspace back, and confirms once more where that is asked.
func (p *person) comeBack(t *testing.T, back string) harness.Answer {
	t.Helper()
	answer := p.ask(t, back, nil, "Sec-Fetch-Site", "cross-site")
	if p.certificates == nil && answer.StatusCode == http.StatusOK {
		return p.ask(t, p.Page+"/actions/callback", lastForm(t, answer))
	}
	return answer
}

// lastForm returns what the form of the last step sends.
func lastForm(t *testing.T, page harness.Answer) url.Values {
	t.Helper()
	return url.Values{"state": {found(t, page, hiddenField)}, "proof": {found(t, page, proofField)}}
}

// scopesOf returns what a token holds, and whether the workspace has it.
func (d *desk) scopesOf(token fakeworkspace.Token) (string, bool) {
	info, ok := d.Workspace.Info(token.Info.TokenId)
	return strings.Join(info.Scopes, " "), ok
}

// checkSecrets fails if a credential is in a page, a log or a file.
func (d *desk) checkSecrets(t *testing.T, codes ...string) {
	t.Helper()
	content, err := os.ReadFile(d.log)
	if err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(d.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(d.seen, string(content), string(record)) {
		for _, secret := range append(codes, "eyJ", appSecret, "access_token") {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in\n%s", secret, text)
			}
		}
	}
}
