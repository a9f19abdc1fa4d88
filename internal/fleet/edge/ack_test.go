package edge

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// TestAppliedBeforeAck keeps a change from being applied for a while. Until then, neither the
// authority nor look-ups may believe that it is.
func TestAppliedBeforeAck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event string
		from  wire.Position // before the event
	}{
		"a change":         {begin(at(5)) + changed(at(6), fleet.AllChanged), at(5)},
		"a reset":          {begin(at(5)) + reset(at(6)), at(5)},
		"a reset at start": {begin(at(6)), wire.Position{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := newScript(t, streams(newFeed(c.event)))
			authority.set("GET tokens", knows(someToken, at(1)))
			var g *gateway
			apply := func() {
				if got := g.subscription.at(); got != c.from {
					t.Errorf("look-ups believe %s, want %s", got, c.from)
				}
				for began := time.Now(); time.Since(began) < 200*time.Millisecond; time.Sleep(5 * time.Millisecond) {
					if slices.Contains(authority.acked(t), at(6)) {
						t.Error("it was acknowledged before it was applied")
						return
					}
				}
				g.note("applied")
			}
			g = newGateway(t, []*script{authority}, func(o *Options) {
				o.Apply, o.Reset = func(fleet.Change) { apply() }, apply
			}).unsubscribed()
			if c.from.Epoch == "" { // there must be something to reset
				_, _ = g.lookup(someToken)
			}
			g.subscribes()
			authority.waitForAck(t, at(6))
			if !slices.Contains(g.noted(), "applied") {
				t.Error("it was not applied")
			}
		})
	}
}

// TestLatestAck checks that one ack does for everything that was applied while another one was
// under way.
func TestLatestAck(t *testing.T) {
	t.Parallel()
	stream := newFeed(begin(at(5)))
	authority := newScript(t, streams(stream))
	release := make(chan struct{})
	authority.set("POST acks", func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	g := newGateway(t, []*script{authority})
	g.Start()
	waitFor(t, "the first ack", func() bool { return len(authority.acked(t)) == 1 })
	stream <- changed(at(6), fleet.Doubted) + changed(at(7), fleet.Doubted) + changed(at(8), fleet.Doubted)
	stream <- changed(at(9), fleet.Doubted)
	waitFor(t, "the last change", func() bool { return g.Generation() == 9 })
	close(release)
	authority.waitForAck(t, at(9))
	// Whether the last change still counts for the second ack is a matter of an instant.
	if got := authority.acked(t); !slices.Equal(got, []wire.Position{at(5), at(9)}) && !slices.Equal(got, []wire.Position{at(5), at(8), at(9)}) {
		t.Errorf("%v", got)
	}
}

// TestAckOfHello checks what is acknowledged when nothing was missed, and over which connection:
// authorities tell edges of one name apart by it.
func TestAckOfHello(t *testing.T) {
	t.Parallel()
	first := newScript(t, streams(newFeed(begin(at(5)), "")))
	second := newScript(t, streams(newFeed(hello(at(5)))))
	g := newGateway(t, []*script{first, second})
	g.Start()
	second.waitForAck(t, at(5))
	acks := second.requests("POST acks")
	if len(acks) != 1 || acks[0].remote != second.requests("GET changes")[0].remote {
		t.Errorf("%+v", acks)
	}
	if got := acks[0].header.Get("Content-Type"); got != "application/json" {
		t.Errorf("type %q", got)
	}
}

// TestAckFails checks that an authority which takes no acks is still followed.
func TestAckFails(t *testing.T) {
	t.Parallel()
	stream := newFeed(begin(at(5)))
	authority := newScript(t, streams(stream))
	authority.set("POST acks", says(http.StatusServiceUnavailable, "<html>"))
	g := newGateway(t, []*script{authority})
	g.Start()
	waitFor(t, "the first ack", func() bool { return len(authority.acked(t)) == 1 })
	stream <- changed(at(6), fleet.Doubted)
	authority.waitForAck(t, at(6))
	if got := len(authority.requests("GET changes")); got != 1 {
		t.Errorf("it subscribed %d times", got)
	}
}
