package judge

import (
	"slices"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// TestExplainNeeds: explain says what a token needs, and what a policy must list.
func TestExplainNeeds(t *testing.T) {
	t.Parallel()
	catalog, err := scopes.New([]scopes.Operation{
		{Method: "GET", Template: "/doubt", AnyOf: []string{"jobs", "sql"}, Evidence: scopes.Inferred, Name: "x.Doubt", Source: "s"},
		{Method: "GET", Template: "/both", AnyOf: []string{"ai-gateway+unity-catalog"}, Evidence: scopes.Observed, Name: "x.Both", Source: "s"},
		{Method: "GET", Template: "/either", AnyOf: []string{"files+sql", "jobs"}, Evidence: scopes.Observed, Name: "x.Either", Source: "s"},
		{Method: "GET", Template: "/optional", AnyOf: []string{scopes.AllAPIs}, Optional: true, Evidence: scopes.Inferred, Name: "x.Optional", Source: "s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path         string
		held, ceiling      []string
		reason             policy.Reason
		change             string
		anyOf, underPolicy []string
		optional           bool
	}{
		{"doubtful", "/doubt", []string{"files"}, nil, policy.MissingScope, "add one of the scopes jobs, sql", []string{"jobs", "sql"}, []string{"jobs+sql"}, false},
		{"doubtful under a policy", "/doubt", []string{"sql"}, []string{"sql"}, policy.PolicyDenied, "change policy p, which permits only sql; this operation may need jobs as well", []string{"jobs", "sql"}, []string{"jobs+sql"}, false},
		{"together", "/both", []string{"files"}, nil, policy.MissingScope, "add the scopes ai-gateway and unity-catalog", []string{"ai-gateway+unity-catalog"}, nil, false},
		{"together, one held", "/both", []string{"ai-gateway"}, nil, policy.MissingScope, "add the scope unity-catalog", []string{"ai-gateway+unity-catalog"}, nil, false},
		{"one, or two together", "/either", []string{"sql"}, nil, policy.MissingScope, "add one of the scopes files and sql, jobs", []string{"files+sql", "jobs"}, nil, false},
		{"optional", "/optional", []string{"sql"}, nil, policy.MissingScope, "nothing: clients go on without it", []string{"all-apis"}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			j := &Judge{Catalog: catalog, Now: time.Now}
			if test.ceiling != nil {
				j.Rules.Policies = []policy.Policy{{Name: "p", Ceiling: test.ceiling}}
			}
			got, err := j.Explain("GET", test.path, policy.Subject{Info: &tokens.Info{Scopes: test.held, Expires: tokens.NeverExpires}})
			if err != nil {
				t.Fatal(err)
			}
			if got.Reason != test.reason || got.Change != test.change || !slices.Equal(got.AnyOf, test.anyOf) || !slices.Equal(got.UnderPolicy, test.underPolicy) || got.Optional != test.optional {
				t.Errorf("got %+v", got)
			}
		})
	}
}
