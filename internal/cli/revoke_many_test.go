package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// TestRevokeManyIsNotFooled: whatever listens at the gateway's address, no token is revoked that
// does not match by the workspace's word.
func TestRevokeManyIsNotFooled(t *testing.T) {
	workspace := startWorkspace(t)
	mine := workspace.Mint(fakeworkspace.TokenSpec{Owner: "bob@example.com"})
	others := workspace.Mint(fakeworkspace.TokenSpec{Owner: "alice@example.com"})
	for _, test := range []struct {
		name, says string
		args       []string
		code       int
		lie        bool // about whose number it is
		holds      bool // mine is left
	}{
		{name: "unused", args: []string{"--unused", "30d", "--keep-going"}, code: 1, says: "the workspace says that it is younger", holds: true},
		{name: "a dry run", args: []string{"--owner", "bob@example.com", "--dry-run"}, says: "It would revoke 1 token of 1 owner", holds: true},
		{name: "a name that is claimed, with its number", args: []string{"--owner", "bob@*"}, lie: true, code: 4, says: "another owner than the gateway says"},
		{name: "a name that is claimed", args: []string{"--owner", "bob@*"}, says: "it belongs to alice@example.com, who is another owner than --owner names"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := planOf(workspace, mine, others)
			for i := range plan.Rows {
				plan.Rows[i].OwnerName = "bob@example.com"
			}
			if test.lie {
				plan.Rows[1].OwnerID = plan.Rows[0].OwnerID
			}
			out, err := run(t, planning(plan), "", append([]string{"revoke", "--yes"}, test.args...)...)
			if code := ExitCode(err); code != test.code || !strings.Contains(out+fmt.Sprint(err), test.says) {
				t.Errorf("code %d, %v\n%s", code, err, out)
			}
			if _, left := workspace.Info(others.Info.TokenId); !left {
				t.Errorf("a token of another owner was revoked:\n%s", out)
			}
			if _, left := workspace.Info(mine.Info.TokenId); left != test.holds {
				t.Errorf("the token is left: %t\n%s", left, out)
			}
		})
	}
}
