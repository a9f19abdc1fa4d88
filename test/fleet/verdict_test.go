package fleet

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// pushed is how soon a change must hold everywhere, in a fleet without faults.
const pushed = time.Second

// mustPass fails the test unless a token passes at every gateway.
func mustPass(t *testing.T, token string, all ...*fleettest.Gateway) {
	t.Helper()
	for _, g := range all {
		if got := g.Use(token); !got.Passes() {
			t.Fatalf("%s: %v, want it to pass: %s", g.Name, got, got.Body)
		}
	}
}

// mustRefuse waits until every gateway refuses a token for a reason, and fails the test if
// that takes longer than a limit, or if one that refused it lets it pass again.
func mustRefuse(t *testing.T, token, reason string, since time.Time, limit time.Duration, all ...*fleettest.Gateway) {
	t.Helper()
	var wg sync.WaitGroup
	for _, g := range all {
		wg.Go(func() {
			for {
				asked := time.Now()
				got, err := g.Request(http.MethodGet, harness.JobsList, token, "")
				switch {
				case err != nil:
					t.Errorf("%s: %v", g.Name, err)
					return
				case got.Reason == reason:
					for range 5 {
						if got, err := g.Request(http.MethodGet, harness.JobsList, token, ""); err != nil || got.Reason != reason {
							t.Errorf("%s: %v %v after it was refused", g.Name, got, err)
						}
					}
					return
				case asked.Sub(since) > limit+fleettest.Slack():
					t.Errorf("%s: %v, %v after the change; want %s within %v", g.Name, got, asked.Sub(since).Round(time.Millisecond), reason, limit)
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	wg.Wait()
}
