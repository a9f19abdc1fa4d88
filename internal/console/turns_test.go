package console_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/tokens"
)

// slowList is a list of tokens for which the workspace takes its time.
type slowList struct {
	tokenList
	asked chan struct{}
	ready chan struct{} // closed when it answers
}

func (l slowList) List(ctx context.Context) ([]*tokens.Info, time.Time, error) {
	l.asked <- struct{}{}
	<-l.ready
	return l.tokenList.List(ctx)
}

func noJudges() []*judge.Judge { return nil }

// TestTurns: few requests look at all tokens at once, and other pages do not wait for them.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := full(t, "analyst@example.com")
		list := slowList{asked: make(chan struct{}, 100), ready: make(chan struct{})}
		s.workspaces[0].Tokens, s.workspaces[0].Judges = list, noJudges
		handler := console.New(s, console.Options{Loopback: true})
		ask := func(path string) int {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Host = "localhost"
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Code
		}
		codes := make(chan int, 100)
		for range 20 {
			go func() { codes <- ask("/break") }()
		}
		synctest.Wait()
		if n := len(list.asked); n != 8 {
			t.Errorf("%d requests at once", n)
		}
		for _, path := range []string{"/", "/live", "/why?id=00000001"} {
			if got := ask(path); got != http.StatusOK {
				t.Errorf("%s: %d", path, got)
			}
		}
		for _, path := range []string{"/tokens", "/tokens.csv", "/tokens/" + token, "/tokens/" + token + "/native/json", "/map"} {
			if got := ask(path); got != http.StatusServiceUnavailable {
				t.Errorf("%s does not wait: %d", path, got)
			}
		}
		close(list.ready)
		counts := make(map[int]int)
		for range 20 {
			counts[<-codes]++
		}
		if counts[http.StatusOK] != 8 || counts[http.StatusServiceUnavailable] != 12 {
			t.Errorf("answers: %v", counts)
		}
		if got := ask("/break"); got != http.StatusOK {
			t.Errorf("afterwards: %d", got)
		}
	})
}

// hurried is a browser with a deadline.
type hurried struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
	written   int // deadlines before the first byte
}

func (h *hurried) SetWriteDeadline(at time.Time) error {
	h.deadlines = append(h.deadlines, at)
	return nil
}

func (h *hurried) Write(b []byte) (int, error) {
	h.written = max(h.written, len(h.deadlines))
	return h.ResponseRecorder.Write(b)
}

// TestSlowReader: a browser that does not read cannot hold an answer for long.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	handler := console.New(full(t, "analyst@example.com"), console.Options{Loopback: true})
	for _, path := range []string{"/", "/live", "/tokens", "/tokens.csv", "/tokens/" + token, "/no-such-page"} {
		w := &hurried{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Host = "localhost"
		handler.ServeHTTP(w, r)
		if len(w.deadlines) != 2 || w.written != 1 || w.deadlines[0].IsZero() || !w.deadlines[1].IsZero() {
			t.Errorf("%s: deadlines %v, of which %d while it was written", path, w.deadlines, w.written)
		}
	}
}
