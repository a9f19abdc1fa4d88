package tokens

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestChanger(t *testing.T) {
	t.Parallel()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	clientID, secret := workspace.AdminClient()
	admin := Admin{ClientID: clientID, ClientSecret: func() (string, error) { return secret, nil }}
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"all-apis"}, Lifetime: time.Hour})
	id := IDOf(token.Value)
	c, err := NewChanger(workspace.URL(), admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)

	if err := c.SetScopes(t.Context(), id, []string{"sql", "jobs"}); err != nil {
		t.Errorf("narrowing: %v", err)
	}
	if info, err := c.Get(t.Context(), id); err != nil || !slices.Equal(info.Scopes, []string{"sql", "jobs"}) {
		t.Errorf("narrowed: %v %v", info, err)
	}
	if err := c.SetScopes(t.Context(), id, nil); err == nil {
		t.Error("an empty list was accepted, which would allow everything")
	}
	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.RejectAdmin(403))
	if err := c.Revoke(t.Context(), id); err == nil || !strings.Contains(err.Error(), "revoking the token: the workspace refused the admin credential") {
		t.Errorf("refused: %v", err)
	}
	workspace.Faults().Clear()
	if err := c.Revoke(t.Context(), id); err != nil {
		t.Errorf("revoking: %v", err)
	}
	if err := c.Revoke(t.Context(), id); !errors.Is(err, ErrUnknownToken) {
		t.Errorf("revoking again: %v", err)
	}
	if err := c.SetScopes(t.Context(), id, []string{"sql"}); !errors.Is(err, ErrUnknownToken) {
		t.Errorf("narrowing a revoked token: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	service := &scripted{answer: found}
	clock := newClock()
	r := newTestResolver(t, service, clock)
	a, b := IDOf("dapi-a"), IDOf("dapi-b")
	service.list = listed("", a)
	for _, step := range []struct {
		name    string
		before  func()
		lists   int
		outage  Outage
		entries int
	}{
		{"first", func() {}, 1, "", 1},
		{"again at once", func() {}, 1, "", 1},
		{"later", func() { clock.advance(listReuse) }, 2, "", 1},
		{"after a change", func() { r.Purge(a) }, 3, "", 1},
		{"failing", func() {
			clock.advance(listReuse)
			service.setList(func(context.Context) ([]*Info, error) { return nil, &UnavailableError{Outage: Throttled} })
		}, 4, Throttled, 0},
		{"working again", func() { service.setList(listed("", a, b)) }, 5, "", 2},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.before()
			list, at, err := r.List(t.Context())
			var outage *UnavailableError
			if step.outage == "" {
				if err != nil || len(list) != step.entries || at.IsZero() {
					t.Errorf("%d tokens at %v: %v", len(list), at, err)
				}
			} else if !errors.As(err, &outage) || outage.Outage != step.outage {
				t.Errorf("got %v, want %s", err, step.outage)
			}
			if got := service.countLists(); got != step.lists {
				t.Errorf("%d lists, want %d", got, step.lists)
			}
		})
	}
	r.Close()
	if _, _, err := r.List(t.Context()); err == nil {
		t.Error("a closed resolver lists")
	}
}
