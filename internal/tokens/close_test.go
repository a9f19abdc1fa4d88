package tokens

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// TestCloseOverSockets closes a resolver while look-ups, a refresh, a list or the admin's
// sign-in hang in a real connection. No goroutine may be left.
func TestCloseOverSockets(t *testing.T) {
	for _, test := range []struct {
		name   string
		prefix string
	}{
		{"look-ups", managementAPI},
		{"signing in", "/oidc/v1/token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := startWorkspace(t)
			before := goleak.IgnoreCurrent()
			settings := quick
			settings.Timeout, settings.Sync = time.Minute, time.Hour
			c := newClock()
			r := newResolver(NewService(workspace.URL(), m2m(workspace), settings.Timeout), settings, WithClock(c.Now), withJitter(never))
			known := IDOf(somePAT)
			r.cache.remember(known, &Info{ID: known}, c.Now().Add(-50*time.Second), 0)
			hanging := workspace.Faults().Set(test.prefix, fakeworkspace.Hang())

			errs := make(chan error)
			const crowd = 10
			for i := range crowd {
				go func() {
					_, err := r.Resolve(context.Background(), garbage(i), fresh)
					errs <- err
				}()
			}
			if facts, err := r.Resolve(t.Context(), known, fresh); err != nil || facts.Source != FromCache {
				t.Errorf("from %q, %v", facts.Source, err)
			}
			for hanging.Hits() == 0 {
				time.Sleep(time.Millisecond)
			}
			closed := time.Now()
			r.Close()
			for range crowd {
				var outage *UnavailableError
				if err := <-errs; !errors.As(err, &outage) {
					t.Errorf("got %v, want an outage", err)
				}
			}
			if took := time.Since(closed); took > 10*time.Second {
				t.Errorf("closing took %s", took)
			}
			if got := r.Outage(); got != "" {
				t.Errorf("closing is reported as an outage of the workspace: %s", got)
			}
			hanging.Remove()
			workspace.Close() // its own side of the connections
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}

			// Requests that are still running can read the cache.
			if facts, err := r.Resolve(t.Context(), known, fresh); err != nil || facts.Source != FromCache {
				t.Errorf("after closing: from %q, %v", facts.Source, err)
			}
			var outage *UnavailableError
			if _, err := r.Resolve(t.Context(), garbage(0), fresh); !errors.As(err, &outage) || outage.Outage != Closed {
				t.Errorf("after closing: %v, want %s", err, Closed)
			}
			r.start()
			r.Close()
		})
	}
}
