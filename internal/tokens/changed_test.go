package tokens

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestChanged: which differences others are told of.
func TestChanged(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	base := Info{
		ID: id, Owner: NewPrincipal(1, "a"), Creator: NewPrincipal(2, "b"), WorkspaceID: 3, Expires: NeverExpires,
		Scopes: []string{"jobs", "sql"}, Comment: "c",
	}
	with := func(change func(*Info)) *Info {
		info := base
		change(&info)
		return &info
	}
	for _, test := range []struct {
		name   string
		before *Info
		after  *Info
		want   bool
	}{
		{"the same", &base, with(func(*Info) {}), false},
		{"the order of scopes", &base, with(func(i *Info) { i.Scopes = []string{"sql", "jobs"} }), false},
		{"a comment", &base, with(func(i *Info) { i.Comment = "d" }), false},
		{"the last use", &base, with(func(i *Info) { i.LastUsed = time.Now() }), false},
		{"inferred scopes", &base, with(func(i *Info) { i.InferredScopes = []string{"jobs"} }), false},
		{"a scope less", &base, with(func(i *Info) { i.Scopes = []string{"jobs"} }), true},
		{"a scope more", &base, with(func(i *Info) { i.Scopes = []string{"jobs", "sql", "files"} }), true},
		{"the expiry", &base, with(func(i *Info) { i.Expires = Expiry{} }), true},
		{"the owner", &base, with(func(i *Info) { i.Owner = NewPrincipal(4, "a") }), true},
		{"the creator's name", &base, with(func(i *Info) { i.Creator = NewPrincipal(2, "z") }), true},
		{"the workspace", &base, with(func(i *Info) { i.WorkspaceID = 4 }), true},
		{"revoked", &base, nil, true},
		{"created", nil, &base, true},
		{"still unknown", nil, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, way := range []string{"look-up", "list"} {
				synctest.Test(t, func(t *testing.T) {
					truth, observed := newTokens(garbage(9)), new(events)
					truth.set(id, test.before)
					r := NewResolver(truth.service(), quick, WithChangeObserver(observed))
					defer r.Close()
					r.syncOnce(t.Context())
					_, _ = r.Resolve(t.Context(), id, fresh)
					observed.changed = nil
					time.Sleep(time.Second)
					truth.set(id, test.after)
					if way == "list" {
						r.syncOnce(t.Context())
					} else {
						_, _ = r.Resolve(t.Context(), id, Freshness{UnknownExpiry: true})
					}
					if got := len(observed.changed) > 0; got != test.want {
						t.Fatalf("%s: changed %t, want %t", way, got, test.want)
					}
					for _, answer := range observed.changed {
						if answer.ID != id || !answer.Changed || answer.Info != test.after || time.Since(answer.At) > time.Second {
							t.Errorf("%s: told of %+v", way, answer)
						}
					}
				})
			}
		})
	}
}

// hooked is a store that a test looks into.
type hooked struct {
	noFleet
	begin    func(ID) (Answer, bool, func())
	findMany func([]ID) []Answer
	mu       sync.Mutex
	shared   map[ID]Answer // the first about each token
	lists    int
}

func (h *hooked) Begin(_ context.Context, id ID, _ time.Time, _ bool) (Answer, bool, func()) {
	h.mu.Lock()
	begin := h.begin
	h.mu.Unlock()
	if begin == nil {
		return Answer{}, false, func() {}
	}
	return begin(id)
}

func (h *hooked) FindMany(_ context.Context, ids []ID) ([]Answer, bool) { return h.findMany(ids), true }

func (h *hooked) Share(_ Mark, answers ...Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shared == nil {
		h.shared = make(map[ID]Answer)
	}
	for _, a := range answers {
		if _, again := h.shared[a.ID]; !again {
			h.shared[a.ID] = a
		}
	}
}

func (h *hooked) Listed(Mark, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lists++
}

// TestChangedMeanwhile: what was overtaken by a change here is not handed to others, even
// before the store knows of the change, and what others hand over late is not believed.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	a, b := garbage(1), garbage(2)
	for _, test := range []struct {
		name   string
		change func(r *Resolver)
		shared int // answers to a list of two tokens, and to a look-up of the first
		lists  int
	}{
		{"nothing", func(*Resolver) {}, 2, 1},
		{"the token was purged", func(r *Resolver) { r.Purge(a) }, 1, 1},
		{"its owner was", func(r *Resolver) { r.ForgetOwner(7) }, 1, 1},
		{"all were forgotten", (*Resolver).ForgetAll, 0, 0},
		{"all were doubted", (*Resolver).Doubt, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				truth, store := newTokens(), new(hooked)
				truth.set(a, &Info{ID: a, Owner: NewPrincipal(7, ""), Creator: NewPrincipal(7, "")})
				truth.set(b, &Info{ID: b, Owner: NewPrincipal(8, ""), Creator: NewPrincipal(8, "")})
				r := NewResolver(truth.service(), quick, WithSharing(store))
				defer r.Close()
				go r.syncOnce(t.Context())
				synctest.Wait()
				test.change(r)
				time.Sleep(time.Second)
				synctest.Wait()
				if len(store.shared) != test.shared || store.lists != test.lists {
					t.Errorf("%d answers to a list were shared, and it was told of %d times", len(store.shared), store.lists)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				truth, store := newTokens(), new(hooked)
				truth.set(a, &Info{ID: a, Owner: NewPrincipal(7, ""), Creator: NewPrincipal(7, "")})
				r := NewResolver(truth.service(), quick, WithSharing(store))
				defer r.Close()
				go func() { _, _ = r.Resolve(t.Context(), a, fresh) }()
				synctest.Wait()
				test.change(r)
				truth.set(a, &Info{ID: a, Comment: "new", Owner: NewPrincipal(7, ""), Creator: NewPrincipal(7, "")})
				time.Sleep(time.Second)
				synctest.Wait()
				if old := test.shared == 2; (store.shared[a].Info.Comment == "") != old {
					t.Errorf("shared %q", store.shared[a].Info.Comment)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				truth := newTokens()
				truth.set(a, &Info{ID: a, Comment: "new", Owner: NewPrincipal(7, ""), Creator: NewPrincipal(7, "")})
				store := &hooked{begin: func(ID) (Answer, bool, func()) {
					answer := Answer{ID: a, Info: &Info{ID: a, Owner: NewPrincipal(7, ""), Creator: NewPrincipal(7, "")}, At: time.Now()}
					time.Sleep(900 * time.Millisecond)
					return answer, true, nil
				}}
				r := NewResolver(truth.service(), quick, WithSharing(store))
				defer r.Close()
				go func() {
					time.Sleep(500 * time.Millisecond)
					test.change(r)
					store.mu.Lock()
					defer store.mu.Unlock()
					store.begin = nil
				}()
				facts := resolveOrFail(t, r, a)
				if old := test.shared == 2; (facts.Info.Comment == "") != old {
					t.Errorf("judged by %q", facts.Info.Comment)
				}
			})
		})
	}
}
