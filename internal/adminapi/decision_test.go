package adminapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/recent"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/why"
	"github.com/scopegate/scopegate/scopes"
)

// TestDecision tells a decision by its id, and says what to do about others.
func TestDecision(t *testing.T) {
	t.Parallel()
	g, _, _ := newFake()
	server := serve(t, g)
	const missing = "5d41402a-bc4b-4a76-b971-9d911017c592"
	if status, body := do(t, server, "GET", "decisions/"+missing); status != 404 || !strings.Contains(body, "holds no decision yet") || !strings.Contains(body, "--audit") {
		t.Errorf("a gateway that has just begun: %d %s", status, body)
	}
	g.recent = recent.New(recent.Size, g.Now)
	row, err := scopes.Default().Read("GET", "/api/2.2/jobs/list", nil)
	if err != nil {
		t.Fatal(err)
	}
	info := &tokens.Info{Scopes: []string{"sql"}, Expires: tokens.NeverExpires, Comment: "secret of the creator"}
	for n := range 2 {
		g.recent.Put(&audit.Record{
			Time: now, Method: "GET", Path: "/api/2.2/jobs/list", RequestID: fmt.Sprintf("aaaaaaaa-%d", n), TokenID: strings.Repeat("ab", 32), Outcome: audit.Answered, Status: 403,
			Catalog: scopes.Default().Version(), Comment: "sha256:0123456789abcdef",
			Judgement: judge.Judgement{
				Decision: judge.Deny, Enforced: true, Reason: policy.MissingScope, Operation: row[0].Operation, Held: info.Scopes,
				Facts: tokens.Facts{Info: info, Source: tokens.FromLookup},
			},
		})
	}
	status, body := do(t, server, "GET", "decisions/AAAAAAAA-1")
	var story why.Story
	if err := json.Unmarshal([]byte(body), &story); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	if story.RequestID != "aaaaaaaa-1" || story.Permit != "add the scope jobs" || story.Token.Expires != "never" || !story.Operation.Present || story.Operation.Source == "" || story.Client.ErrorCode != 403 {
		t.Errorf("got %s", body)
	}
	if strings.Contains(body, info.Comment) || !strings.Contains(body, "sha256:0123456789abcdef") {
		t.Errorf("the comment is not in the operator's form: %s", body)
	}
	for target, want := range map[string]struct {
		status int
		says   string
	}{
		"decisions/aaaaaaaa":             {409, "2 request ids begin with these characters, such as aaaaaaaa-1 and aaaaaaaa-0; type more"},
		"decisions/" + missing:           {404, "it holds the last 2, since 2026-03-01T12:00:00Z"},
		"decisions/aaaa":                 {400, "at least the first 8 characters"},
		"decisions/dapi0123456789abcdef": {400, "this is no request id"},
		"decisions/":                     {400, "at least the first 8"},
		"decisions/aaaaaaaa-1?format=x":  {400, "unknown parameter"},
	} {
		if status, body := do(t, server, "GET", target); status != want.status || !strings.Contains(body, want.says) || strings.Contains(body, "dapi0123") {
			t.Errorf("%s: %d %s", target, status, body)
		}
	}
	if status, _ := do(t, server, "DELETE", "decisions/"+missing); status != 405 {
		t.Errorf("DELETE: %d", status)
	}
}
