package tokens

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakeFleet is a store in memory, with its log of changes, for resolvers in one bubble.
type fakeFleet struct {
	mu      sync.Mutex
	entries map[ID]fakeEntry
	leases  map[ID]chan struct{} // closed when the look-up ends
	log     Mark                 // the number of changes so far
	floors  map[ID]Mark
	all     Mark
	listed  time.Time // when a gateway was last let list
	turns   int       // what Allow has left; negative for no limit
	members []*fakeMember
	hears   bool // the others hear of lists
}

type fakeEntry struct {
	Answer
	mark   Mark
	proven Mark // the change that it was found by
}

func newFleet() *fakeFleet {
	return &fakeFleet{
		entries: make(map[ID]fakeEntry), leases: make(map[ID]chan struct{}), floors: make(map[ID]Mark), turns: -1, hears: true,
	}
}

// fakeMember is one gateway's Sharing.
type fakeMember struct {
	*fakeFleet
	resolver *Resolver
	asked    atomic.Int64 // how often it called Find
	late     chan struct{}
}

// join returns a gateway of the fleet.
func (f *fakeFleet) join(t *testing.T, service Service, s Settings, options ...Option) *Resolver {
	t.Helper()
	m := &fakeMember{fakeFleet: f}
	r := NewResolver(service, s, append([]Option{WithSharing(m)}, options...)...)
	m.resolver = r
	f.mu.Lock()
	f.members = append(f.members, m)
	f.mu.Unlock()
	t.Cleanup(r.Close)
	return r
}

// purge tells all of a change, the store first.
func (f *fakeFleet) purge(id ID) {
	f.mu.Lock()
	f.log++
	f.floors[id] = f.log
	members := f.members
	f.mu.Unlock()
	for _, m := range members {
		m.resolver.Purge(id)
	}
}

func (f *fakeFleet) forgetAll() {
	f.mu.Lock()
	f.log++
	f.all = f.log
	members := f.members
	f.mu.Unlock()
	for _, m := range members {
		m.resolver.ForgetAll()
	}
}

func (f *fakeFleet) put(a Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries[a.ID] = fakeEntry{Answer: a, mark: f.log}
}

// hold makes another gateway look up a token without end.
func (f *fakeFleet) hold(id ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leases[id] = make(chan struct{})
}

func (f *fakeFleet) get(id ID) (fakeEntry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[id]
	floor := max(f.floors[id], f.all)
	return e, ok && (e.mark >= floor || e.proven == floor)
}

func (m *fakeMember) Find(_ context.Context, id ID, after time.Time) (Answer, bool) {
	m.asked.Add(1)
	e, ok := m.get(id)
	if m.late != nil {
		<-m.late
	}
	return e.Answer, ok && e.At.After(after)
}

func (m *fakeMember) FindMany(_ context.Context, ids []ID) (found []Answer, complete bool) {
	for _, id := range ids {
		if e, ok := m.get(id); ok {
			found = append(found, e.Answer)
		}
	}
	return found, true
}

func (m *fakeMember) Begin(ctx context.Context, id ID, after time.Time, patient bool) (Answer, bool, func()) {
	for {
		m.mu.Lock()
		held := m.leases[id]
		if held == nil {
			mine := make(chan struct{})
			m.leases[id] = mine
			m.mu.Unlock()
			return Answer{}, false, func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				delete(m.leases, id)
				close(mine)
			}
		}
		m.mu.Unlock()
		if !patient {
			return Answer{}, false, nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return Answer{}, false, nil
		}
		if e, ok := m.get(id); ok && e.At.After(after) {
			return e.Answer, true, nil
		}
	}
}

func (m *fakeMember) Allow(context.Context, Lane) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turns == 0 {
		return 100 * time.Millisecond
	}
	if m.turns > 0 {
		m.turns--
	}
	return 0
}

func (m *fakeMember) Mark() Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log
}

func (m *fakeMember) Share(mark Mark, answers ...Answer) {
	var purged []ID
	m.mu.Lock()
	members := m.members
	for _, a := range answers {
		floor := max(m.floors[a.ID], m.all)
		if last, ok := m.entries[a.ID]; ok && last.At.After(a.At) && max(last.mark, last.proven) >= floor || mark < floor {
			continue
		}
		e := fakeEntry{Answer: a, mark: mark}
		if a.Changed {
			m.log++
			m.floors[a.ID], e.proven = m.log, m.log
			purged = append(purged, a.ID)
		}
		m.entries[a.ID] = e
	}
	m.mu.Unlock()
	for _, other := range members {
		for _, id := range purged {
			if other != m {
				other.resolver.Purge(id)
			}
		}
	}
}

func (m *fakeMember) LeadList(_ context.Context, every time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.listed) < every {
		return false
	}
	m.listed = time.Now()
	return true
}

func (m *fakeMember) Listed(_ Mark, at time.Time) {
	m.mu.Lock()
	members, hears := m.members, m.hears
	m.mu.Unlock()
	if !hears {
		return
	}
	for _, other := range members {
		other.resolver.Listed(at)
	}
}

// fakeTokens is the truth about tokens, for a scripted service.
type fakeTokens struct {
	mu    sync.Mutex
	infos map[ID]*Info
}

func newTokens(ids ...ID) *fakeTokens {
	t := &fakeTokens{infos: make(map[ID]*Info)}
	for _, id := range ids {
		t.set(id, &Info{ID: id})
	}
	return t
}

func (t *fakeTokens) set(id ID, info *Info) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if info == nil {
		delete(t.infos, id)
		return
	}
	t.infos[id] = info
}

func (t *fakeTokens) lookup(_ context.Context, id ID) (*Info, error) {
	t.mu.Lock()
	info := t.infos[id]
	t.mu.Unlock()
	time.Sleep(50 * time.Millisecond) // the answer is on its way
	if info == nil {
		return nil, ErrUnknownToken
	}
	return info, nil
}

func (t *fakeTokens) list(context.Context) ([]*Info, error) {
	t.mu.Lock()
	var all []*Info
	for _, info := range t.infos {
		all = append(all, info)
	}
	t.mu.Unlock()
	time.Sleep(200 * time.Millisecond)
	return all, nil
}

func (t *fakeTokens) service() *scripted { return &scripted{answer: t.lookup, list: t.list} }

// events counts what a resolver tells its observers.
type events struct {
	noObserver
	mu      sync.Mutex
	shared  map[string]int
	lookups int
	changed []Answer
}

func (e *events) Shared(result string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shared == nil {
		e.shared = make(map[string]int)
	}
	e.shared[result]++
}

func (e *events) LookedUp(string, time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lookups++
}

func (e *events) TokensChanged(answers ...Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changed = append(e.changed, answers...)
}
