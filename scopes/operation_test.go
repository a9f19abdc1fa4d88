package scopes

import (
	"slices"
	"testing"
)

func TestOperationPermits(t *testing.T) {
	t.Parallel()
	scoped := &Operation{AnyOf: []string{"model-serving", "model-serving-inference"}}
	for _, test := range []struct {
		name string
		op   *Operation
		held []string
		want bool
	}{
		{"the first of two", scoped, []string{"model-serving"}, true},
		{"the second of two", scoped, []string{"sql", "model-serving-inference"}, true},
		{"another scope", scoped, []string{"sql"}, false},
		{"a prefix of the scope", scoped, []string{"model"}, false},
		{"the scope in capitals", scoped, []string{"Model-Serving"}, false},
		{"a dotted name of the service", scoped, []string{"serving.serving-endpoints"}, false},
		{"all-apis", scoped, []string{AllAPIs}, true},
		{"no scope", scoped, nil, false},
		{"an empty name", scoped, []string{""}, false},
		{"unmapped, some scope", unmapped, []string{"sql"}, false},
		{"unmapped, all-apis", unmapped, []string{AllAPIs}, true},
		{"any scope, one held", &Operation{Access: AnyScope}, []string{"sql"}, true},
		{"any scope, none held", &Operation{Access: AnyScope}, nil, false},
		{"public, none held", &Operation{Access: Public}, nil, true},
		{"account-level, all-apis", &Operation{Access: AccountOnly}, []string{AllAPIs}, false},
		{"account-level, its scope", &Operation{Access: AccountOnly, AnyOf: []string{"scim"}}, []string{"scim"}, false},
		{"the zero operation", &Operation{}, []string{"sql"}, false},
		{"an unknown access", &Operation{Access: 99, AnyOf: []string{"sql"}}, []string{"jobs"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.op.Permits(test.held); got != test.want {
				t.Fatalf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestKnownScopes(t *testing.T) {
	t.Parallel()
	known := KnownScopes()
	if !slices.IsSorted(known) || len(slices.Compact(slices.Clone(known))) != len(known) {
		t.Error("the known scopes are not sorted, or not unique")
	}
	for _, s := range known {
		if !IsScope(s) {
			t.Errorf("%q is not a valid scope", s)
		}
	}
	known[0] = "changed"
	if KnownScopes()[0] == "changed" {
		t.Error("the list is shared")
	}
}
