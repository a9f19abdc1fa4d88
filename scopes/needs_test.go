package scopes

import (
	"slices"
	"testing"
)

func TestNarrow(t *testing.T) {
	t.Parallel()
	scoped := func(s ...string) *Operation { return &Operation{AnyOf: s} }
	public, anyScope, account := &Operation{Access: Public}, &Operation{Access: AnyScope}, &Operation{Access: AccountOnly}
	for _, test := range []struct {
		name   string
		ops    []*Operation
		access Access
		anyOf  []string
	}{
		{"the same", []*Operation{scoped("a"), scoped("a")}, ScopedAccess, []string{"a"}},
		{"overlapping", []*Operation{scoped("a", "b"), scoped("b", "c")}, ScopedAccess, []string{"b"}},
		{"disjoint", []*Operation{scoped("a"), scoped("b")}, ScopedAccess, []string{AllAPIs}},
		{"disjoint, then one of them", []*Operation{scoped("a"), scoped("b"), scoped("a")}, ScopedAccess, []string{AllAPIs}},
		{"together and one of them", []*Operation{scoped("a+b"), scoped("a")}, ScopedAccess, []string{"a+b"}},
		{"together and others", []*Operation{scoped("a+b"), scoped("c")}, ScopedAccess, []string{AllAPIs}},
		{"alternatives that satisfy both", []*Operation{scoped("a", "b+c"), scoped("b", "c")}, ScopedAccess, []string{"b+c"}},
		{"all-apis and one", []*Operation{scoped(AllAPIs), scoped("a")}, ScopedAccess, []string{AllAPIs}},
		{"scoped and public", []*Operation{public, scoped("a")}, ScopedAccess, []string{"a"}},
		{"scoped and any scope", []*Operation{scoped("a"), anyScope}, ScopedAccess, []string{"a"}},
		{"any scope and public", []*Operation{public, anyScope}, AnyScope, nil},
		{"public", []*Operation{public, public}, Public, nil},
		{"account-level and public", []*Operation{public, account}, AccountOnly, nil},
		{"account-level and scoped", []*Operation{scoped("a"), account}, AccountOnly, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := new(Operation)
			o.narrow(test.ops)
			if o.Access != test.access || !slices.Equal(o.AnyOf, test.anyOf) {
				t.Fatalf("got %v %v, want %v %v", o.Access, o.AnyOf, test.access, test.anyOf)
			}
			// A token that meets the result may call every one of them.
			for _, held := range [][]string{nil, {"a"}, {"b"}, {"c"}, {"a", "b"}, {AllAPIs}} {
				all := !slices.ContainsFunc(test.ops, func(p *Operation) bool { return !p.Permits(held) })
				if o.Permits(held) && !all {
					t.Errorf("%v is permitted, but not by all", held)
				}
			}
		})
	}
}

// TestPermitsStrictly compares what a token may call with what a policy's scopes permit.
func TestPermitsStrictly(t *testing.T) {
	t.Parallel()
	either, doubtful := []string{"a", "b"}, []string{"a", "b+c"}
	for _, test := range []struct {
		name               string
		op                 Operation
		held               []string
		generous, strictly bool
	}{
		{"either, documented", Operation{AnyOf: either, Evidence: Documented}, []string{"b"}, true, true},
		{"either, observed", Operation{AnyOf: either, Evidence: Observed}, []string{"a"}, true, true},
		{"either, as the operator says", Operation{AnyOf: either, Evidence: Operator}, []string{"a"}, true, true},
		{"doubtful, one held", Operation{AnyOf: either, Evidence: Inferred}, []string{"a"}, true, false},
		{"doubtful by siblings", Operation{AnyOf: either, Evidence: Sibling}, []string{"b"}, true, false},
		{"doubtful, all held", Operation{AnyOf: either, Evidence: Inferred}, []string{"a", "b"}, true, true},
		{"doubtful, all-apis held", Operation{AnyOf: either, Evidence: Inferred}, []string{AllAPIs}, true, true},
		{"doubtful, none held", Operation{AnyOf: either, Evidence: Inferred}, []string{"c"}, false, false},
		{"doubtful, some together", Operation{AnyOf: doubtful, Evidence: Inferred}, []string{"b", "c"}, true, false},
		{"doubtful, all together", Operation{AnyOf: doubtful, Evidence: Inferred}, []string{"a", "b", "c"}, true, true},
		{"together, one held", Operation{AnyOf: []string{"a+b"}, Evidence: Observed}, []string{"a"}, false, false},
		{"together, both held", Operation{AnyOf: []string{"a+b"}, Evidence: Inferred}, []string{"b", "a"}, true, true},
		{"a scope with the text of an alternative", Operation{AnyOf: []string{"a+b"}, Evidence: Observed}, []string{"a+b"}, false, false},
		{"inferred, a single one", Operation{AnyOf: []string{"a"}, Evidence: Inferred}, []string{"a"}, true, true},
		{"any scope", Operation{Access: AnyScope, Evidence: Inferred}, []string{"z"}, true, true},
		{"account-level", Operation{Access: AccountOnly, Evidence: Inferred}, []string{AllAPIs}, false, false},
		{"the zero operation", Operation{}, []string{"a"}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.op.Permits(test.held); got != test.generous {
				t.Errorf("permits: %v", got)
			}
			if got := test.op.PermitsStrictly(test.held); got != test.strictly {
				t.Errorf("permits strictly: %v", got)
			}
		})
	}
}

func TestScopesOfOperation(t *testing.T) {
	t.Parallel()
	o := Operation{AnyOf: []string{"a+c", "b", "c+d"}}
	if got := o.Scopes(); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("got %v", got)
	}
}

// TestDoubtStays: what is made of a doubtful row is doubtful, too.
func TestDoubtStays(t *testing.T) {
	t.Parallel()
	row := &Operation{AnyOf: []string{"a", "b"}, Evidence: Inferred}
	made := Operation{Evidence: Documented}
	made.narrow([]*Operation{{AnyOf: []string{"a", "b", "c"}, Evidence: Documented}, row})
	if !made.Doubtful() {
		t.Errorf("got %+v", made)
	}
}
