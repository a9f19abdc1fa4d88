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
			before := unanswered(all)
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
			if got, excused := r.Workspace.Lookups()-len(all), unanswered(all)-before; got > round.most+excused {
				t.Errorf("%d look-ups, want at most %d; %d questions to the store had no answer in time", got, round.most, excused)
			}
			awaitSharing(t, r, all)
		})
	}
}

// unanswered returns how many questions to the store had no answer in time, which excuses as
// many look-ups.
func unanswered(all []*fleettest.Gateway) (count int) {
	for _, g := range all {
		count += g.Unanswered()
	}
	return count
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
	if got, excused := r.Workspace.Lookups(), unanswered(all); got < 2 || got > 2+excused {
		t.Errorf("%d look-ups, want one for each key; %d questions to the store had no answer in time", got, excused)
	}
	awaitSharing(t, r, all[:2])
	mustPass(t, token.Value, all...)
	narrow := r.Workspace.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com", Scopes: []string{"sql"}})
	mustRefuse(t, narrow.Value, "missing_scope", time.Now(), pushed, all...)
}
