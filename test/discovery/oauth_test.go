package discovery

import (
	"context"
	"crypto/tls"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/credentials/u2m"
	"github.com/databricks/databricks-sdk-go/httpclient"
	"github.com/databricks/databricks-sdk-go/service/iam"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// entrance is where the clients of a test find the gateway.
type entrance struct {
	url   string
	trust *tls.Config
}

func (e entrance) address() string {
	_, address, _ := strings.Cut(e.url, "://")
	return address
}

// entrances are the ways to the gateway that OAuth must work through.
var entrances = []struct {
	name, workspace string
	open            func(*testing.T, *hidden, string) entrance
}{
	{"http", plainAddress, overHTTP},
	{"http, to a workspace over TLS", secureAddress, overHTTP},
	{"tls internal", plainAddress, overTLS},
	{"tls internal, to a workspace over TLS", secureAddress, overTLS},
}

func overHTTP(t *testing.T, h *hidden, options string) entrance {
	return entrance{url: h.gateway(t, options).URL}
}

func overTLS(t *testing.T, h *hidden, options string) entrance {
	url, trust := h.secureGateway(t, options)
	return entrance{url, trust}
}

// sdkClient returns the SDK's client, which signs in as a service principal by itself.
func sdkClient(t *testing.T, e entrance, network http.RoundTripper, w *hidden) (*databricks.WorkspaceClient, error) {
	t.Helper()
	id, secret := w.AdminClient()
	return databricks.NewWorkspaceClient(&databricks.Config{
		Host: e.url, ClientID: id, ClientSecret: secret, AuthType: "oauth-m2m", HTTPTransport: network, RetryTimeoutSeconds: 1,
		ConfigFile: filepath.Join(t.TempDir(), "none"), Loaders: []config.Loader{config.ConfigFile},
	})
}

// TestM2M: a service principal signs in and calls the API by the SDK, which can reach
// nothing but the gateway.
func TestM2M(t *testing.T) {
	for _, tt := range entrances {
		t.Run(tt.name, func(t *testing.T) {
			h := startHidden(t, tt.workspace)
			e := tt.open(t, h, "oauth verify")
			network := enclose(t, e.trust, e.address())
			client, err := sdkClient(t, e, network, h)
			if err != nil {
				t.Fatal(err)
			}
			me, err := client.CurrentUser.Me(t.Context(), iam.MeRequest{})
			if id, _ := h.AdminClient(); err != nil || me.UserName != id {
				t.Errorf("me: %+v, %v", me, err)
			}
			if tried := network.tried(); len(tried) > 0 {
				t.Errorf("the client tried %q", tried)
			}
			// What the workspace compares must have stayed.
			if got := client.Config.TokenAudience; got != tt.workspace+"/oidc/v1/token" {
				t.Errorf("audience %q", got)
			}
			if got := client.Config.DiscoveryURL; got != e.url+"/oidc/.well-known/oauth-authorization-server" {
				t.Errorf("discovery URL %q", got)
			}
		})
	}
}

// TestU2M: a user logs in with a browser by the SDK, which renews the token later. Neither
// reaches anything but the gateway and, for the browser, the SDK's own callback.
func TestU2M(t *testing.T) {
	for _, tt := range entrances {
		t.Run(tt.name, func(t *testing.T) {
			h := startHidden(t, tt.workspace)
			e := tt.open(t, h, "oauth verify")
			login := newLogin(t, e)
			if err := login.Challenge(); err != nil {
				t.Fatal(err, login.browser.tried())
			}
			if err := <-login.browsed; err != nil {
				t.Fatalf("the browser: %v", err)
			}
			first, err := login.Token()
			if err != nil {
				t.Fatal(err)
			}
			renewed, err := login.ForceRefreshToken()
			if err != nil || renewed.AccessToken == first.AccessToken {
				t.Fatalf("renewed: %v", err)
			}
			for _, token := range []string{first.AccessToken, renewed.AccessToken} {
				r := harness.NewRequest(t, "GET", e.url+harness.Me, token, nil)
				answer := harness.Do(t, &http.Client{Transport: login.network}, r)
				if answer.StatusCode != http.StatusOK || !strings.Contains(answer.Body, "admin@example.com") {
					t.Errorf("%d %s", answer.StatusCode, answer.Body)
				}
			}
			if tried := slices.Concat(login.network.tried(), login.browser.tried()); len(tried) > 0 {
				t.Errorf("tried %q", tried)
			}
			if login.issuer != e.url+"/oidc" {
				t.Errorf("the browser came back from %q", login.issuer)
			}
		})
	}
}

// login is a log-in by the SDK, with the network of the SDK and that of the browser.
type login struct {
	*u2m.PersistentAuth
	network, browser *fence
	browsed          chan error // has a value once the browser is done
	issuer           string     // that the redirect to the SDK named
}

func newLogin(t *testing.T, e entrance) *login {
	t.Helper()
	argument, err := u2m.NewBasicWorkspaceOAuthArgument(e.url)
	if err != nil {
		t.Fatal(err)
	}
	callback := harness.FreeAddress(t)
	port, err := strconv.Atoi(callback[strings.LastIndexByte(callback, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	l := &login{network: enclose(t, e.trust, e.address()), browser: enclose(t, e.trust, e.address(), "localhost:"+strconv.Itoa(port))}
	api := httpclient.NewApiClient(httpclient.ClientConfig{Transport: l.network})
	l.browsed = make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	l.PersistentAuth, err = u2m.NewPersistentAuth(ctx,
		u2m.WithOAuthArgument(argument), u2m.WithPort(port), u2m.WithHttpClient(&http.Client{Transport: l.network}),
		u2m.WithOAuthEndpointSupplier(&u2m.BasicOAuthEndpointSupplier{Client: api}),
		u2m.WithBrowser(func(url string) error {
			go func() { // the SDK waits for the callback after this
				err := l.browse(url)
				if l.browsed <- err; err != nil {
					cancel()
				}
			}()
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// browse opens a page as a browser does, following redirects.
func (l *login) browse(url string) error {
	client := &http.Client{Transport: l.browser, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if issuer := r.URL.Query().Get("iss"); issuer != "" {
			l.issuer = issuer
		}
		return nil
	}}
	answer, err := client.Get(url) //nolint:noctx // as a browser
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// TestPass: with the option off, documents name the workspace, where clients then go.
func TestPass(t *testing.T) {
	h := startHidden(t, secureAddress)
	e := overHTTP(t, h, "oauth verify\ndiscovery pass")
	network := enclose(t, e.trust, e.address())
	client, err := sdkClient(t, e, network, h)
	if err == nil {
		_, err = client.CurrentUser.Me(t.Context(), iam.MeRequest{})
	}
	if err == nil || !slices.Contains(network.tried(), "ws.example.test:443") {
		t.Errorf("the client tried %q: %v", network.tried(), err)
	}
	answer := harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", e.url+harness.WellKnown, "", nil))
	if !strings.Contains(answer.Body, `"oidc_endpoint":"https://ws.example.test/oidc"`) {
		t.Error(answer.Body)
	}
}

// TestOwnProxy: the transport does it too where the proxy is the operator's own.
func TestOwnProxy(t *testing.T) {
	h := startHidden(t, plainAddress)
	for _, tt := range []struct{ name, transport, want string }{
		{"default", "", ""},
		{"rewrite", "{\ndiscovery rewrite\ndial_timeout 5s\n}", ""},
		{"pass", "{\ndial_timeout 5s\ndiscovery pass\n}", plainAddress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := h.site(t, "databricks_scopes {\nworkspace "+h.address+"\nusage off\n"+harness.AdminBlock+"}\n"+
				"reverse_proxy "+h.address+" {\nheader_up Host ws.example.test\ntransport databricks "+tt.transport+"\n}")
			want := tt.want
			if want == "" {
				want = g.URL
			}
			if got := g.Send(t, "GET", harness.WellKnown, nil).Body; !strings.Contains(got, `"oidc_endpoint":"`+want+`/oidc"`) {
				t.Error(got)
			}
		})
	}
}

// TestPATsStayAway: a personal access token reaches no OAuth endpoint and no discovery
// document, in any form, in any mode; credentials of OAuth do.
func TestPATsStayAway(t *testing.T) {
	h := startHidden(t, plainAddress)
	pat := h.Mint(fakeworkspace.TokenSpec{}).Value
	id, secret := h.AdminClient()
	basic := func(user, password string) string {
		r := http.Request{Header: make(http.Header)}
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for _, mode := range []string{"enforce", "observe"} {
		t.Run(mode, func(t *testing.T) {
			g := h.gateway(t, "mode "+mode)
			for _, tt := range []struct {
				name, method, path, authorization string
				kept                              bool
			}{
				{"bearer", "GET", harness.WellKnown, "Bearer " + pat, false},
				{"bearer", "GET", "/oidc/.well-known/oauth-authorization-server", "Bearer " + pat, false},
				{"bearer", "POST", "/oidc/v1/token", "Bearer " + pat, false},
				{"lower case", "GET", "/oidc/v1/authorize", "bearer " + pat, false},
				{"space", "GET", "/oidc/v1/authorize", "Bearer   " + pat, false},
				{"no scheme", "GET", "/oidc/v1/authorize", pat, false},
				{"another scheme", "GET", "/oidc/v1/authorize", "Token " + pat, false},
				{"basic", "POST", "/oidc/v1/token", basic("token", pat), false},
				{"basic, another user", "POST", "/oidc/v1/token", basic("me@example.com", pat), false},
				{"basic, as the user", "POST", "/oidc/v1/token", basic(pat, ""), false},
				{"another spelling", "GET", "/oidc/v1/%61uthorize", "Bearer " + pat, false},
				{"behind a tab", "GET", "/oidc/v1/authorize", "Bearer\t" + pat, false},
				{"in quotation marks", "GET", "/oidc/v1/authorize", "Bearer \u201c" + pat + "\u201d", false},
				{"base64 as bearer", "GET", "/oidc/v1/authorize", "Bearer" + strings.TrimPrefix(basic("token", pat), "Basic"), false},
				{"no such document", "GET", "/.well-known/foo", "Bearer " + pat, false},
				{"keys", "GET", "/.well-known/jwks.json", "Bearer " + pat, false},
				{"capitals", "GET", "/.Well-Known/DATABRICKS-config", "Bearer " + pat, false},
				{"another method", "POST", harness.WellKnown, "Bearer " + pat, false},
				{"the prefix", "GET", "/oidc", "Bearer " + pat, false},
				{"the prefix", "POST", "/oidc/", "Bearer " + pat, false},
				{"capitals", "POST", "/OIDC/v1/token", "Bearer " + pat, false},
				{"client secret", "POST", "/oidc/v1/token", basic(id, secret), true},
				{"OAuth token", "GET", "/oidc/v1/userinfo", "Bearer " + h.SignJWT(nil), true},
				{"anything else", "GET", "/oidc/v1/userinfo", "Bearer dose1234", true},
			} {
				t.Run(tt.name, func(t *testing.T) {
					before := len(g.ReadRecords(t))
					h.Reset()
					g.Send(t, tt.method, tt.path, func(r *http.Request) {
						r.Header.Set("Authorization", tt.authorization)
						r.Header.Set("X-Databricks-Token", pat)
						r.Header.Set("Api-Key", "x")
					})
					arrived := sent(t, h.Workspace, tt.path)
					if got := arrived.Header.Get("Authorization"); (got == tt.authorization) != tt.kept || !tt.kept && got != "" {
						t.Errorf("arrived with a credential: %t", got != "")
					}
					if arrived.Header.Get("X-Databricks-Token") != "" || arrived.Header.Get("Api-Key") != "x" {
						t.Error("the token arrived in another header, or another key did not")
					}
					record := g.Records(t, before+1)[before]
					listed, _ := record["dropped_headers"].([]any)
					if slices.Contains(listed, any("Authorization")) == tt.kept || record["decision"] == "deny" {
						t.Errorf("record: %v %v", record["decision"], listed)
					}
				})
			}
			if mode == "observe" {
				for _, odd := range []string{"//oidc/./v1/authorize", "/%6Fidc/v1/authorize", "/oidc/v1/authorize?access_token=x"} {
					h.Reset()
					g.Send(t, "GET", odd, harness.Bearer(pat)) // refused otherwise
					path, _, _ := strings.Cut(odd, "?")
					if got := sent(t, h.Workspace, path); got.TokenID != "" {
						t.Errorf("a token arrived at %s", odd)
					}
				}
			}
			if mode == "enforce" {
				for _, path := range []string{"/oidc/v1/authorize", "/.well-known/foo"} {
					g.Send(t, "GET", path+"?x="+pat, nil).Refused(t, 400, "ambiguous_request")
				}
			}
			// Where a token is needed, it arrives.
			h.Reset()
			g.Send(t, "GET", harness.Me, harness.Bearer(pat))
			if got := sent(t, h.Workspace, harness.Me).Header.Get("Authorization"); got != "Bearer "+pat {
				t.Error("the token did not arrive where it is needed")
			}
		})
	}
}

// sent returns the only request that arrived at a path.
func sent(t testing.TB, w *fakeworkspace.Workspace, path string) fakeworkspace.Request {
	t.Helper()
	var found []fakeworkspace.Request
	for _, r := range w.Requests() {
		if r.Path == path {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d requests arrived at %s", len(found), path)
	}
	return found[0]
}

// TestPATClient: a client with a personal access token reads the documents, and sends the
// token to the API only.
func TestPATClient(t *testing.T) {
	h := startHidden(t, secureAddress)
	e := overHTTP(t, h, "")
	network := enclose(t, nil, e.address())
	h.Reset()
	client, err := databricks.NewWorkspaceClient(&databricks.Config{
		Host: e.url, Token: h.Mint(fakeworkspace.TokenSpec{}).Value, AuthType: "pat", HTTPTransport: network,
		ConfigFile: filepath.Join(t.TempDir(), "none"), Loaders: []config.Loader{config.ConfigFile},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CurrentUser.Me(t.Context(), iam.MeRequest{}); err != nil {
		t.Error(err)
	}
	if tried := network.tried(); len(tried) > 0 {
		t.Errorf("the client tried %q", tried)
	}
	discovered := 0
	for _, r := range h.Requests() {
		if !strings.HasPrefix(r.Believed, "/oidc/") && !strings.HasPrefix(r.Believed, "/.well-known/") {
			continue
		}
		discovered++
		if r.TokenID != "" {
			t.Errorf("a token arrived at %s", r.Believed)
		}
	}
	if discovered == 0 {
		t.Error("the client did not read the documents")
	}
}
