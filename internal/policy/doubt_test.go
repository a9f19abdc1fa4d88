package policy

import (
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// TestDoubtfulRow: where it is not known which scope an operation needs, a token needs one
// of them, since the workspace judges it again, and a policy must list all of them.
func TestDoubtfulRow(t *testing.T) {
	t.Parallel()
	catalog, err := scopes.New([]scopes.Operation{
		{Method: "GET", Template: "/doubt", AnyOf: []string{"access-management", "sql"}, Evidence: scopes.Inferred, Name: "x.Doubt", Source: "s"},
		{Method: "GET", Template: "/either", AnyOf: []string{"jobs", "sql"}, Evidence: scopes.Observed, Name: "x.Either", Source: "s"},
		{Method: "GET", Template: "/both", AnyOf: []string{"ai-gateway+sql"}, Evidence: scopes.Observed, Name: "x.Both", Source: "s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path    string
		held, ceiling []string
		want          Reason
		says          string
	}{
		{"doubtful, no policy", "/doubt", []string{"sql"}, nil, Permitted, ""},
		{"doubtful, one of its scopes", "/doubt", []string{"sql"}, []string{"sql"}, PolicyDenied, "permits only sql; this operation may need access-management as well"},
		{"doubtful, all of its scopes", "/doubt", []string{"sql"}, []string{"access-management", "sql"}, Permitted, ""},
		{"doubtful, all-apis", "/doubt", []string{"sql"}, []string{"all-apis"}, Permitted, ""},
		{"doubtful, none of its scopes", "/doubt", []string{"sql"}, []string{"jobs"}, PolicyDenied, "permits only jobs"},
		{"doubtful, a token that lacks all", "/doubt", []string{"jobs"}, nil, MissingScope, ""},
		{"known, one of its scopes", "/either", []string{"sql"}, []string{"sql"}, Permitted, ""},
		{"known, the other of its scopes", "/either", []string{"sql"}, []string{"jobs"}, Permitted, ""},
		{"together, one held", "/both", []string{"sql"}, nil, MissingScope, ""},
		{"together, both held", "/both", []string{"sql", "ai-gateway"}, nil, Permitted, ""},
		{"together, a policy with one", "/both", []string{"all-apis"}, []string{"sql"}, PolicyDenied, "permits only sql"},
		{"together, a policy with both", "/both", []string{"all-apis"}, []string{"sql", "ai-gateway"}, Permitted, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			readings, err := catalog.Read("GET", test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			info := goodToken()
			info.Scopes = test.held
			var rules Rules
			if test.ceiling != nil {
				rules.Policies = []Policy{{Name: "p", Ceiling: test.ceiling}}
			}
			got := Decide(Subject{Info: info, Owner: info.Owner}, Request{Method: "GET", Readings: readings}, rules, noon)
			if got.Reason != test.want || got.Requirement != test.says {
				t.Errorf("got %s, %q", got.Reason, got.Requirement)
			}
		})
	}
	p := Policy{Name: "p", Ceiling: []string{"access-management"}}
	if p.PermitsAny(catalog.Operations()) {
		t.Error("a policy with one scope of a doubtful operation permits something")
	}
}
