package bulk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/internal/tokens"
)

// fakeWorkspace has tokens by id, and fails as tests say.
type fakeWorkspace struct {
	mu    sync.Mutex
	held  map[tokens.ID]*tokens.Info
	calls []string
	// fail returns an error for a call, such as "set 2", of which it is the nth.
	fail func(call string, n int) error
	// lies are scopes that a token has after they were set, whatever was set.
	lies map[tokens.ID][]string
	nth  map[string]int
}

func newFake(held ...[]string) (*fakeWorkspace, []tokens.ID) {
	w := &fakeWorkspace{held: make(map[tokens.ID]*tokens.Info), lies: make(map[tokens.ID][]string), nth: make(map[string]int)}
	var ids []tokens.ID
	for i, scopes := range held {
		id := tokens.IDOf(fmt.Sprint("token ", i))
		w.held[id] = &tokens.Info{ID: id, Scopes: scopes, Owner: tokens.NewPrincipal(int64(i+1), "")}
		ids = append(ids, id)
	}
	return w, ids
}

func (w *fakeWorkspace) call(verb string, id tokens.ID) error {
	number := "?"
	for i := range 100 {
		if tokens.IDOf(fmt.Sprint("token ", i)) == id {
			number = fmt.Sprint(i)
			break
		}
	}
	call := verb + " " + number
	w.calls = append(w.calls, call)
	w.nth[call]++
	if w.fail != nil {
		return w.fail(call, w.nth[call])
	}
	return nil
}

func (w *fakeWorkspace) Get(_ context.Context, id tokens.ID) (*tokens.Info, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("get", id); err != nil {
		return nil, err
	}
	info := w.held[id]
	if info == nil {
		return nil, tokens.ErrUnknownToken
	}
	now := *info
	return &now, nil
}

func (w *fakeWorkspace) SetScopes(_ context.Context, id tokens.ID, scopes []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("set", id); err != nil {
		return err
	}
	if w.held[id] == nil {
		return tokens.ErrUnknownToken
	}
	if lie, ok := w.lies[id]; ok {
		scopes = lie
	}
	w.held[id].Scopes = slices.Clone(scopes)
	return nil
}

func (w *fakeWorkspace) Revoke(_ context.Context, id tokens.ID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("revoke", id); err != nil {
		return err
	}
	if w.held[id] == nil {
		return tokens.ErrUnknownToken
	}
	delete(w.held, id)
	return nil
}

// scopesOf returns what tokens hold: a space between scopes, a slash between tokens.
func (w *fakeWorkspace) scopesOf(ids []tokens.ID) string {
	var texts []string
	for _, id := range ids {
		if w.held[id] == nil {
			texts = append(texts, "revoked")
			continue
		}
		texts = append(texts, strings.Join(w.held[id].Scopes, " "))
	}
	return strings.Join(texts, "/")
}

// said collects progress.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// newRunner returns a runner, what it says, and the tokens that it told the gateway of.
func newRunner(t *testing.T, w Workspace) (*Runner, *said, *[]tokens.ID) {
	t.Helper()
	out, told := new(said), new([]tokens.ID)
	return &Runner{Workspace: w, Forget: func(id tokens.ID) { *told = append(*told, id) }, BatchDone: func() {}, Say: out.say}, out, told
}

// statuses returns what came of tokens.
func statuses(results []Result) string {
	var texts []string
	for i := range results {
		texts = append(texts, string(results[i].Status))
	}
	return strings.Join(texts, "/")
}

var errServer = &tokens.UnavailableError{Outage: tokens.ServerError, Err: errors.New("status 500")}
