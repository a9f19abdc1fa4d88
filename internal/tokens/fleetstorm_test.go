package tokens

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestFleetStorm takes a fleet through chance: changes, requests, lists, forgetting and doubt,
// with answers that take their time. Whatever happens, a request is judged by what is true
// after the last change that was told before it arrived, and by nothing older than it allows.
func TestFleetStorm(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { fleetStorm(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func fleetStorm(t *testing.T, chance *rand.Rand) {
	const tokens = 12
	fleet, truth := newFleet(), newTokens()
	version := func(i, n int) *Info {
		return &Info{ID: garbage(i), Comment: fmt.Sprint(n), Scopes: []string{fmt.Sprint("s", n)}}
	}
	var mu sync.Mutex
	told := make(map[ID]int) // the last version that all were told of; odd ones are revoked
	for i := range tokens {
		truth.set(garbage(i), version(i, 0))
	}
	service := truth.service()
	all := fleet.gateways(t, 4, service, Settings{Size: 100, Rate: 5, Concurrency: 2, Timeout: 2 * time.Second, Sync: 20 * time.Second})
	var wg sync.WaitGroup
	for range 600 {
		time.Sleep(time.Duration(chance.IntN(100)) * time.Millisecond)
		i := chance.IntN(tokens)
		r, id := all[chance.IntN(len(all))], garbage(i)
		switch chance.IntN(30) {
		case 0:
			mu.Lock()
			n := told[id] + 1
			if n%2 == 1 {
				truth.set(id, nil)
			} else {
				truth.set(id, version(i, n))
			}
			fleet.purge(id)
			told[id] = n
			mu.Unlock()
		case 1:
			if chance.IntN(5) == 0 {
				fleet.forgetAll()
			}
		case 2:
			r.Doubt()
		}
		reader := Freshness{TTL: time.Duration(chance.IntN(3)) * 15 * time.Second, NegativeTTL: time.Second, MaxStale: time.Minute, UnknownExpiry: true}
		wg.Go(func() {
			mu.Lock()
			least := told[id]
			mu.Unlock()
			arrived := time.Now()
			facts, err := r.Resolve(t.Context(), id, reader)
			mu.Lock()
			most := told[id]
			mu.Unlock()
			switch {
			case err == nil:
				var got int
				_, _ = fmt.Sscan(facts.Info.Comment, &got)
				if got < least || got > most {
					t.Errorf("version %d, though %d was told when the request arrived", got, least)
				}
				// Who joins a look-up or a list in progress gets what it says.
				const under = 250 * time.Millisecond
				if age := arrived.Sub(facts.At); facts.Source != FromStale && age > reader.TTL+under || age > reader.TTL+reader.MaxStale {
					t.Errorf("from %q, %v old; ttl %v", facts.Source, age, reader.TTL)
				}
			case errors.Is(err, ErrUnknownToken):
				if least == most && least%2 == 0 {
					t.Errorf("unknown, though version %d was told when the request arrived", least)
				}
			default:
				var outage *UnavailableError
				if !errors.As(err, &outage) || outage.Outage != Overloaded {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	wg.Wait()
	for _, r := range all {
		if got := r.Outage(); got != "" {
			t.Errorf("outage %s", got)
		}
	}
}
