package tokens

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestStorm: however often all tokens are forgotten or doubted, none of the known ones is
// turned away, and each is judged by what was asked for after its request arrived or, where
// all were doubted, by what is a few seconds old.
func TestStorm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		storm  func(*Resolver)
		oldest time.Duration // at the request's arrival
	}{
		{"forgotten", (*Resolver).ForgetAll, 0},
		{"doubted", (*Resolver).Doubt, doubtGrace},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
					time.Sleep(50 * time.Millisecond)
					return found(ctx, id)
				}}
				var ids []ID
				for i := range 300 {
					ids = append(ids, garbage(i))
				}
				d.setList(func(ctx context.Context) ([]*Info, error) {
					time.Sleep(500 * time.Millisecond)
					return listed("listed", ids...)(ctx)
				})
				r := newResolver(d, Settings{Size: 1000, Rate: 10, Concurrency: 4, Timeout: 5 * time.Second})
				defer r.Close()
				for _, id := range ids {
					r.cache.remember(id, &Info{ID: id}, time.Now(), 0)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for ctx.Err() == nil {
						test.storm(r)
						time.Sleep(30 * time.Millisecond)
					}
				})
				time.Sleep(10 * time.Second) // so that what was known is old
				var clients sync.WaitGroup
				for _, id := range ids {
					clients.Go(func() {
						for range 20 {
							arrived := time.Now()
							facts, err := r.Resolve(ctx, id, slow)
							if err != nil {
								t.Errorf("%v: %v", time.Since(arrived), err)
								return
							}
							if age := arrived.Sub(facts.At); age > test.oldest {
								t.Errorf("judged by what was %v old", age)
							}
							time.Sleep(time.Second)
						}
					})
				}
				clients.Wait()
				cancel()
				wg.Wait()
			})
		})
	}
}

// TestDoubtTakesEffectAtOnce: the next request with a token is judged by a look-up, unless
// there is no turn for it. In a storm that may be a second later.
func TestDoubtTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &scripted{answer: found}
		r := newResolver(service, quick)
		defer r.Close()
		id := IDOf(somePAT)
		for range 2 * doubtBurst {
			resolveOrFail(t, r, id)
			r.Doubt()
		}
		time.Sleep(2 * time.Second)
		service.set(unknown)
		r.Doubt()
		if _, err := r.Resolve(t.Context(), id, fresh); err == nil {
			t.Error("it passes after everything was doubted")
		}
	})
}
