package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/recent"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeGateway is a configuration that tests write down.
type fakeGateway struct {
	judges     []Judge
	workspaces []Workspace
	ready      bool
	stopping   bool
	recent     *recent.Ring
}

func (g *fakeGateway) Judges() []Judge            { return g.judges }
func (g *fakeGateway) Workspaces() []Workspace    { return g.workspaces }
func (g *fakeGateway) Recent() *recent.Ring       { return g.recent }
func (g *fakeGateway) Ready(context.Context) bool { return g.ready }
func (g *fakeGateway) Stopping() bool             { return g.stopping }
func (g *fakeGateway) Now() time.Time             { return now }

// fakeTokens knows some tokens, or fails.
type fakeTokens struct {
	known []*tokens.Info
	names map[int64]string
	err   error
	// generation is the change by which a fleet is told to forget.
	generation fleet.Generation
	// fresh is what the last look-up asked for.
	fresh tokens.Freshness
}

func (f *fakeTokens) Resolve(_ context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error) {
	f.fresh = fresh
	for _, info := range f.known {
		if info.ID == id {
			return tokens.Facts{Info: info, At: now}, f.err
		}
	}
	if f.err != nil {
		return tokens.Facts{}, f.err
	}
	return tokens.Facts{}, fmt.Errorf("looking up: %w", tokens.ErrUnknownToken)
}

func (f *fakeTokens) Verify(context.Context, string) (*tokens.Info, error) {
	return nil, errors.New("not used")
}

func (f *fakeTokens) List(context.Context) ([]*tokens.Info, time.Time, error) {
	if f.err != nil {
		return nil, time.Time{}, f.err
	}
	return f.known, now, nil
}

func (f *fakeTokens) Owner(info *tokens.Info) tokens.Principal {
	id, _ := info.Owner.ID()
	return info.Owner.Named(f.names[id])
}
func (f *fakeTokens) WorkspaceID() int64 { return 0 }
func (f *fakeTokens) Len() int           { return len(f.known) }

func (f *fakeTokens) IDs(limit int) (ids []tokens.ID) {
	for _, info := range f.known[:min(limit, len(f.known))] {
		ids = append(ids, info.ID)
	}
	return ids
}

func (f *fakeTokens) PurgeFleet(_ context.Context, id tokens.ID) (bool, fleet.Generation) {
	before := len(f.known)
	f.known = slices.DeleteFunc(f.known, func(info *tokens.Info) bool { return info.ID == id })
	return len(f.known) < before, f.generation
}

// fakeFleet is a fleet that tests write down.
type fakeFleet struct {
	status   fleet.Status
	progress map[fleet.Generation]fleet.Progress
	untold   fleet.Untold
}

func (f *fakeFleet) Untold() fleet.Untold { return f.untold }

func (f *fakeFleet) Status(context.Context) fleet.Status { return f.status }

func (f *fakeFleet) Progress(_ context.Context, g fleet.Generation) fleet.Progress {
	return f.progress[g]
}

// fakeUsage is what was seen, or why it cannot be read.
type fakeUsage struct {
	state usage.State
	err   error
}

func (f *fakeUsage) Settle(context.Context) {}

func (f *fakeUsage) State(context.Context) (usage.State, error) { return f.state, f.err }

const workspaceURL = "https://w.example.com"

// token returns what a workspace knows of a token.
func token(n int, granted ...string) *tokens.Info {
	return &tokens.Info{ID: tokens.IDOf(fmt.Sprint("token ", n)), Owner: tokens.NewPrincipal(int64(n), ""), Creator: tokens.NewPrincipal(0, fmt.Sprintf("creator-%d", n)), Comment: fmt.Sprintf("comment %d", n), Scopes: granted, Expires: tokens.NeverExpires}
}

// newFake returns a gateway with one workspace and two tokens, of which it has seen the
// first list jobs.
func newFake() (*fakeGateway, *fakeTokens, *fakeUsage) {
	known := &fakeTokens{known: []*tokens.Info{token(1, "jobs", "sql"), token(2)}, names: map[int64]string{1: "one@example.com"}}
	readings, err := scopes.Default().Read("GET", "/api/2.2/jobs/list", nil)
	if err != nil {
		panic(err)
	}
	first := now.Add(-48 * time.Hour)
	seen := &fakeUsage{state: usage.State{Since: first, Tokens: []usage.Token{{
		ID: known.known[0].ID.String(), First: first, Last: now, ActiveDays: 3, Calls: 3,
		Uses: []usage.Use{{Operation: *readings[0].Operation, Calls: 3, First: first, Last: now}},
	}}}}
	by := &judge.Judge{Catalog: scopes.Default(), Rules: policy.Rules{AllowUnscoped: true}, Freshness: tokens.DefaultFreshness, Tokens: known, Now: func() time.Time { return now }}
	return &fakeGateway{
		judges:     []Judge{{by, "same", workspaceURL}},
		workspaces: []Workspace{{URL: workspaceURL, Tokens: known, Usage: seen, Base: scopes.Default, Judges: func() []*judge.Judge { return []*judge.Judge{by} }}},
		ready:      true,
	}, known, seen
}

// serve serves the routes as Caddy's admin API does.
func serve(t *testing.T, g Gateway) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range Routes(g) {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			err := route.ServeHTTP(w, r)
			var failed *Error
			switch {
			case errors.As(err, &failed):
				w.WriteHeader(failed.Status)
				_ = json.NewEncoder(w).Encode(map[string]string{"error": failed.Error()})
			case err != nil:
				t.Error(err)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// do sends a request as a client does.
func do(t *testing.T, server *httptest.Server, method, target string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+Prefix+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(body))
}

// checkText checks what an answer says, and what not.
func checkText(t *testing.T, body string, says, lacks []string) {
	t.Helper()
	for _, part := range says {
		if !strings.Contains(body, part) {
			t.Errorf("it lacks %q:\n%.900s", part, body)
		}
	}
	for _, part := range lacks {
		if strings.Contains(body, part) {
			t.Errorf("it says %q:\n%.900s", part, body)
		}
	}
}
