package tokens

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func startWorkspace(t *testing.T, options ...fakeworkspace.Option) *fakeworkspace.Workspace {
	t.Helper()
	workspace := fakeworkspace.New(options...)
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	return workspace
}

func given(value string) func() (string, error) { return func() (string, error) { return value, nil } }

// m2m returns the kind of credential that the documentation recommends. It has the
// workspace generate its signing key now, which may take longer than a timeout under
// test.
func m2m(workspace *fakeworkspace.Workspace) Admin {
	workspace.SigningKey()
	id, secret := workspace.AdminClient()
	return Admin{ClientID: id, ClientSecret: given(secret)}
}

func startService(t *testing.T, workspace string, admin Admin, timeout time.Duration) Service {
	t.Helper()
	d := NewService(workspace, admin, timeout)
	t.Cleanup(d.Close)
	return d
}

func TestServiceLookup(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "etl@example.com", Comment: "nightly", Scopes: []string{"jobs", "sql"}, Lifetime: time.Hour,
	})
	for _, test := range []struct {
		name  string
		admin Admin
	}{
		{"service principal", m2m(workspace)},
		{"personal access token", Admin{Token: given(workspace.AdminToken())}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := startService(t, workspace.URL(), test.admin, 5*time.Second)
			answer, err := d.Lookup(t.Context(), Query{ID: IDOf(token.Value)})
			if err != nil {
				t.Fatal(err)
			}
			want := &Info{
				ID:          IDOf(token.Value),
				Comment:     "nightly",
				Owner:       NewPrincipal(token.Info.OwnerId, "etl@example.com"),
				Creator:     NewPrincipal(token.Info.CreatedById, "etl@example.com"),
				WorkspaceID: workspace.WorkspaceID(),
				Created:     time.UnixMilli(token.Info.CreationTime),
				Expires:     ExpiresAt(time.UnixMilli(token.Info.ExpiryTime)),
				Scopes:      []string{"jobs", "sql"},
			}
			if diff := cmp.Diff(want, answer.Info); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if _, err := d.Lookup(t.Context(), Query{ID: IDOf("dapi00000000000000000000000000000000")}); !errors.Is(err, ErrUnknownToken) {
				t.Errorf("an unknown token: %v", err)
			}
		})
	}
}

func TestInfoExpiry(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	d := startService(t, workspace.URL(), m2m(workspace), 5*time.Second)
	now := time.Now()
	for _, test := range []struct {
		name    string
		spec    fakeworkspace.TokenSpec
		expired bool
		never   bool
	}{
		{"in an hour", fakeworkspace.TokenSpec{Lifetime: time.Hour}, false, false},
		{"an hour ago", fakeworkspace.TokenSpec{ExpiryTime: now.Add(-time.Hour)}, true, false},
		{"never", fakeworkspace.TokenSpec{}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := d.Lookup(t.Context(), Query{ID: IDOf(workspace.Mint(test.spec).Value)})
			if err != nil {
				t.Fatal(err)
			}
			info := answer.Info
			if info.Expired(now) != test.expired || info.Expires.Never() != test.never {
				t.Errorf("expired %t, never expires %t", info.Expired(now), info.Expires.Never())
			}
		})
	}
}

const managementAPI = "/api/2.0/token-management/"

// faults are failures of the Token Management API and of the sign-in, each with the
// outage that it is.
var faults = []struct {
	name   string
	prefix string
	fault  fakeworkspace.Kind
	want   Outage
	retry  time.Duration
}{
	{"429 with seconds", managementAPI, fakeworkspace.TooManyRequests("7"), Throttled, 7 * time.Second},
	{"429 without Retry-After", managementAPI, fakeworkspace.TooManyRequests(""), Throttled, 0},
	{"429 with an absurd wait", managementAPI, fakeworkspace.TooManyRequests("99999999"), Throttled, maxRetryAfter},
	{"429 with nonsense", managementAPI, fakeworkspace.TooManyRequests("soon"), Throttled, 0},
	{"500", managementAPI, fakeworkspace.InternalError(), ServerError, 0},
	{"502", managementAPI, fakeworkspace.BadGateway(), ServerError, 0},
	{"503", managementAPI, fakeworkspace.Unavailable("3"), ServerError, 3 * time.Second},
	{"hang", managementAPI, fakeworkspace.Hang(), TimedOut, 0},
	{"reset", managementAPI, fakeworkspace.Reset(), Unreachable, 0},
	{"cut body", managementAPI, fakeworkspace.CutBody(), Unreachable, 0},
	{"garbage JSON", managementAPI, fakeworkspace.GarbageJSON(), BadAnswer, 0},
	{"truncated JSON", managementAPI, fakeworkspace.TruncatedJSON(), BadAnswer, 0},
	{"JSON of another shape", managementAPI, fakeworkspace.WrongShape(), UnusableAnswer, 0},
	{"a login page", managementAPI, fakeworkspace.HTML(), BadAnswer, 0},
	{"a redirect", managementAPI, fakeworkspace.Respond(302, "text/html", "elsewhere"), BadAnswer, 0},
	{"another token's facts", managementAPI, fakeworkspace.OtherToken(strings.Repeat("ab", 32)), UnusableAnswer, 0},
	{"tokens disabled", managementAPI, fakeworkspace.TokensDisabled(), Disabled, 0},
	{"not an admin", managementAPI, fakeworkspace.NotAdmin(), Rejected, 0},
	{"credential refused with 401", managementAPI, fakeworkspace.RejectAdmin(401), Rejected, 0},
	{"credential refused with 403", managementAPI, fakeworkspace.RejectAdmin(403), Rejected, 0},
	{"no such API", managementAPI, fakeworkspace.Refuse(404, "ENDPOINT_NOT_FOUND", "No API found"), BadAnswer, 0},
	{"sign-in 500", "/oidc/v1/token", fakeworkspace.InternalError(), ServerError, 0},
	{"sign-in hangs", "/oidc/v1/token", fakeworkspace.Hang(), TimedOut, 0},
	{"sign-in throttled", "/oidc/v1/token", fakeworkspace.TooManyRequests("4"), Throttled, 4 * time.Second},
	{"discovery finds a web page", "/oidc/.well-known/", fakeworkspace.HTML(), BadAnswer, 0},
	{"discovery finds nothing", "/oidc/.well-known/", fakeworkspace.Refuse(404, "ENDPOINT_NOT_FOUND", "No API found"), BadAnswer, 0},
	{"discovery fails", "/oidc/.well-known/", fakeworkspace.Unavailable(""), ServerError, 0},
}

