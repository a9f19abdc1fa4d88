package tokens

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// startHeld returns a resolver whose look-ups answer once release is closed.
func startHeld(t *testing.T, answer func(context.Context, ID) (*Info, error)) (r *Resolver, service *scripted, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	service = &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
		<-release
		return answer(ctx, id)
	}}
	r = newResolver(service, quick)
	t.Cleanup(r.Close)
	return r, service, release
}

// TestInvalidateBeatsLookups changes a token while a look-up or a refresh of it is in
// progress, whose answer must not be cached.
func TestInvalidateBeatsLookups(t *testing.T) {
	t.Parallel()
	id := IDOf(somePAT)
	old := func(_ context.Context, id ID) (*Info, error) {
		return &Info{ID: id, Comment: "old", Owner: NewPrincipal(42, ""), Creator: NewPrincipal(7, "")}, nil
	}
	for _, test := range []struct {
		name   string
		known  time.Duration // age of the facts, 0 for none
		during func(context.Context, ID) (*Info, error)
		change func(*Resolver)
		after  func(context.Context, ID) (*Info, error)
	}{
		{"revoked during the first look-up", 0, old, func(r *Resolver) { r.Purge(id) }, unknown},
		{"narrowed during the first look-up", 0, old, func(r *Resolver) { r.Purge(id) }, found},
		{"revoked during a refresh", 50 * time.Second, old, func(r *Resolver) { r.Purge(id) }, unknown},
		{"revoked during a look-up of stale facts", time.Hour, old, func(r *Resolver) { r.Purge(id) }, unknown},
		{"all forgotten during the first look-up", 0, old, (*Resolver).ForgetAll, unknown},
		{"all forgotten during a refresh", 50 * time.Second, old, (*Resolver).ForgetAll, unknown},
		{"all forgotten during a look-up of stale facts", time.Hour, old, (*Resolver).ForgetAll, found},
		{"all forgotten during a look-up of an unknown token", 0, unknown, (*Resolver).ForgetAll, found},
		{"owner deleted during the first look-up", 0, old, func(r *Resolver) { r.ForgetOwner(42) }, unknown},
		{"owner deleted during a refresh", 50 * time.Second, old, func(r *Resolver) { r.ForgetOwner(42) }, unknown},
		{"creator changed during a look-up of stale facts", time.Hour, old, func(r *Resolver) { r.ForgetOwner(7) }, found},
		{"created during a look-up", 0, unknown, func(r *Resolver) { r.Purge(id) }, found},
		{"some token created during a look-up", 0, unknown, func(r *Resolver) { r.ForgetUnknown() }, found},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, service, release := startHeld(t, test.during)
				if test.known > 0 {
					info, _ := old(t.Context(), id)
					r.cache.remember(id, info, time.Now().Add(-test.known), 0)
				}
				go func() { _, _ = r.Resolve(context.Background(), id, fresh) }()
				synctest.Wait() // until it is in progress
				test.change(r)
				service.set(test.after)

				want, wantErr := test.after(t.Context(), id)
				check := func(when string) {
					t.Helper()
					facts, err := r.Resolve(t.Context(), id, fresh)
					if !errors.Is(err, wantErr) || wantErr == nil && facts.Info.Comment != want.Comment {
						t.Errorf("%s: %v, %v", when, facts.Info, err)
					}
				}
				if test.name != "some token created during a look-up" {
					check("during the old look-up")
				}
				close(release)
				synctest.Wait()
				check("after the old look-up")
			})
		})
	}
}

func TestInvalidateLeavesNoNegative(t *testing.T) {
	t.Parallel()
	service := &scripted{answer: unknown}
	r := newTestResolver(t, service, newClock())
	id := IDOf(somePAT)
	for _, test := range []struct {
		name   string
		forget func()
	}{
		{"forget unknown", r.ForgetUnknown},
		{"purge", func() { r.Purge(id) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			service.set(unknown)
			if _, err := r.Resolve(t.Context(), id, fresh); !errors.Is(err, ErrUnknownToken) {
				t.Fatal(err)
			}
			test.forget()
			service.set(found)
			if _, err := r.Resolve(t.Context(), id, fresh); err != nil {
				t.Error(err)
			}
			r.Purge(id)
		})
	}
}

