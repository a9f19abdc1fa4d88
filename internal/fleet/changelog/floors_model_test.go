package changelog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// naive keeps the whole log, and says what the floors must say of it.
type naive []fleet.Entry

// admits reports whether nothing concerns an answer that was changed after it, but for the
// change that it is itself the proof of.
func (n naive) admits(id tokens.ID, owners []int64, since fleet.Generation, proof uint64) bool {
	return !slices.ContainsFunc(n, func(e fleet.Entry) bool {
		return e.Generation > since && concerns(e.Change, id, owners) && !n.proves(e, proof)
	})
}

func concerns(change fleet.Change, id tokens.ID, owners []int64) bool {
	switch change.Kind {
	case fleet.TokenChanged:
		return change.Token == id
	case fleet.OwnerChanged:
		return slices.Contains(owners, change.Owner) || slices.Contains(owners, 0)
	case fleet.UnknownChanged:
		return owners == nil
	}
	return true
}

// proves reports whether an answer with this proof is what a token's change found, or from
// before that change and later than all others.
func (n naive) proves(e fleet.Entry, proof uint64) bool {
	if proof == 0 || e.Change.Kind != fleet.TokenChanged {
		return false
	}
	last := e // of the token
	for _, other := range n {
		if other.Change.Kind == fleet.TokenChanged && other.Change.Token == e.Change.Token && other.Generation > last.Generation {
			last = other
		}
	}
	return last.Change.Proof == proof && !slices.ContainsFunc(n, func(other fleet.Entry) bool {
		overtakes := other.Change.Kind == fleet.TokenChanged && other.Change.Token == last.Change.Token || all(other.Change.Kind)
		return overtakes && other.Generation != last.Generation && other.Generation > last.Change.From
	})
}

func all(kind fleet.Kind) bool {
	return !slices.Contains([]fleet.Kind{fleet.TokenChanged, fleet.OwnerChanged, fleet.UnknownChanged}, kind)
}

// TestFloorsModel compares the floors with the whole log, of which each gateway notes its own
// entries before it reads those of others.
func TestFloorsModel(t *testing.T) {
	t.Parallel()
	const seeds, asked = 300, 200
	admitted, proofs := 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 1))
		log := randomLog(r)
		f := newFloors()
		for _, e := range noted(r, log) {
			f.apply(e)
		}
		for range asked {
			id := tokens.IDOf(fmt.Sprint(r.IntN(4)))
			var owners []int64
			if r.IntN(4) > 0 {
				owners = []int64{r.Int64N(4), r.Int64N(4)}
			}
			since, proof := fleet.Generation(r.IntN(40)), uint64(0)
			if r.IntN(2) == 0 { // what a change of the token found
				if e := log[r.IntN(len(log))]; e.Change.Proof != 0 {
					id, since, proof = e.Change.Token, e.Change.From, e.Change.Proof
				}
			}
			want := log.admits(id, owners, since, proof)
			if got := f.admits(id, owners, since, proof); got != want {
				t.Fatalf("seed %d: token %x, owners %v, since %d, proof %d: admitted: %t\n%v", seed, id[:2], owners, since, proof, got, log)
			}
			if want {
				admitted++
				if proof != 0 && !log.admits(id, owners, since, 0) {
					proofs++
				}
			}
		}
	}
	if admitted < seeds || admitted > seeds*asked*9/10 || proofs < seeds {
		t.Errorf("%d of %d were admitted, %d only for their proof: this shows little", admitted, seeds*asked, proofs)
	}
}

// randomLog returns a log of a few tokens and owners.
func randomLog(r *rand.Rand) (log naive) {
	kinds := []fleet.Kind{fleet.TokenChanged, fleet.TokenChanged, fleet.TokenChanged, fleet.TokenChanged, fleet.OwnerChanged, fleet.OwnerChanged, fleet.UnknownChanged, fleet.AllChanged}
	generation := fleet.Generation(0)
	for range 1 + r.IntN(12) {
		generation += fleet.Generation(1 + r.IntN(4))
		change := fleet.Change{Kind: kinds[r.IntN(len(kinds))]}
		switch change.Kind {
		case fleet.TokenChanged:
			change.Token = tokens.IDOf(fmt.Sprint(r.IntN(4)))
			if r.IntN(3) > 0 {
				change.From, change.Proof = generation-1-fleet.Generation(r.IntN(int(min(generation, 8)))), r.Uint64()|1
			}
		case fleet.OwnerChanged:
			change.Owner = 1 + r.Int64N(3)
		}
		log = append(log, fleet.Entry{Generation: generation, Change: change})
	}
	return log
}

// noted returns in which order a gateway applies a log: some entries, its own, as soon as they
// are written, and all when they are read.
func noted(r *rand.Rand, log naive) (order []fleet.Entry) {
	read := 0
	for written, e := range log {
		for read < written && r.IntN(2) == 0 {
			order = append(order, log[read])
			read++
		}
		if r.IntN(2) == 0 {
			order = append(order, e)
		}
	}
	return append(order, log[read:]...)
}
