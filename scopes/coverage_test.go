package scopes

import (
	"reflect"
	"strings"
	"testing"
)

func TestCoverageOf(t *testing.T) {
	t.Parallel()
	rows, err := Parse(strings.NewReader(strings.Join([]string{
		"GET\t/z\tjobs,sql\tinferred\tdoubtful.Z\ts",
		"GET\t/a\tjobs,sql\tsibling\tdoubtful.A\ts",
		"GET\t/b\tjobs,sql\tobserved\teither.B\ts",
		"GET\t/c\tai-gateway+sql\tinferred\tboth.C\ts",
		"GET\t/d\tall-apis\tinferred\tunknown.D\ts",
		"GET\t/e\tall-apis\tobserved\tall.E\ts",
		"GET\t/f\toptional\tinferred\toptional.F\ts",
		"GET\t/g\tjobs,optional,sql\tinferred\toptional.G\ts",
		"GET\t/h\tpublic\tinferred\tpublic.H\ts",
		"GET\t/i\taccount\tdocumented\taccount.I\ts",
	}, "\n")), "rows")
	if err != nil {
		t.Fatal(err)
	}
	c := CoverageOf(rows)
	names := func(list []*Operation) (names []string) {
		for _, o := range list {
			names = append(names, o.Name)
		}
		return names
	}
	for what, pair := range map[string][2]any{
		"workspace":   {c.Workspace, 9},
		"account":     {c.Account, 1},
		"unknown":     {c.Unknown, 1},
		"doubtful":    {names(c.Doubtful), []string{"doubtful.A", "optional.G", "doubtful.Z"}},
		"all-apis":    {names(c.AllAPIs), []string{"unknown.D", "all.E"}},
		"optional":    {names(c.Optional), []string{"optional.F", "optional.G"}},
		"by scope":    {c.ByScope, map[string]int{"jobs": 4, "sql": 5, "ai-gateway": 1, "all-apis": 3, "public": 1}},
		"by evidence": {c.ByEvidence, map[Evidence]int{Inferred: 6, Sibling: 1, Observed: 2}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: got %v, want %v", what, pair[0], pair[1])
		}
	}
	for _, line := range []string{"9 workspace operations, 1 account-level\n", "\ndoubtful        3  33.3 %", "\nall-apis        2 ", "\nunknown         1 ", "\noptional        2 "} {
		if !strings.Contains(c.String(), line) {
			t.Errorf("it lacks %q:\n%s", line, c)
		}
	}
}
