package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestInvalidateBeatsLookups changes a token while a look-up or a refresh of it is in
// progress, whose answer must not be cached.
func TestInvalidateBeatsLookups(t *testing.T) {
	t.Parallel()
	id := IDOf(somePAT)
	old := func(_ context.Context, id ID) (*Info, error) { return &Info{ID: id, Comment: "old"}, nil }
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
		{"created during a look-up", 0, unknown, func(r *Resolver) { r.Purge(id) }, found},
		{"some token created during a look-up", 0, unknown, func(r *Resolver) { r.ForgetUnknown() }, found},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				service := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
					<-release
					return test.during(ctx, id)
				}}
				r := NewResolver(service, quick)
				defer r.Close()
				if test.known > 0 {
					r.cache.remember(id, &Info{ID: id, Comment: "old"}, time.Now().Add(-test.known), 0)
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