// withFault runs a test against a new workspace. One that waits for a timeout runs in
// memory, where that takes no time and a busy machine cannot run into it.
func withFault(t *testing.T, want Outage, run func(*testing.T, *fakeworkspace.Workspace, Service)) {
	t.Helper()
	if want == TimedOut {
		synctest.Test(t, func(t *testing.T) {
			workspace, service := startInMemory(t, "http://127.0.0.1:1", quick.Timeout)
			run(t, workspace, service)
		})
		return
	}
	workspace := startWorkspace(t)
	run(t, workspace, startService(t, workspace.URL(), m2m(workspace), 30*time.Second))
}

func TestServiceOutages(t *testing.T) {
	t.Parallel()
	for _, test := range faults {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			withFault(t, test.want, func(t *testing.T, workspace *fakeworkspace.Workspace, service Service) {
				token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
				workspace.Faults().Set(test.prefix, test.fault)

				_, err := service.Lookup(t.Context(), Query{ID: IDOf(token.Value)})
				var outage *UnavailableError
				if !errors.As(err, &outage) {
					t.Fatalf("got %v, want an outage", err)
				}
				if outage.Outage != test.want || outage.RetryAfter != test.retry {
					t.Errorf("got %s, retry after %s; want %s, %s (%v)", outage.Outage, outage.RetryAfter, test.want, test.retry, err)
				}
				if strings.Contains(err.Error(), token.Value) {
					t.Error("the error holds the token")
				}

				workspace.Faults().Clear()
				if _, err := service.Lookup(t.Context(), Query{ID: IDOf(token.Value)}); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		})
	}
}

func TestServiceMakesOneRequest(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	d := startService(t, workspace.URL(), m2m(workspace), 5*time.Second)
	fault := workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.Unavailable("1"))
	if _, err := d.Lookup(t.Context(), Query{ID: IDOf(somePAT)}); err == nil {
		t.Fatal("no error")
	}
	if got := fault.Hits(); got != 1 {
		t.Errorf("%d requests for one look-up: the SDK retried", got)
	}
}

