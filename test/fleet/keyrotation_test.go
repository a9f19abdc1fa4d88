package fleet

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

// TestKeyRotation replaces the fleet's key in three rounds of restarts, one gateway after the
// other, while requests flow: no answer is wrong, revocations reach all in between, and what
// the store has is found until the old key is gone.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	next := r.Secret("next.key", fleettest.RandomHex(32))
	all := r.Shared(3, nil)
	good := make([]fakeworkspace.Token, 20)
	for i := range good {
		good[i] = r.Mint()
		mustPass(t, good[i].Value, all...)
	}
	// A gateway that has not read the log yet believes nothing of the store, and one on a busy
	// machine does not wait for it: so each may look up a token when it has just started.
	few := len(all)
	for _, round := range []struct {
		name string
		keys []string
		most int // look-ups in the round
	}{
		{"all can open the next key", []string{r.Key, next}, few},
		{"all seal with the next key", []string{next, r.Key}, few},
		{"the old key is gone", []string{next}, 2 * len(good)},
	} {
		t.Run(round.name, func(t *testing.T) {
			r.Workspace.Reset()
			for i, g := range all {
				var others []*fleettest.Gateway
				for j, other := range all {
					if j != i {
						others = append(others, other)
					}
				}
				traffic := startTraffic(t, good, others...)
				g.Stop()
				g.Setting.Keys = round.keys
				g.Start()
				for _, token := range good {
					mustPass(t, token.Value, g)
				}
				traffic.end()
			}
			// Each start looks up the admin's own token, which proves how ids are made.
			if got := r.Workspace.Lookups() - len(all); got > round.most {
				t.Errorf("%d look-ups, want at most %d", got, round.most)
			}
			awaitSharing(t, r, all)
		})
	}
}

// TestOtherKey: a gateway with another key shares nothing with the fleet, and harms nothing.
func TestOtherKey(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	foreign := r.Secret("foreign.key", fleettest.RandomHex(32))
	all := r.Shared(3, func(i int, s *fleettest.Setting) {
		if i == 2 {
			s.Keys = []string{foreign}
		}
	})
	r.Workspace.Reset()
	token := r.Mint()
	mustPass(t, token.Value, all...)
	if got := r.Workspace.Lookups(); got != 2 {
		t.Errorf("%d look-ups, want one for each key", got)
	}
	awaitSharing(t, r, all[:2])
	mustPass(t, token.Value, all...)
	narrow := r.Workspace.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com", Scopes: []string{"sql"}})
	mustRefuse(t, narrow.Value, "missing_scope", time.Now(), pushed, all...)
}
