package oauth

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// somePAT is an invented token.
const somePAT = "dapi0123456789abcdef0123456789abcdef"

const (
	metadataPath = "/oidc/.well-known/oauth-authorization-server"
	openIDPath   = "/oidc/.well-known/openid-configuration"
	configPath   = "/.well-known/databricks-config"
	keysPath     = "/oidc/jwks.json"
)

// Limits of package tokens that tests here rely on.
const (
	maxAnswer         = 1 << 20     // bytes of one answer
	breakerTrip       = 3           // failures before the breaker opens
	breakerFirstPause = time.Second // until the first probe
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func startIssuer(t testing.TB, c *clock, options ...fakeworkspace.Option) *fakeworkspace.Workspace {
	t.Helper()
	w := fakeworkspace.New(append(options, fakeworkspace.WithClock(c.Now))...)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func newTestVerifier(t testing.TB, workspace string, c *clock) *Verifier {
	t.Helper()
	// Long, because the timeout itself is tested elsewhere and the machine may be busy.
	v := newVerifier(workspace, 30*time.Second, c.Now)
	t.Cleanup(v.Close)
	return v
}

// requestsTo counts the requests for a path.
func requestsTo(w *fakeworkspace.Workspace, path string) (n int) {
	for _, r := range w.Requests() {
		if r.Path == path {
			n++
		}
	}
	return n
}

// eventually waits until a condition holds.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for range 5000 {
		if condition() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal("the condition did not become true in 10 s")
}
