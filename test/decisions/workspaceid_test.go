package decisions

import (
	"encoding/json"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestOddWorkspaceID: the answer about one token may name another workspace. Whatever else
// it says, the tokens of others keep working.
func TestOddWorkspaceID(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	honest := g.Mint("jobs")
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(honest.Value)); got.StatusCode != 200 {
		t.Fatalf("status %d: %s", got.StatusCode, got.Body)
	}
	as := func(workspaceID int64) func(fakeworkspace.Token) string {
		return func(token fakeworkspace.Token) string {
			info := token.Info
			info.WorkspaceId = workspaceID
			body, err := json.Marshal(map[string]any{"token_info": info})
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
	}
	is := func(body string) func(fakeworkspace.Token) string {
		return func(fakeworkspace.Token) string { return body }
	}
	for name, body := range map[string]func(fakeworkspace.Token) string{
		"nothing": is(""), "an empty object": is("{}"), "no JSON": is("no JSON"), "no facts": is(`{"token_info":{}}`),
		"facts": as(workspace.WorkspaceID()), "facts of there": as(999), "facts of nowhere": as(0),
	} {
		odd := g.Mint("jobs")
		fault := workspace.Faults().Set(tokensPath+"/"+odd.Info.TokenId, fakeworkspace.RespondAs(999, body(odd)))
		for range 2 {
			g.Send(t, "GET", harness.JobsList, harness.Bearer(odd.Value))
			if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(honest.Value)); got.StatusCode != 200 {
				t.Errorf("%s: status %d, %s", name, got.StatusCode, got.Header.Get("X-Scopegate-Reason"))
			}
		}
		if fault.Hits() == 0 {
			t.Errorf("%s: not asked for", name)
		}
	}
}
