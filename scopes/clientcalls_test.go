package scopes

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// maxAllAPIs is how many of the calls of published clients may need all-apis, in percent:
// a token for them cannot be scoped.
const maxAllAPIs = 1

// clientCall is a line of testdata/client-calls.tsv.
type clientCall struct {
	client, method, path string
	needs                Operation // what a correct token holds
	source, whyAllAPIs   string
}

func (c *clientCall) String() string { return fmt.Sprintf("%s: %s %s", c.client, c.method, c.path) }

// clientCalls reads what published clients send.
func clientCalls(t *testing.T) []clientCall {
	t.Helper()
	table, err := os.ReadFile("../testdata/client-calls.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var calls []clientCall
	number := 0
	for line := range strings.Lines(string(table)) {
		number++
		if line = strings.TrimSuffix(line, "\n"); line == "" || line[0] == '#' {
			continue
		}
		cols := strings.Split(line, "\t")
		if len(cols) != 5 && len(cols) != 6 || slices.Contains(cols, "") {
			t.Fatalf("line %d: %q: write client, method, path, scope, source and, if it needs all-apis, why", number, line)
		}
		c := clientCall{client: cols[0], method: cols[1], path: cols[2], source: cols[4]}
		if len(cols) == 6 {
			c.whyAllAPIs = cols[5]
		}
		if err := c.needs.setAnyOf(cols[3]); err != nil {
			t.Fatalf("line %d: %v", number, err)
		}
		calls = append(calls, c)
	}
	return calls
}

// TestClientCalls: nothing that a published client calls is unmapped, and a token with the
// scopes that the call is known to need passes.
func TestClientCalls(t *testing.T) {
	t.Parallel()
	calls := clientCalls(t)
	if len(calls) < 1500 {
		t.Errorf("only %d calls: lines are missing", len(calls))
	}
	seen := make(map[string]bool)
	allAPIs := 0
	for i := range calls {
		c := &calls[i]
		if seen[c.String()] {
			t.Errorf("%s is there twice", c)
		}
		seen[c.String()] = true
		if _, file, ok := strings.Cut(c.source, ":"); !ok || strings.HasPrefix(file, "/") {
			t.Errorf("%s: the source %q is no file in a repository or package", c, c.source)
		}
		readings, err := Default().Read(c.method, c.path, nil)
		if err != nil {
			t.Errorf("%s: %v", c, err)
			continue
		}
		for _, r := range readings {
			c.check(t, r.Operation)
		}
		if onlyAllAPIs(&c.needs) {
			allAPIs++
		}
	}
	if limit := len(calls) * maxAllAPIs / 100; allAPIs > limit {
		t.Errorf("%d of %d calls need all-apis, but at most %d may", allAPIs, len(calls), limit)
	}
}

// check holds an operation that a call may be to what the call needs.
func (c *clientCall) check(t *testing.T, o *Operation) {
	t.Helper()
	if o.Unmapped() {
		t.Errorf("%s is unmapped, but clients call it: add a row to cmd/scopegen/extra.tsv, source %s", c, c.source)
		return
	}
	if o.Optional != c.needs.Optional {
		t.Errorf("%s: %s is optional: %v, want %v", c, o.Name, o.Optional, c.needs.Optional)
	}
	if onlyAllAPIs(o) != onlyAllAPIs(&c.needs) || onlyAllAPIs(o) != (c.whyAllAPIs != "") {
		t.Errorf("%s: %s needs %s, the call %s, because %q: only what nothing less is enough for says why",
			c, o.Name, o.Needs(), c.needs.Needs(), c.whyAllAPIs)
	}
	if c.needs.Access != ScopedAccess || c.needs.Optional {
		if o.Access != c.needs.Access {
			t.Errorf("%s: %s needs %s, want %s", c, o.Name, o.Needs(), c.needs.Needs())
		}
		return
	}
	for _, alternative := range c.needs.AnyOf {
		if held := strings.Split(alternative, And); !o.Permits(held) {
			t.Errorf("%s: %s needs %s, so a token with %s is refused", c, o.Name, o.Needs(), alternative)
		}
	}
}

// onlyAllAPIs reports whether nothing less than all-apis permits o, and clients need it.
func onlyAllAPIs(o *Operation) bool {
	return !o.Optional && slices.Equal(o.AnyOf, []string{AllAPIs})
}
