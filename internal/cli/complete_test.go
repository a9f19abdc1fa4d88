package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/usage"
)

// complete returns what a shell is told for a command line, without descriptions.
func complete(t *testing.T, args ...string) []string {
	t.Helper()
	root := &cobra.Command{Use: "scopegate"}
	root.AddCommand(Commands(Deps{})...)
	var out strings.Builder
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{cobra.ShellCompNoDescRequestCmd}, args...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Split(out.String(), "\n")
	return lines[:slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, ":") })]
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		line string // separated by spaces, the last part is what is typed
		want []string
	}{
		{"report --sort ", []string{"calls", "denials", "last", "expires", "created", "owner", "unmapped"}},
		{"report --format ", []string{"table", "json", "csv"}},
		{"drift --format ", []string{"table", "json", "csv"}},
		{"fleet --format ", []string{"table", "json", "csv"}},
		{"why --format ", []string{"table", "json"}},
		{"explain ", []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}},
		{"explain GET ", nil},
		{"explain --scopes job", []string{"jobs"}},
		{"explain --scopes=job", []string{"jobs"}},
		{"explain --scopes jobs,sq", []string{"jobs,sql"}},
		{"explain --scopes jobs,job", nil},
		{"explain --as ", []string{"kind=pat", "kind=oauth", "owner=", "creator=", "comment=", "token=", "lifetime="}},
		{"explain --adapter ", []string{"caddyfile", "json"}},
		{"recommend --workspace ", []string{"https://"}},
		{"recommend --format ", []string{"table", "json", "csv", "terraform"}},
		{"recommend --where ", []string{"owner=", "unscoped", "no-expiry", "unused=", "expiring=", "id="}},
		{"recommend --where unscoped,un", []string{"unscoped,unused="}},
		{"recommend --watch ", []string{"15m", "1h", "24h"}},
		{"revoke --format ", []string{"table", "json", "csv"}},
		{"revoke --unused ", []string{"30d", "90d", "180d"}},
	} {
		if got := complete(t, strings.Split(test.line, " ")...); !slices.Equal(got, test.want) {
			t.Errorf("%q is completed by %q, want %q", test.line, got, test.want)
		}
	}
	if all := complete(t, "explain", "--scopes", ""); len(all) < 20 || !slices.Contains(all, "all-apis") || !slices.Contains(all, "sql") {
		t.Errorf("scopes are completed by %q", all)
	}
}

// TestCompleteOrders: reports can be sorted by each order that is offered, and by no other.
func TestCompleteOrders(t *testing.T) {
	for _, order := range orders {
		if _, err := usage.ParseOrder(order); err != nil {
			t.Error(err)
		}
	}
	if _, err := usage.ParseOrder("?"); err == nil || !strings.HasSuffix(err.Error(), "use one of "+strings.Join(orders, ", ")) {
		t.Errorf("%v, but offered are %v", err, orders)
	}
}
