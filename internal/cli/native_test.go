package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

var nativeIDs = []string{strings.Repeat("3f2a81c0", 8), strings.Repeat("77b0c2d5", 8), strings.Repeat("0", 64)}

// nativeGateway saw a service principal's token read jobs, and a user's write SQL. A third token
// has an owner without a name.
func nativeGateway(t *testing.T) adminapi.Do {
	t.Helper()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	state := usage.State{Since: at.AddDate(0, 0, -20)}
	var listed []usage.ListedToken
	for i, o := range []scopes.Operation{
		{Method: "GET", Template: "/api/2.2/jobs/list", AnyOf: []string{"jobs"}, Evidence: scopes.Documented, Name: "jobs.List"},
		{Method: "POST", Template: "/api/2.0/sql/statements", AnyOf: []string{"sql"}, Evidence: scopes.Documented, Name: "sql.Execute"},
		{Method: "POST", Template: "/api/2.0/sql/statements", AnyOf: []string{"sql"}, Evidence: scopes.Documented, Name: "sql.Execute"},
	} {
		use := usage.Use{Operation: o, Calls: 30, First: at.AddDate(0, 0, -10), Last: at}
		state.Tokens = append(state.Tokens, usage.Token{ID: nativeIDs[i], First: use.First, Last: at, ActiveDays: 8, Calls: 30, Uses: []usage.Use{use}})
		owner := []string{"9e107d9d-372b-4f86-8a2b-0c1d2e3f4a5b", "anna@example.com", ""}[i]
		listed = append(listed, usage.ListedToken{ID: nativeIDs[i], OwnerID: int64(40 + i), OwnerName: owner})
	}
	report := usage.NewReport(state, listed, at)
	recommendations := make(map[string]*usage.Recommendation)
	for _, token := range state.Tokens {
		one := usage.State{Since: state.Since, Tokens: []usage.Token{token}}
		r, err := one.Recommend(token.ID, usage.TokenFacts{}, 0, at)
		if err != nil {
			t.Fatal(err)
		}
		r.Workspace = "https://w.example.com"
		recommendations[token.ID] = &r
	}
	return func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
		parsed, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		if id := parsed.Query().Get("token_id"); id != "" {
			return answering(recommendations[id])(address, method, uri, header, body)
		}
		return answering(report)(address, method, uri, header, body)
	}
}

func TestNative(t *testing.T) {
	t.Parallel()
	gateway := nativeGateway(t)
	for _, test := range []struct {
		name string
		args []string
		says []string
		ok   bool
	}{
		{"JSON", nil, []string{`"mode": "dry_run"`, `"ingress_dry_run"`, `"scopes": [`, `"principal_id": 40`, "PRINCIPAL_TYPE_SERVICE_PRINCIPAL", "API_SCOPE_QUALIFIER_READ"}, true},
		{"two tokens", []string{"77b0c2d5"}, []string{`"scopegate-3f2a81c0-and-1"`, "PRINCIPAL_TYPE_USER", "/api/2.0/sql/statements"}, true},
		{"Terraform", []string{"--format", "terraform"}, []string{`resource "databricks_account_network_policy" "scopegate_3f2a81c0" {`, "ingress_dry_run = {"}, true},
		{"enforced", []string{"--enforce-native"}, []string{`"mode": "enforce"`, `"ingress": {`, "note: once it is attached to a workspace, this policy refuses everyone"}, true},
		{"others pass", []string{"--enforce-native", "--allow-others"}, []string{`"excluded_scopes"`, "everyone else passes"}, true},
		{"owner unknown", []string{"00000000"}, []string{"--owner-type user or --owner-type service-principal"}, false},
		{"owner stated", []string{"00000000", "--owner-type", "user"}, []string{`"principal_id": 42`}, true},
		{"a format", []string{"--format", "yaml"}, []string{`--format is json or terraform with --native, not "yaml"`}, false},
		{"an owner type", []string{"--owner-type", "group"}, []string{`--owner-type is user or service-principal, not "group"`}, false},
		{"the same token twice", []string{nativeIDs[0]}, []string{"are the same token; pass each one once"}, false},
		{"apply", []string{"--apply"}, []string{"[apply native]"}, false},
		{"json", []string{"--json"}, []string{"[json native]"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, gateway, "", append([]string{"recommend", "3f2a81c0", "--native"}, test.args...)...)
			if err != nil {
				out += err.Error()
			}
			if (err == nil) != test.ok {
				t.Errorf("error: %v", err)
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%s", part, out)
				}
			}
		})
	}
}

// TestNativeAlone: the flags of --native say that they go with it, and so do several tokens.
func TestNativeAlone(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"--format goes with --all, --where, --undo or --native; --json prints one token": {"--format", "json"},
		"--enforce-native goes with --native":                                            {"--enforce-native"},
		"--allow-others goes with --native":                                              {"--allow-others"},
		"--owner-type goes with --native":                                                {"--owner-type", "user"},
		"pass the id of one token, not 2":                                                {"77b0c2d5"},
	} {
		if _, err := run(t, unreachable, "", append([]string{"recommend", "3f2a81c0"}, args...)...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestNativeIsWhatTheSDKTakes: programs read the requests as the SDK does.
func TestNativeIsWhatTheSDKTakes(t *testing.T) {
	t.Parallel()
	out, err := run(t, nativeGateway(t), "", "recommend", "3f2a81c0", "77b0c2d5", "--native")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Policy struct {
			Body settings.AccountNetworkPolicy `json:"body"`
		} `json:"network_policy"`
		Tokens []struct {
			Change struct {
				Body settings.UpdateTokenManagementRequest `json:"body"`
			} `json:"change"`
		} `json:"tokens"`
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if rules := document.Policy.Body.IngressDryRun.PublicAccess.AllowRules; len(rules) != 2 || rules[1].Authentication.Identities[0].PrincipalId != 41 {
		t.Errorf("rules: %+v", rules)
	}
	if got := document.Tokens[1].Change.Body.Token.Scopes; strings.Join(got, " ") != "sql" {
		t.Errorf("it sets %v", got)
	}
}
