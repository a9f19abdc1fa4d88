package native

import (
	"encoding/json"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/settings"
)

// TestEvaluate evaluates policies as an administrator may write them.
func TestEvaluate(t *testing.T) {
	t.Parallel()
	const (
		everyone = `{"label": "e", "destination": {"all_destinations": true}}`
		jobs     = `{"label": "j", "destination": {"workspace_api": {"scopes": ["jobs"]}}}`
		jobsRead = `{"label": "r", "destination": {"workspace_api": {"scopes": ["jobs"], "scope_qualifier": "API_SCOPE_QUALIFIER_READ"}}}`
		allAPIs  = `{"label": "a", "destination": {"workspace_api": {"scopes": ["all-apis"]}}}`
		notJobs  = `{"label": "n", "destination": {"workspace_api": {"excluded_scopes": ["jobs"]}}}`
		ui       = `{"label": "u", "destination": {"workspace_ui": {"all_destinations": true}}}`
		users    = `{"label": "p", "authentication": {"identity_type": "IDENTITY_TYPE_ALL_USERS"}, "destination": {"all_destinations": true}}`
		services = `{"label": "s", "authentication": {"identity_type": "IDENTITY_TYPE_ALL_SERVICE_PRINCIPALS"}, "destination": {"all_destinations": true}}`
		ofEtl    = `{"label": "o", "authentication": {"identity_type": "IDENTITY_TYPE_SELECTED_IDENTITIES", "identities": [{"principal_id": 42, "principal_type": "PRINCIPAL_TYPE_SERVICE_PRINCIPAL"}]}, "destination": {"all_destinations": true}}`
		office   = `{"label": "i", "origin": {"included_ip_ranges": {"ip_ranges": ["192.0.2.0/24"]}}, "destination": {"all_destinations": true}}`
	)
	for _, test := range []struct {
		name, deny, allow string
		who               Principal
		operation         string
		want              bool
	}{
		{"no rule", "", "", etl, "GET /a jobs", false},
		{"everyone", "", everyone, etl, "POST /a jobs", true},
		{"the scope", "", jobs, etl, "POST /a jobs", true},
		{"another scope", "", jobs, etl, "GET /a sql", false},
		{"one of two scopes", "", jobs, etl, "GET /a jobs sql", true},
		{"two together", "", jobs, etl, "GET /a jobs+sql", false},
		{"two in doubt", "", jobs, etl, "GET /a doubtful jobs sql", false},
		{"a read", "", jobsRead, etl, "HEAD /a jobs", true},
		{"a write", "", jobsRead, etl, "POST /a jobs", false},
		{"all methods", "", jobsRead, etl, "* /a jobs", false},
		{"all-apis", "", allAPIs, etl, "DELETE /a jobs", true},
		{"unmapped", "", jobs, etl, "GET /u unmapped", false},
		{"unmapped, all-apis", "", allAPIs, etl, "GET /u unmapped", true},
		{"any scope", "", jobs, etl, "GET /me any", true},
		{"any scope, by the user interface", "", ui, etl, "GET /me any", false},
		{"the user interface", "", ui, etl, "GET /a jobs", false},
		{"denied", jobs, everyone, etl, "GET /a jobs", false},
		{"denied to write", notJobs, everyone, etl, "POST /a jobs", true},
		{"denied but for others", notJobs, everyone, etl, "GET /a sql", false},
		{"denied but for others, unmapped", notJobs, everyone, etl, "GET /u unmapped", false},
		{"denied, in doubt", notJobs, everyone, etl, "GET /a doubtful jobs sql", false},
		{"users", "", users, anna, "GET /a jobs", true},
		{"users, and no service principal", "", users, etl, "GET /a jobs", false},
		{"service principals", "", services, etl, "GET /a jobs", true},
		{"a principal", "", ofEtl, etl, "GET /a jobs", true},
		{"another principal", "", ofEtl, anna, "GET /a jobs", false},
		{"the same id of another kind", "", ofEtl, Principal{ID: 42, Type: User}, "GET /a jobs", false},
		{"addresses", "", office, etl, "GET /a jobs", false},
		{"denied addresses", office, everyone, etl, "GET /a jobs", false},
		{"account-level", "", everyone, etl, "GET /a account", false},
		{"public", "", "", etl, "GET /a public", true},
	} {
		var policy settings.CustomerFacingIngressNetworkPolicy
		text := `{"public_access": {"restriction_mode": "RESTRICTED_ACCESS", "deny_rules": [` + test.deny + `], "allow_rules": [` + test.allow + `]}}`
		if err := decodeStrictly([]byte(text), &policy); err != nil {
			t.Fatal(err)
		}
		o := op(test.operation)
		if got, rules, _ := Evaluate(&policy, test.who, &o); got != test.want {
			t.Errorf("%s: permitted is %v by %v", test.name, got, rules)
		}
	}
	o := op("GET /a jobs")
	var full settings.CustomerFacingIngressNetworkPolicy
	if err := json.Unmarshal([]byte(`{"public_access": {"restriction_mode": "FULL_ACCESS"}}`), &full); err != nil {
		t.Fatal(err)
	}
	for _, policy := range []*settings.CustomerFacingIngressNetworkPolicy{nil, {}, &full} {
		if permitted, _, _ := Evaluate(policy, etl, &o); !permitted {
			t.Error("what restricts nothing refuses")
		}
	}
}
