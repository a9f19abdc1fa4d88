package changelog

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// maxTokens and maxOwners bound the changes that are remembered one by one. Of what is
	// older, only the latest generation is, and concerns all.
	maxTokens = 10_000
	maxOwners = 1_000
)

// mark is the last change that concerned something.
type mark struct {
	at fleet.Generation
	// proof marks the answer that is to be believed although it is from before the change,
	// because it is what found it. 0 for none.
	proof uint64
	// from is when the look-up began that found it, if there is a proof.
	from fleet.Generation
}

// floors say from which generation on answers are to be believed.
type floors struct {
	mu     sync.Mutex
	tokens *simplelru.LRU[tokens.ID, mark]
	owners *simplelru.LRU[int64, fleet.Generation]
	all    fleet.Generation
	// gone are the latest of those that were evicted.
	goneTokens, goneOwners fleet.Generation
	unknown                fleet.Generation // when tokens that were unknown may have been made
	// pending are changes that are not published yet: nothing about them is believed.
	pending map[fleet.Change]int
	// unread is true until all of the log was applied: before, any change may be missing.
	unread bool
}

func newFloors() *floors {
	f := &floors{pending: make(map[fleet.Change]int)}
	var err error
	if f.tokens, err = simplelru.NewLRU(maxTokens, func(_ tokens.ID, m mark) { f.goneTokens = max(f.goneTokens, m.at) }); err != nil {
		panic("changelog: " + err.Error()) // the size is a constant
	}
	if f.owners, err = simplelru.NewLRU(maxOwners, func(_ int64, at fleet.Generation) { f.goneOwners = max(f.goneOwners, at) }); err != nil {
		panic("changelog: " + err.Error())
	}
	return f
}

// apply notes a change, in the order of the log.
func (f *floors) apply(e fleet.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.Change.Kind {
	case fleet.TokenChanged:
		last := f.lastOf(e.Change.Token)
		if e.Generation <= last.at { // our own was noted before it was read
			if e.Generation < last.at && e.Generation > last.from {
				last.proof = 0
				f.tokens.Add(e.Change.Token, last)
			}
			return
		}
		m := mark{at: e.Generation}
		if e.Change.Proof != 0 && max(last.at, f.all) <= e.Change.From {
			m.proof, m.from = e.Change.Proof, e.Change.From
		}
		f.tokens.Add(e.Change.Token, m)
	case fleet.OwnerChanged:
		at, _ := f.owners.Peek(e.Change.Owner)
		f.owners.Add(e.Change.Owner, max(at, e.Generation))
	case fleet.UnknownChanged:
		f.unknown = max(f.unknown, e.Generation)
	default:
		f.all = max(f.all, e.Generation)
	}
}

// lastOf returns the last change of a token alone. The lock is held.
func (f *floors) lastOf(id tokens.ID) mark {
	if m, ok := f.tokens.Peek(id); ok {
		return m
	}
	return mark{at: f.goneTokens}
}

// raise makes everything from before a generation not believed.
func (f *floors) raise(to fleet.Generation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = max(f.all, to)
}

// restart forgets all changes, as a log begins: everything from before a generation is not
// believed, and nothing at all until the log was read.
func (f *floors) restart(floor fleet.Generation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens.Purge()
	f.owners.Purge()
	f.goneTokens, f.goneOwners, f.unknown = 0, 0, 0
	f.all, f.unread = floor, true
}

// admits reports whether an answer is to be believed that was asked for at a generation. Nil
// owners mean that there is no such token.
func (f *floors) admits(id tokens.ID, owners []int64, since fleet.Generation, proof uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unread || since < f.all || f.waits(id, owners) {
		return false
	}
	if owners == nil && since < f.unknown {
		return false
	}
	for _, owner := range owners {
		at, ok := f.owners.Peek(owner)
		if !ok || owner == 0 {
			at = max(at, f.goneOwners)
		}
		if owner == 0 { // it may be anybody
			for _, any := range f.owners.Values() {
				at = max(at, any)
			}
		}
		if since < at {
			return false
		}
	}
	last := f.lastOf(id)
	return since >= last.at || proof != 0 && proof == last.proof
}

// waits reports whether an unpublished change concerns a token. The lock is held.
func (f *floors) waits(id tokens.ID, owners []int64) bool {
	for change := range f.pending {
		switch change.Kind {
		case fleet.TokenChanged:
			if change.Token == id {
				return true
			}
		case fleet.OwnerChanged:
			for _, owner := range owners {
				if owner == change.Owner || owner == 0 {
					return true
				}
			}
		case fleet.UnknownChanged:
			if owners == nil {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// complete says whether all of the log was applied.
func (f *floors) complete(all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unread = !all
}

func (f *floors) begin(changes []fleet.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, change := range changes {
		f.pending[change]++
	}
}

func (f *floors) end(changes []fleet.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, change := range changes {
		if f.pending[change]--; f.pending[change] <= 0 {
			delete(f.pending, change)
		}
	}
}