// TestWaitingRequestIsJudgedAgain: a request that waits for a look-up while its token is
// changed gets what a later look-up says.
func TestWaitingRequestIsJudgedAgain(t *testing.T) {
	t.Parallel()
	id, other := IDOf(somePAT), IDOf("dapi-other")
	old := func(_ context.Context, id ID) (*Info, error) {
		return &Info{ID: id, Comment: "old", Owner: NewPrincipal(42, "")}, nil
	}
	fails := func(context.Context, ID) (*Info, error) { return nil, &UnavailableError{Outage: ServerError} }
	for _, test := range []struct {
		name   string
		known  time.Duration // age of the facts, 0 for none
		during func(context.Context, ID) (*Info, error)
		change func(*Resolver)
		after  func(context.Context, ID) (*Info, error)
		want   string // the comment, "unknown" or "outage"
		looks  int
	}{
		{"revoked", 0, old, func(r *Resolver) { r.Purge(id) }, unknown, "unknown", 2},
		{"narrowed", 0, old, func(r *Resolver) { r.Purge(id) }, found, "found", 2},
		{"all forgotten", 0, old, (*Resolver).ForgetAll, unknown, "unknown", 2},
		{"its owner deleted", 0, old, func(r *Resolver) { r.ForgetOwner(42) }, unknown, "unknown", 2},
		{"gone from a list that was asked for later", 0, old, func(r *Resolver) {
			time.Sleep(time.Second)
			r.cache.replace([]*Info{{ID: id}}, time.Now(), r.cache.since())
			time.Sleep(time.Second)
			r.cache.replace([]*Info{{ID: other}}, time.Now(), r.cache.since())
		}, unknown, "unknown", 1},
		{"revoked, and then look-ups fail", 0, old, func(r *Resolver) { r.Purge(id) }, fails, "outage", 2},
		{"another token revoked", 0, old, func(r *Resolver) { r.Purge(other) }, unknown, "old", 1},
		{"another owner deleted", 0, func(_ context.Context, id ID) (*Info, error) {
			return &Info{ID: id, Comment: "old", Owner: NewPrincipal(42, ""), Creator: NewPrincipal(42, "")}, nil
		}, func(r *Resolver) { r.ForgetOwner(43) }, unknown, "old", 1},
		{"nothing changed", 0, old, func(*Resolver) {}, unknown, "old", 1},

		{"stale facts, nothing changed", 5 * time.Minute, fails, func(*Resolver) {}, fails, "old", 1},
		{"stale facts, revoked", 5 * time.Minute, fails, func(r *Resolver) { r.Purge(id) }, fails, "outage", 1},
		{"stale facts, all forgotten", 5 * time.Minute, fails, (*Resolver).ForgetAll, fails, "outage", 1},
		{"stale facts, its owner deleted", 5 * time.Minute, fails, func(r *Resolver) { r.ForgetOwner(42) }, fails, "outage", 1},
		{"stale facts, narrowed and looked up", 5 * time.Minute, fails, func(r *Resolver) {
			r.Purge(id)
			r.cache.remember(id, &Info{ID: id, Comment: "narrowed"}, time.Now(), r.cache.since())
		}, fails, "narrowed", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, service, release := startHeld(t, test.during)
				if test.known > 0 {
					info, _ := old(t.Context(), id)
					r.cache.remember(id, info, time.Now().Add(-test.known), 0)
				}
				got := make(chan string)
				go func() {
					facts, err := r.Resolve(context.Background(), id, fresh)
					switch {
					case err == nil:
						got <- facts.Info.Comment
					case errors.Is(err, ErrUnknownToken):
						got <- "unknown"
					case isOutage(err):
						got <- "outage"
					}
				}()
				synctest.Wait() // until it is in progress
				test.change(r)
				service.set(test.after)
				close(release)
				if got := <-got; got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if got := service.count(); got != test.looks {
					t.Errorf("%d look-ups, want %d", got, test.looks)
				}
			})
		})
	}
}

// TestLooksAreBounded: changes that never end neither hold a request forever nor turn it
// away: it is judged by what was asked for after it arrived. Those that wait together look
// together.
func TestLooksAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r *Resolver
		service := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
			time.Sleep(time.Millisecond)
			r.ForgetAll()
			return found(ctx, id)
		}}
		r = newResolver(service, quick)
		defer r.Close()
		const requests = 100
		var group sync.WaitGroup
		for range requests {
			group.Go(func() {
				arrived := time.Now()
				if facts, err := r.Resolve(context.Background(), IDOf(somePAT), fresh); err != nil || facts.At.Before(arrived) {
					t.Errorf("got %v, %v", facts, err)
				}
			})
		}
		group.Wait()
		if got := service.count(); got > 2*maxLooks {
			t.Errorf("%d look-ups for %d requests that came together", got, requests)
		}
	})
}

