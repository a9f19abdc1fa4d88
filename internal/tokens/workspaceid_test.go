package tokens

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// TestWorkspaceID: two different questions with the same answer, one after the other, change
// the ID of a workspace. No single one does.
func TestWorkspaceID(t *testing.T) {
	t.Parallel()
	a, b := IDOf("a"), IDOf("b")
	type vote struct {
		about ID
		id    int64
	}
	for name, test := range map[string]struct {
		votes []vote
		want  int64
	}{
		"none":                       {nil, 0},
		"nothing":                    {[]vote{{a, 0}, {b, -1}}, 0},
		"the first":                  {[]vote{{a, 1}}, 1},
		"one token again and again":  {[]vote{{neutral, 1}, {a, 2}, {a, 2}, {a, 2}}, 1},
		"two tokens":                 {[]vote{{neutral, 1}, {a, 2}, {b, 2}}, 2},
		"two tokens, two workspaces": {[]vote{{neutral, 1}, {a, 2}, {b, 3}}, 1},
		"two tokens, not in a row":   {[]vote{{neutral, 1}, {a, 2}, {b, 1}, {b, 2}}, 1},
		"the neutral one agrees":     {[]vote{{neutral, 1}, {a, 2}, {neutral, 2}}, 2},
		"the list agrees":            {[]vote{{neutral, 1}, {a, 2}, {wholeList, 2}}, 2},
		"the neutral one, twice":     {[]vote{{a, 1}, {neutral, 2}, {neutral, 2}}, 1},
	} {
		var w workspaceID
		for _, vote := range test.votes {
			w.answered(vote.about, vote.id)
		}
		if got := w.load(); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// TestWorkspaceIDOfAnswers: answers that cannot be used, or that contradict themselves, say
// nothing of the workspace, not even the first.
func TestWorkspaceIDOfAnswers(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	d := startService(t, workspace.URL(), m2m(workspace), 5*time.Second).(*managementService)
	for _, body := range []string{`{}`, `x`, ``, `[]`, `{"token_info":{}}`, `{"token_info":null}`, ""} {
		token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
		if body == "" {
			facts, err := json.Marshal(map[string]any{"token_info": token.Info})
			if err != nil {
				t.Fatal(err)
			}
			body = string(facts)
		}
		fault := workspace.Faults().Set(managementAPI+"tokens/"+token.Info.TokenId, fakeworkspace.RespondAs(999, body))
		_, _ = d.Lookup(t.Context(), Query{ID: IDOf(token.Value)})
		if fault.Hits() == 0 || d.WorkspaceID() != 0 {
			t.Errorf("%q: %d after %d look-ups", body, d.WorkspaceID(), fault.Hits())
		}
	}
	workspace.Faults().Set(managementAPI+"tokens", fakeworkspace.RespondAs(999, `{"token_infos":1}`), fakeworkspace.Exactly())
	if _, _, err := d.List(t.Context()); err == nil || d.WorkspaceID() != 0 {
		t.Errorf("an odd list: %v, %d", err, d.WorkspaceID())
	}
	if _, err := d.Lookup(t.Context(), Query{ID: neutral}); !errors.Is(err, ErrUnknownToken) || d.WorkspaceID() != workspace.WorkspaceID() {
		t.Errorf("the neutral token: %v, %d", err, d.WorkspaceID())
	}
}
