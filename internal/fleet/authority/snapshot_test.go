package authority

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/usage"
)

const instance = "abcdefghijklmnopqrstuvwx23"

func TestUsage(t *testing.T) {
	saved := map[string]string{}
	var fails error
	f := newFixture(t, func(o *Options) {
		o.Usage = func(_ context.Context, instance string, snapshot []byte) error {
			if fails == nil {
				saved[instance] = string(snapshot)
			}
			return fails
		}
	})
	path := wire.Prefix + "usage/" + instance
	f.expect(f.ask("PUT", path, []byte("first")), 204, "")
	for range 60 { // again costs nothing
		f.clock.pass(100 * time.Millisecond)
		f.expect(f.ask("PUT", path, []byte("second")), 204, "")
	}
	if saved[instance] != "second" {
		t.Errorf("saved %q", saved)
	}
	f.expect(f.ask("PUT", path, []byte("third"), named("edge-2")), 403, wire.ForbiddenCode)
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"corrupt": {fmt.Errorf("%w: dapi-secret", usage.ErrCorrupt), 400, wire.MalformedCode},
		"newer":   {usage.ErrNewerVersion, 400, wire.MalformedCode},
		"full":    {errors.New("no space left on /secret"), 503, wire.UnavailableCode},
	} {
		fails = test.err
		got := f.ask("PUT", path, []byte(name))
		f.expect(got, test.status, test.code)
		if strings.Contains(string(got.body), "secret") {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	fails = nil
	for _, odd := range []string{"folded", "abc", strings.ToUpper(instance), instance + ".json", "..", instance[:25] + "!", "%2e%2e%2f" + instance[9:]} {
		got := f.ask("PUT", wire.Prefix+"usage/"+odd, []byte("x"))
		if got.status != 400 && got.status != 404 {
			t.Errorf("%q: status %d", odd, got.status)
		}
	}
	f.expect(f.ask("PUT", path, make([]byte, wire.MaxSnapshot+1)), 413, wire.TooLargeCode)
	f.expect(f.ask("PUT", path, make([]byte, wire.MaxSnapshot)), 204, "")
	if len(saved) != 1 {
		t.Errorf("saved %d instances", len(saved))
	}
}

// TestUsageInstances: an edge cannot fill the store.
func TestUsageInstances(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Usage = func(context.Context, string, []byte) error { return nil } })
	put := func(i int) int {
		name := instance[:24] + string([]byte{'a' + byte(i/26), 'a' + byte(i%26)})
		return f.ask("PUT", wire.Prefix+"usage/"+name, []byte("x")).status
	}
	passed := 0
	for i := range 40 {
		if status := put(i); status == 204 {
			passed++
		} else if status != 429 {
			t.Fatal(status)
		}
	}
	if passed != newInstances {
		t.Errorf("%d new instances, want %d", passed, newInstances)
	}
	if put(0) != 204 {
		t.Error("an old one is refused")
	}
	f.clock.pass(time.Hour / newInstances)
	if put(100) != 204 || put(101) != 429 {
		t.Error("not one more later")
	}
}

func TestUsageOff(t *testing.T) {
	f := newFixture(t)
	f.expect(f.ask("PUT", wire.Prefix+"usage/"+instance, []byte("x")), 404, wire.NoRouteCode)
}

// TestUsageUploads: few snapshots are in memory at once.
func TestUsageUploads(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	f := newFixture(t, func(o *Options) {
		o.Usage = func(context.Context, string, []byte) error { enter <- struct{}{}; <-leave; return nil }
	})
	var all sync.WaitGroup
	put := func(i int) *reply {
		return f.ask("PUT", wire.Prefix+"usage/"+instance[:25]+string(rune('a'+i)), []byte("x"), named(fmt.Sprint(i)))
	}
	for i := range maxUploads {
		all.Go(func() {
			if got := put(i); got.status != 204 {
				t.Errorf("status %d", got.status)
			}
		})
		<-enter
		if i == 0 { // an edge takes one place
			f.expect(put(0), 503, wire.UnavailableCode)
		}
	}
	f.expect(put(maxUploads), 503, wire.UnavailableCode)
	close(leave)
	all.Wait()
}