// TestSlowLooksAreBounded: a request does not wait for one slow answer after the other.
func TestSlowLooksAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r *Resolver
		r = newResolver(&scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
			time.Sleep(quick.Timeout - time.Second)
			r.ForgetAll()
			return found(ctx, id)
		}}, quick)
		defer r.Close()
		began := time.Now()
		if facts, err := r.Resolve(context.Background(), IDOf(somePAT), fresh); err != nil || facts.At.Before(began) {
			t.Errorf("got %v, %v", facts, err)
		}
		if took := time.Since(began); took > 2*quick.Timeout {
			t.Errorf("it waited %v", took)
		}
	})
}

// TestForgetBeatsTheList: a list that was asked for before everything, or the owner of a
// token, was forgotten brings nothing back.
func TestForgetBeatsTheList(t *testing.T) {
	t.Parallel()
	id := IDOf(somePAT)
	info := &Info{ID: id, Comment: "old", Owner: NewPrincipal(42, ""), Creator: NewPrincipal(42, "")}
	for _, test := range []struct {
		name   string
		forget func(*Resolver)
		want   error
	}{
		{"nothing", func(*Resolver) {}, nil},
		{"all", (*Resolver).ForgetAll, ErrUnknownToken},
		{"the owner", func(r *Resolver) { r.ForgetOwner(42) }, ErrUnknownToken},
		{"another owner", func(r *Resolver) { r.ForgetOwner(43) }, nil},
		{"the token", func(r *Resolver) { r.Purge(id) }, ErrUnknownToken},
	} {
		for _, known := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					r := newResolver(&scripted{answer: unknown, list: func(context.Context) ([]*Info, error) {
						<-release
						return []*Info{info}, nil
					}}, quick)
					defer r.Close()
					if known {
						r.cache.remember(id, info, time.Now(), 0)
						time.Sleep(time.Second)
					}
					go r.syncOnce(t.Context())
					synctest.Wait()
					test.forget(r)
					close(release)
					synctest.Wait()
					if _, err := r.Resolve(t.Context(), id, fresh); !errors.Is(err, test.want) {
						t.Errorf("known before: %v: got %v, want %v", known, err, test.want)
					}
				})
			})
		}
	}
}

// TestForgetOwner: only the tokens that an owner has or created are forgotten, and those
// that might be.
func TestForgetOwner(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		owner, creator int64
		want           error
	}{
		{"owned", 42, 1, ErrUnknownToken},
		{"created", 1, 42, ErrUnknownToken},
		{"owned and created by others", 1, 2, nil},
		{"of an unknown owner", 0, 1, ErrUnknownToken},
		{"of an unknown creator", 1, 0, ErrUnknownToken},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service := &scripted{answer: func(_ context.Context, id ID) (*Info, error) {
				return &Info{ID: id, Owner: NewPrincipal(test.owner, ""), Creator: NewPrincipal(test.creator, "")}, nil
			}}
			r := newTestResolver(t, service, newClock())
			if _, err := r.Resolve(t.Context(), IDOf(somePAT), fresh); err != nil {
				t.Fatal(err)
			}
			service.set(unknown)
			r.ForgetOwner(42)
			if _, err := r.Resolve(t.Context(), IDOf(somePAT), fresh); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestForgottenTokensKeepTheirLane: tokens that were known do not have to compete with a
// flood of invented ones after everything was forgotten.
func TestForgottenTokensKeepTheirLane(t *testing.T) {
	t.Parallel()
	service := &scripted{answer: found}
	clock := newClock()
	slow := quick
	slow.Rate = 4
	r := newResolver(service, slow, WithClock(clock.Now), withJitter(never))
	t.Cleanup(r.Close)
	id := IDOf(somePAT)
	resolveOrFail(t, r, id)
	clock.advance(time.Minute / 2)
	for i := range 100 { // which take whatever nothing is reserved for
		r.limits.try(r.laneOf(&ID{byte(i)}, false))
	}
	r.ForgetAll()
	resolveOrFail(t, r, id)
	if got := service.count(); got != 2 {
		t.Errorf("%d look-ups, want 2", got)
	}
}