func TestServiceWrongCredential(t *testing.T) {
	workspace := startWorkspace(t)
	id, _ := workspace.AdminClient()
	plain := workspace.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com"})
	for _, test := range []struct {
		name  string
		admin Admin
		want  Outage
	}{
		{"wrong secret", Admin{ClientID: id, ClientSecret: given("dose-wrong")}, Rejected},
		{"unknown token", Admin{Token: given("dapi00000000000000000000000000000000")}, Rejected},
		{"token of a non-admin", Admin{Token: given(plain.Value)}, Rejected},
		{"secret cannot be read", Admin{ClientID: id, ClientSecret: func() (string, error) { return "", errors.New("no such file") }}, NotConfigured},
		{"no credential at all", Admin{}, NotConfigured},
		{"profile that does not exist", Admin{Profile: "nowhere"}, NotConfigured},
	} {
		t.Run(test.name, func(t *testing.T) {
			isolate(t, "")
			d := startService(t, workspace.URL(), test.admin, 5*time.Second)
			_, err := d.Lookup(t.Context(), Query{ID: IDOf(somePAT)})
			var outage *UnavailableError
			if !errors.As(err, &outage) || outage.Outage != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if strings.Contains(err.Error(), "dose-wrong") || strings.Contains(err.Error(), plain.Value) {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

// TestServiceMeetsGateway: DATABRICKS_HOST of clients is the gateway's, and is easily taken for
// the workspace's.
func TestServiceMeetsGateway(t *testing.T) {
	t.Parallel()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Scopegate-Reason", "unknown_token")
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(gateway.Close)
	d := startService(t, gateway.URL, Admin{Token: given(somePAT)}, 5*time.Second)
	_, err := d.Lookup(t.Context(), Query{ID: IDOf(somePAT)})
	var outage *UnavailableError
	if !errors.As(err, &outage) || outage.Outage != Rejected || outage.Problem() != errGateway.Error() {
		t.Errorf("got %v", err)
	}
}

func TestServiceRecovers(t *testing.T) {
	t.Parallel()
	t.Run("from a secret that was wrong", func(t *testing.T) {
		workspace := startWorkspace(t)
		id, right := workspace.AdminClient()
		secret := "dose-wrong"
		admin := Admin{ClientID: id, ClientSecret: func() (string, error) { return secret, nil }}
		d := startService(t, workspace.URL(), admin, 5*time.Second)
		token := workspace.Mint(fakeworkspace.TokenSpec{})
		if _, err := d.Lookup(t.Context(), Query{ID: IDOf(token.Value)}); err == nil {
			t.Fatal("a wrong secret was accepted")
		}
		secret = right
		if _, err := d.Lookup(t.Context(), Query{ID: IDOf(token.Value)}); err != nil {
			t.Errorf("after the secret was fixed: %v", err)
		}
	})
	t.Run("from a workspace that is down", func(t *testing.T) {
		d := startService(t, "http://127.0.0.1:1", Admin{Token: given(somePAT)}, 5*time.Second)
		_, err := d.Lookup(t.Context(), Query{ID: IDOf(somePAT)})
		var outage *UnavailableError
		if !errors.As(err, &outage) || outage.Outage != Unreachable {
			t.Errorf("got %v, want %s", err, Unreachable)
		}
	})
}

// isolate removes Databricks variables from a test's environment, and gives it a home
// directory with a configuration file.
func isolate(t *testing.T, configFile string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "DATABRICKS_") {
			t.Setenv(name, "")
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	if configFile != "" {
		if err := os.WriteFile(filepath.Join(home, ".databrickscfg"), []byte(configFile), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnifiedAuthentication(t *testing.T) {
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{})
	id, secret := workspace.AdminClient()
	for _, test := range []struct {
		name   string
		file   string
		env    map[string]string
		admin  Admin
		outage Outage
	}{
		{name: "service principal in the environment", env: map[string]string{"DATABRICKS_CLIENT_ID": id, "DATABRICKS_CLIENT_SECRET": secret}},
		{name: "token in the environment", env: map[string]string{"DATABRICKS_TOKEN": workspace.AdminToken()}},
		{
			name: "both: the service principal, as the token is most likely the application's",
			env:  map[string]string{"DATABRICKS_CLIENT_ID": id, "DATABRICKS_CLIENT_SECRET": secret, "DATABRICKS_TOKEN": token.Value},
		},
		{name: "default profile of this workspace", file: "[DEFAULT]\nhost = " + workspace.URL() + "\ntoken = " + workspace.AdminToken() + "\n"},
		{name: "default profile of another workspace", file: "[DEFAULT]\nhost = https://other.example.com\ntoken = " + workspace.AdminToken() + "\n", outage: NotConfigured},
		{name: "named profile", admin: Admin{Profile: "admin"}, file: "[admin]\nhost = " + workspace.URL() + "\nclient_id = " + id + "\nclient_secret = " + secret + "\n"},
		{name: "named profile of another workspace", admin: Admin{Profile: "admin"}, file: "[admin]\nhost = https://other.example.com\ntoken = " + workspace.AdminToken() + "\n", outage: NotConfigured},
		{
			name: "the environment is not mixed with a named profile", admin: Admin{Profile: "admin"},
			file: "[admin]\nhost = " + workspace.URL() + "\ntoken = " + workspace.AdminToken() + "\n",
			env:  map[string]string{"DATABRICKS_CLIENT_ID": "other", "DATABRICKS_CLIENT_SECRET": "other"},
		},
		{
			name: "the environment is not mixed with a given service principal", admin: m2m(workspace),
			env: map[string]string{"DATABRICKS_TOKEN": token.Value, "DATABRICKS_AUTH_TYPE": "pat"},
		},
		{name: "DATABRICKS_HOST is the gateway itself", env: map[string]string{"DATABRICKS_HOST": "http://127.0.0.1:1", "DATABRICKS_TOKEN": workspace.AdminToken()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			isolate(t, test.file)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			d := startService(t, workspace.URL(), test.admin, 5*time.Second)
			_, err := d.Lookup(t.Context(), Query{ID: IDOf(token.Value)})
			var outage *UnavailableError
			switch {
			case test.outage == "" && err != nil:
				t.Error(err)
			case test.outage != "" && (!errors.As(err, &outage) || outage.Outage != test.outage):
				t.Errorf("got %v, want %s", err, test.outage)
			}
		})
	}
}
