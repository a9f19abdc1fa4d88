package console_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

// browser follows a stream. What it does not read yet waits in the handler.
type browser struct {
	*io.PipeWriter
	header http.Header
	read   *bufio.Reader
	ended  chan struct{}
}

func (b *browser) Header() http.Header { return b.header }
func (*browser) WriteHeader(int)       {}
func (*browser) Flush()                {}

// follow begins to follow. It must be called in a bubble of synctest.
func follow(t *testing.T, s console.Source, options console.Options, query string) *browser {
	t.Helper()
	options.Loopback = true
	return followIn(t, console.New(s, options), query)
}

func followIn(t *testing.T, handler http.Handler, query string) *browser {
	t.Helper()
	from, to := io.Pipe()
	b := &browser{PipeWriter: to, header: http.Header{}, read: bufio.NewReader(from), ended: make(chan struct{})}
	ctx, leave := context.WithCancel(t.Context())
	t.Cleanup(func() { leave(); _ = from.Close(); <-b.ended })
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/stream"+query, nil)
	r.Host = "localhost"
	go func() {
		defer close(b.ended)
		handler.ServeHTTP(b, r)
		_ = to.Close()
	}()
	return b
}

// next returns an event: its name, or an empty string for a comment, and its data.
func (b *browser) next(t *testing.T) (name, data string) {
	t.Helper()
	for {
		line, err := b.read.ReadString('\n')
		if err != nil {
			t.Fatalf("reading the stream: %v", err)
		}
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "event: "); ok {
			name = text
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			data += text + "\n"
		}
		if strings.HasPrefix(line, "retry:") {
			_, _ = b.read.ReadString('\n')
			continue
		}
		if line == "" {
			return name, data
		}
	}
}

// put records a decision.
func put(s *source, i int, reason policy.Reason) {
	r := &audit.Record{Time: now, Method: "GET", Path: "/path", RequestID: requestID(i), Outcome: audit.Answered, Owner: "someone@example.com"}
	r.Decision, r.Reason, r.Enforced = judge.Deny, reason, true
	if reason == policy.Permitted {
		r.Decision = judge.Allow
	}
	s.ring.Put(r)
}

func TestStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := full(t, "analyst@example.com")
		ending := make(chan struct{})
		b := follow(t, s, console.Options{Ending: ending}, "?outcome=refused")
		if name, data := b.next(t); name != "snapshot" || strings.Count(data, "<tr") != 1 || !strings.Contains(data, requestID(1)) {
			t.Errorf("first: %s\n%s", name, data)
		}
		if b.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("headers: %v", b.header)
		}
		put(s, 10, policy.MissingScope)
		put(s, 11, policy.TokenExpired)
		if name, data := b.next(t); name != "decisions" || strings.Count(data, "<tr") != 2 || strings.Index(data, requestID(11)) > strings.Index(data, requestID(10)) {
			t.Errorf("then: %s\n%s", name, data)
		}
		put(s, 12, policy.Permitted)
		if name, data := b.next(t); name != "" || data != "" {
			t.Errorf("of what is filtered out: %s\n%s", name, data)
		}
		for i := range 300 {
			put(s, 100+i, policy.MissingScope)
		}
		if name, data := b.next(t); name != "missed" || data != "100\n" {
			t.Errorf("of too many: %s\n%s", name, data)
		}
		if name, data := b.next(t); name != "decisions" || strings.Count(data, "<tr") != 200 {
			t.Errorf("of too many: %s, %d rows", name, strings.Count(data, "<tr"))
		}
		close(ending)
		<-b.ended
	})
}

// TestStreamHostile: rows of a stream are as safe as those of a page.
func TestStreamHostile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := follow(t, full(t, hostile), console.Options{}, "")
		_, data := b.next(t)
		for _, never := range []string{"<script>alert", secret, "\u202e", "\x1b"} {
			if strings.Contains(data, never) {
				t.Errorf("it has %q", never)
			}
		}
		if strings.Count(data, "<tr") != 4 {
			t.Errorf("rows:\n%s", data)
		}
	})
}

// TestStreams: browsers beyond a limit are told to wait.
func TestStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := console.New(full(t, "text"), console.Options{Loopback: true})
		for range 32 {
			followIn(t, handler, "") // which nobody reads
		}
		synctest.Wait()
		r := httptest.NewRequest(http.MethodGet, "/live/stream", nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	})
}
