package console_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/health"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/recent"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// now is the time of all tests.
var now = time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC)

const workspace = "https://workspace.example.com"

// source is a gateway with what a test puts into it. Its zero value has nothing.
type source struct {
	workspaces []adminapi.Workspace
	judges     []adminapi.Judge
	ring       *recent.Ring
	health     health.Report
	condition  audit.Condition
}

func (s *source) Workspaces() []adminapi.Workspace     { return s.workspaces }
func (s *source) Judges() []adminapi.Judge             { return s.judges }
func (s *source) Recent() *recent.Ring                 { return s.ring }
func (s *source) Ready(context.Context) bool           { return s.health.Ready }
func (s *source) Stopping() bool                       { return false }
func (s *source) Now() time.Time                       { return now }
func (s *source) Health(context.Context) health.Report { return s.health }
func (s *source) Audit() audit.Condition               { return s.condition }

// tokenList is a workspace's list of tokens.
type tokenList struct {
	adminapi.TokenService // nil: what the pages do not need
	infos                 []*tokens.Info
}

func (l tokenList) List(context.Context) ([]*tokens.Info, time.Time, error) { return l.infos, now, nil }
func (l tokenList) Owner(info *tokens.Info) tokens.Principal                { return info.Owner }

func (l tokenList) Resolve(_ context.Context, id tokens.ID, _ tokens.Freshness) (tokens.Facts, error) {
	for _, info := range l.infos {
		if info.ID == id {
			return tokens.Facts{Info: info}, nil
		}
	}
	return tokens.Facts{}, tokens.ErrUnknownToken
}

func (l tokenList) Verify(context.Context, string) (*tokens.Info, error) {
	return nil, tokens.ErrUnknownToken
}

func (l tokenList) WorkspaceID() int64 { return 0 }

// ledger is what was seen.
type ledger struct{ state usage.State }

// State returns a copy, because reports note in it what they find.
func (l ledger) State(context.Context) (usage.State, error) {
	state := l.state
	state.Tokens = slices.Clone(state.Tokens)
	for i := range state.Tokens {
		state.Tokens[i].Uses = slices.Clone(state.Tokens[i].Uses)
	}
	return state, nil
}

func (l ledger) Settle(context.Context) {}

type fleetStatus struct {
	adminapi.Fleet
	status fleet.Status
}

func (f fleetStatus) Status(context.Context) fleet.Status { return f.status }

// hostile is text that must not come out as it goes in: markup, quotes, a secret, changes of the
// writing direction, and too much of it.
const secret = "dapi0123456789abcdef0123456789abcdef"

var hostile = `"><script>alert(1)</script>'` + "\u202e" + secret + " \x1b[31m{{.}}" + strings.Repeat("x", 10<<10)

// full is a source with some of everything, in which each text that others choose is that.
func full(t testing.TB, text string) *source {
	t.Helper()
	row := operation(t, "GET", "/api/2.1/jobs/list")
	s := &source{ring: recent.New(recent.Size, func() time.Time { return now })}
	info := &tokens.Info{
		ID: tokenID(t, 1), Owner: tokens.NewPrincipal(4711, text), Creator: tokens.NewPrincipal(0, text), Comment: text,
		Created: now.Add(-72 * time.Hour), Scopes: []string{"sql"},
	}
	s.judges = []adminapi.Judge{{Judge: &judge.Judge{Catalog: scopes.Default(), Tokens: tokenList{infos: []*tokens.Info{info}}, Now: s.Now}, Key: "key"}}
	s.workspaces = []adminapi.Workspace{{
		URL: workspace, Tokens: tokenList{infos: []*tokens.Info{info}},
		Usage: ledger{usage.State{Since: now.Add(-48 * time.Hour), Tokens: []usage.Token{{ID: info.ID.String(), OwnerID: 4711, Calls: 3, Denied: 1, First: now, Last: now, ActiveDays: 1}}}},
		Fleet: fleetStatus{status: fleet.Status{
			Role: "authority", Store: &fleet.StoreStatus{Error: text},
			Members: []fleet.Member{{Name: text, Self: true}}, Edges: []fleet.Edge{{Name: text, Connected: true, Behind: true}},
		}},
		Base: scopes.Default,
	}}
	s.workspaces[0].Findings = bookOf(t, &s.workspaces[0])
	s.health = health.Report{Workspaces: []health.Workspace{{Workspace: workspace, Reason: tokens.Unreachable, Message: text}}}
	s.condition = audit.Condition{Troubles: []audit.Trouble{{Sink: audit.SinkOutput, Losing: true, Since: now.Add(-time.Minute), Cause: audit.CauseWrite, Detail: text}}}
	for i, judged := range []judge.Judgement{
		{Decision: judge.Allow, Reason: policy.Permitted, Enforced: true},
		{Decision: judge.Deny, Reason: policy.MissingScope, Enforced: true},
		{Decision: judge.Deny, Reason: policy.MissingScope},
		{Decision: judge.Deny, Reason: policy.DirectoryUnavailable, Enforced: true, Detail: text},
	} {
		judged.Operation, judged.Held, judged.Facts = row, []string{"sql"}, tokens.Facts{Info: info, Source: tokens.FromLookup}
		s.ring.Put(&audit.Record{
			Time: now.Add(-time.Duration(i) * time.Minute), Method: "GET", Path: "/api/2.1/jobs/list" + text, Workspace: "workspace.example.com",
			ClientAddress: "192.0.2.1", UserAgent: text, RequestID: requestID(i), Judgement: judged, TokenID: info.ID.String(), Owner: text, Creator: text,
			Comment: text, Catalog: scopes.Default().Version(), Rules: "rules", Outcome: audit.Answered, Status: 200,
		})
	}
	return s
}

// bookOf returns the findings about a workspace.
func bookOf(t testing.TB, w *adminapi.Workspace) *findings.Book {
	t.Helper()
	book := findings.NewBook(findings.Options{Workspace: w.URL, Now: func() time.Time { return now }})
	book.Keep(findings.Settings{Input: func(ctx context.Context) (findings.Input, error) {
		report, _ := w.Report(ctx, now)
		return findings.Input{Report: report, OwnerGone: func(int64) (gone, known bool) { return true, true }}, nil
	}})
	if err := book.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(book.Close)
	return book
}

func requestID(i int) string { return fmt.Sprintf("%08d-0000-4000-8000-000000000000", i) }

func tokenID(t testing.TB, i int) tokens.ID {
	t.Helper()
	id, err := tokens.ParseID(fmt.Sprintf("%064x", i))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func operation(t testing.TB, method, path string) *scopes.Operation {
	t.Helper()
	readings, err := scopes.Default().Read(method, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return readings[0].Operation
}
