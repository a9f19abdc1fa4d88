package edge

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSilence checks that a stream which says nothing for too long is left, and that comments
// are enough to keep it.
func TestSilence(t *testing.T) {
	t.Parallel()
	const short = time.Second
	stream := newFeed(begin(at(5)))
	first, second := newScript(t, streams(stream)), newScript(t, streams(newFeed(hello(at(5)))))
	said := newMessages()
	g := newGateway(t, []*script{first, second}, func(o *Options) { o.Upstream = said.add })
	g.silence = short
	g.Start()
	for began := time.Now(); time.Since(began) < 2*short; time.Sleep(short / 20) {
		stream <- ":\n\n"
	}
	if got := len(second.requests("GET changes")); got != 0 {
		t.Fatal("it left a stream that lives")
	}
	second.waitForAck(t, at(5))
	said.expect(t, "", errSilent.Error(), "")
}

// TestSilentFromTheStart is about authorities that take a subscription and do not even say
// hello: nothing of this edge was shut down.
func TestSilentFromTheStart(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*testing.T) string{
		"no answer": func(t *testing.T) string {
			return newScript(t, map[string]http.HandlerFunc{"GET changes": hangs}).URL
		},
		"no end of a refusal": func(t *testing.T) string {
			return newScript(t, map[string]http.HandlerFunc{"GET changes": func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusServiceUnavailable)
				_ = http.NewResponseController(w).Flush()
				hangs(w, r)
			}}).URL
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := newScript(t, streams(newFeed(begin(at(5)))))
			said := newMessages()
			g := newGateway(t, []*script{second}, func(o *Options) {
				o.URLs, o.Upstream = []string{url(t), second.URL}, said.add
			})
			g.silence = time.Second
			g.Start()
			second.waitForAck(t, at(5))
			said.expect(t, errSilent.Error(), "")
		})
	}
}

// messages are what a client says of its subscription.
type messages struct {
	mu   sync.Mutex
	said []string
}

func newMessages() *messages { return &messages{} }

func (m *messages) add(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.said = append(m.said, text)
}

func (m *messages) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.said...)
}

// expect wants these messages: errors by a part of their text.
func (m *messages) expect(t *testing.T, want ...string) {
	t.Helper()
	got := m.all()
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && (got[i] == "") == (want[i] == "") && strings.Contains(got[i], want[i])
	}
	if !ok {
		t.Errorf("%q, want %q", got, want)
	}
}
