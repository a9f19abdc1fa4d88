package console_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/tokens"
)

// counting counts how often the workspace's tokens are listed.
type counting struct {
	adminapi.TokenService
	lists *int
}

func (c counting) List(ctx context.Context) ([]*tokens.Info, time.Time, error) {
	*c.lists++
	return c.TokenService.List(ctx)
}

// later is a source at another time.
type later struct {
	*source
	after *time.Duration
}

func (l later) Now() time.Time { return now.Add(*l.after) }

// TestReportIsReused: turning pages and sorting does not join the usage of all tokens again,
// and after a while the page is up to date.
func TestReportIsReused(t *testing.T) {
	t.Parallel()
	lists, after := 0, time.Duration(0)
	s := later{many(t, 250), &after}
	s.workspaces[0].Tokens = counting{s.workspaces[0].Tokens, &lists}
	pages := console.New(s, console.Options{Loopback: true})
	for _, step := range []struct {
		name, path string
		after      time.Duration
		lists      int
	}{
		{"first", "/tokens", 0, 1},
		{"next page", "/tokens?page=2", time.Second, 1},
		{"sorted", "/tokens?sort=owner", 9 * time.Second, 1},
		{"first, as before", "/tokens", 9 * time.Second, 1},
		{"later", "/tokens?sort=owner", 11 * time.Second, 2},
		{"the clock was set back", "/tokens", -time.Hour, 3},
	} {
		after = step.after
		r := httptest.NewRequest(http.MethodGet, step.path, nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r)
		if w.Code != http.StatusOK || lists != step.lists {
			t.Errorf("%s: %d, listed %d times, want %d", step.name, w.Code, lists, step.lists)
		}
		if first := rowLink.FindStringSubmatch(w.Body.String()); step.path == "/tokens" && first[1] != "fa" {
			t.Errorf("%s: the first token is %s", step.name, first[1])
		}
	}
}
