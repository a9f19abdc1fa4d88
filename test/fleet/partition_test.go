package fleet

import (
	"net/http"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

// TestPartition: one gateway loses the network to Redis while tokens are revoked. When it is
// back it believes nothing from before, whether the log still has the changes or not.
func TestPartition(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cut  func(*relay.Relay)
		log  func(t *testing.T, r *fleettest.Rig) // what happens to the log meanwhile
	}{
		{"silent", (*relay.Relay).FreezeAll, func(*testing.T, *fleettest.Rig) {}},
		{"silent, and the log is trimmed", (*relay.Relay).FreezeAll, func(t *testing.T, r *fleettest.Rig) {
			for _, name := range keys(t, r.Redis, ":log") {
				command(t, r.Redis, "XTRIM", name, "MAXLEN", "0")
			}
		}},
		{"silent, and the log is another one", (*relay.Relay).FreezeAll, func(t *testing.T, r *fleettest.Rig) { command(t, r.Redis, "FLUSHALL") }},
		{"reset again and again", func(n *relay.Relay) { n.FreezeAll(); n.Reset() }, func(*testing.T, *fleettest.Rig) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := fleettest.New(t, true)
			network := relay.Start(t, r.Redis.Addr)
			all := r.Shared(3, func(i int, s *fleettest.Setting) {
				if i == 2 {
					s.Redis = network.Addr()
				}
			})
			cut := all[2]
			seen, unseen, kept := r.Mint(), r.Mint(), r.Mint()
			mustPass(t, seen.Value, all...)
			mustPass(t, unseen.Value, all[:2]...) // the store has it, and the third does not know it
			mustPass(t, kept.Value, all...)

			test.cut(network)
			for _, id := range []string{seen.Info.TokenId, unseen.Info.TokenId} {
				got, err := all[0].Request(http.MethodDelete, tokensPath+"/"+id, r.Admin, "")
				if err != nil || !got.Passes() {
					t.Fatalf("revoking: %v %v", got, err)
				}
			}
			mustRefuse(t, seen.Value, "unknown_token", time.Now(), pushed, all[:2]...)
			if got := cut.Use(unseen.Value); got.Reason != "unknown_token" {
				t.Errorf("a token that it looked up by itself: %v", got)
			}
			mustPass(t, kept.Value, all...)
			test.log(t, r)

			network.Reset()
			network.Thaw()
			back := time.Now()
			mustRefuse(t, seen.Value, "unknown_token", back, recovers, all...)
			mustRefuse(t, unseen.Value, "unknown_token", back, recovers, all...)
			mustPass(t, kept.Value, all...)
			awaitSharing(t, r, all)
		})
	}
}
