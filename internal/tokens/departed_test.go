package tokens

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestGone: it is known of an owner after SCIM was asked, and asked again after a day.
func TestGone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		err         error
		named       bool
		gone, known bool
	}{
		{"there", nil, true, false, true},
		{"deleted", ErrNoOwner, false, true, true},
		{"deactivated", ErrInactive, true, true, true},
		{"an answer without a name", ErrNoName, false, false, false},
		{"an outage", errors.New("an outage"), false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				o := NewOwnersFrom(func(_ context.Context, id int64) (Principal, error) {
					if id == 8 {
						return NewPrincipal(8, "other@example.com"), nil
					}
					asked.Add(1)
					if !test.named {
						return Principal{}, test.err
					}
					return NewPrincipal(7, "etl@example.com"), test.err
				}, nil)
				defer o.Close()
				if _, known := o.Gone(7); known {
					t.Error("it was known before it was asked")
				}
				o.Gone(8) // so that some owner is known to be there
				time.Sleep(10 * time.Second)
				if gone, known := o.Gone(7); gone && known != test.gone || known != test.known {
					t.Errorf("gone %v, known %v", gone, known)
				}
				if name, _ := o.Complete(NewPrincipal(7, "")).Name(); (name != "") != test.named {
					t.Errorf("the name is %q", name)
				}
				if gone, known := o.Gone(0); gone || known {
					t.Error("an unknown owner is gone")
				}
				synctest.Wait()
				before := asked.Load()
				for range 24 * 60 {
					o.Gone(7)
					time.Sleep(time.Minute)
				}
				switch more := asked.Load() - before; {
				case test.known && more > 2, !test.known && more < 100:
					t.Errorf("asked %d times more within a day", more)
				}
			})
		})
	}
}

// TestAllGone: if SCIM answers 404 to everything, it may not be SCIM that answers.
func TestAllGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := NewOwnersFrom(func(context.Context, int64) (Principal, error) { return Principal{}, ErrNoOwner }, nil)
		defer o.Close()
		for range 2 {
			for id := range int64(3) {
				if gone, known := o.Gone(id + 1); gone && known {
					t.Errorf("owner %d is gone", id+1)
				}
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// TestGoneInWorkspace asks a workspace.
func TestGoneInWorkspace(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	user := workspace.AddUser("etl@example.com", false)
	const left, inactive = 424242, 434343
	workspace.Handle("GET /api/2.0/preview/scim/v2/Users/434343", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"434343","userName":"old@example.com","active":false}`))
	}))
	owners := NewOwners(workspace.URL(), m2m(workspace), 5*time.Second)
	t.Cleanup(owners.Close)
	for id, want := range map[int64]bool{user: false, left: true, inactive: true} {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			owners.Gone(user) // it must be known of one that it is there
			gone, known := owners.Gone(id)
			if known {
				if gone != want {
					t.Errorf("owner %d is gone: %v", id, gone)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("nothing is known of owner %d", id)
			}
		}
	}
	if got := nameOf(owners, inactive); got != "old@example.com" {
		t.Errorf("the name of an inactive owner is %q", got)
	}
}
