package policy

import (
	"testing"

	"github.com/scopegate/scopegate/internal/tokens"
)

// TestUnknownMatches: a condition that tests an owner or a creator about whom that is not
// known matches.
func TestUnknownMatches(t *testing.T) {
	t.Parallel()
	both := tokens.NewPrincipal(42, "bob@x.com")
	numbered := tokens.NewPrincipal(42, "")
	named := tokens.NewPrincipal(0, "bob@x.com")
	for _, test := range []struct {
		name, value string
		who         tokens.Principal
		want        bool
	}{
		{"the number", "42", both, true},
		{"another number", "43", both, false},
		{"the number with a sign and zeros", "+0042", both, true},
		{"the number in full width", "４２", both, true},
		{"part of the number", "4*", both, true},
		{"the name", "bob@x.com", both, true},
		{"the name in other letters", " ＢＯＢ@X.com ", both, true},
		{"part of the name", "bob@*", both, true},
		{"another name", "alice@*", both, false},
		{"the name in a pattern that hides a character", "b\u200bob@*", both, true},

		{"a number, known by name only", "43", named, true},
		{"digits and wildcards, known by name only", "4?", named, true},
		{"a name, known by name only", "alice@*", named, false},
		{"a name, known by number only", "alice@*", numbered, true},
		{"another number, known by number only", "43", numbered, false},

		{"a number, nothing known", "43", tokens.Principal{}, true},
		{"a name, nothing known", "alice@*", tokens.Principal{}, true},
		{"anything, nothing known", "*", tokens.Principal{}, true},
		{"a number, where there is none", "43", tokens.NoPrincipal, false},
		{"anything, where there is none", "*", tokens.NoPrincipal, false},

		{"a name that is written with invisible characters", "alice@*", tokens.NewPrincipal(42, "bob\u200b@x.com"), true},
		{"its number all the same", "43", tokens.NewPrincipal(42, "bob\u200b@x.com"), false},
		{"a name with NUL", "alice@*", tokens.NewPrincipal(42, "bob\x00@x.com"), true},
		{"a name with another alphabet's letters", "bob@*", tokens.NewPrincipal(42, "bоb@x.com"), true},
		{"an OAuth subject that is odd", "alice@*", tokens.NewPrincipal(0, "b\u202eob@x.com"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, kind := range []string{"owner", "creator"} {
				c := condition(t, kind, test.value)
				other := tokens.NewPrincipal(1, "other@x.com")
				s := Subject{Info: &tokens.Info{Creator: other}, Owner: test.who}
				if kind == "creator" {
					s = Subject{Info: &tokens.Info{Creator: test.who}, Owner: other}
				}
				if got := c.matches(s, nil); got != test.want {
					t.Errorf("match %s %q of %v: %v", kind, test.value, test.who, got)
				}
			}
		})
	}
}

// TestOneUnknownOfSeveral: one value that cannot be tested is enough.
func TestOneUnknownOfSeveral(t *testing.T) {
	t.Parallel()
	c := condition(t, "owner", "alice@*", "43")
	for who, want := range map[tokens.Principal]bool{
		tokens.NewPrincipal(42, "bob@x.com"): false,
		tokens.NewPrincipal(42, ""):          true,
		tokens.NewPrincipal(0, "bob@x.com"):  true,
	} {
		if got := c.matches(Subject{Info: new(tokens.Info), Owner: who}, nil); got != want {
			t.Errorf("%v: %v", who, got)
		}
	}
}

func TestCommentsAsPeopleSeeThem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, pattern, comment string
		want                   bool
	}{
		{"plain", "analyst *", "Analyst laptop", true},
		{"without the space", "analyst *", "analysts", false},
		{"white space before it", "analyst *", "\u00a0analyst laptop", true},
		{"zero width inside", "analyst *", "ana\u200blyst laptop", true},
		{"full width", "analyst *", "ａnalyst laptop", true},
		{"full width in the pattern", "ａnalyst *", "analyst laptop", true},
		{"several lines", "analyst *", "analyst\n laptop", true},
		{"no comment", "analyst *", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := condition(t, "comment", test.pattern)
			if got := c.matches(Subject{Info: &tokens.Info{Comment: test.comment}}, nil); got != test.want {
				t.Errorf("match comment %q of %q: %v", test.pattern, test.comment, got)
			}
		})
	}
}

func TestEmptyValues(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"owner", "creator"} {
		for _, value := range []string{"", " ", "\u200b"} {
			if _, err := NewCondition(kind, value); err == nil {
				t.Errorf("match %s %q is accepted", kind, value)
			}
		}
	}
}

// TestScopeOfOAuth: an OAuth token does not evade a policy by another name of a scope. Names
// of personal access tokens are what they are.
func TestScopeOfOAuth(t *testing.T) {
	for _, test := range []struct {
		value string
		held  []string
		oauth bool
		want  bool
	}{
		{"sql", []string{"sql"}, true, true},
		{"sql", []string{"jobs", "sql.warehouses"}, true, true},
		{"SQL", []string{"sql.statement-execution"}, true, true},
		{"s?l", []string{"sql.warehouses"}, true, true},
		{"sql.*", []string{"sql.warehouses"}, true, true},
		{"model-serving", []string{"serving.serving-endpoints"}, true, true},
		{"jobs", []string{"sql.warehouses"}, true, false},
		{"sql.statement-execution", []string{"sql.warehouses"}, true, false},
		{"sql", []string{"sql.unknown"}, true, false},
		{"sql", []string{"sql.warehouses"}, false, false},
		{"sql", nil, true, false},
	} {
		c := condition(t, "scope", test.value)
		if got := c.matches(Subject{Info: &tokens.Info{OAuth: test.oauth}}, test.held); got != test.want {
			t.Errorf("match scope %s of %v, OAuth %t: %v", test.value, test.held, test.oauth, got)
		}
	}
}

// TestUnknownComment: a comment that is not known matches.
func TestUnknownComment(t *testing.T) {
	t.Parallel()
	c, err := NewCondition("comment", "laptop")
	if err != nil {
		t.Fatal(err)
	}
	for _, unknown := range []bool{false, true} {
		if got := c.matches(Subject{Info: &tokens.Info{Comment: "ci"}, CommentUnknown: unknown}, nil); got != unknown {
			t.Errorf("unknown %t: %t", unknown, got)
		}
	}
}

// TestPartsOfScopes: a policy for tokens with a scope holds for those with a part of it, too.
func TestPartsOfScopes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, value string
		held        []string
		want        bool
	}{
		{"the scope", "sql", []string{"sql"}, true},
		{"its reads", "sql", []string{"sql:read"}, true},
		{"its queries", "sql", []string{"jobs", "sql:restricted-query"}, true},
		{"both", "s?l", []string{"sql:read:restricted-query"}, true},
		{"the part itself", "sql:read", []string{"sql:read"}, true},
		{"not the whole for a part", "sql:read", []string{"sql"}, false},
		{"a part of another scope", "sql", []string{"jobs:read"}, false},
		{"what is no part", "sql", []string{"sql:write"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := condition(t, "scope", test.value)
			if got := c.matches(Subject{Info: &tokens.Info{Scopes: test.held}}, test.held); got != test.want {
				t.Errorf("match scope %s of %s: %v", test.value, test.held, got)
			}
		})
	}
}
