package changelog

import (
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// proven is the change of a token that a look-up found which began at a generation.
func proven(name string, from fleet.Generation, proof uint64) fleet.Change {
	return fleet.Change{Kind: fleet.TokenChanged, Token: tokens.IDOf(name), From: from, Proof: proof}
}

func ofOwner(owner int64) fleet.Change { return fleet.Change{Kind: fleet.OwnerChanged, Owner: owner} }

func at(generation fleet.Generation, change fleet.Change) fleet.Entry {
	return fleet.Entry{Generation: generation, Change: change}
}

// TestFloors asks of the token "one" with owner 1 and creator 2, or of what a case says.
func TestFloors(t *testing.T) {
	t.Parallel()
	known := []int64{1, 2}
	for name, c := range map[string]struct {
		log    []fleet.Entry // as they were applied
		owners []int64
		since  fleet.Generation
		proof  uint64
		want   bool
	}{
		"nothing changed":                            {owners: known, want: true},
		"the token changed after the answer":         {log: []fleet.Entry{at(10, changed("one"))}, owners: known, since: 9},
		"the token changed before the answer":        {log: []fleet.Entry{at(10, changed("one"))}, owners: known, since: 10, want: true},
		"another token changed":                      {log: []fleet.Entry{at(10, changed("two"))}, owners: known, since: 9, want: true},
		"it changed again":                           {log: []fleet.Entry{at(10, changed("one")), at(20, changed("one"))}, owners: known, since: 15},
		"an earlier change applied late":             {log: []fleet.Entry{at(20, changed("one")), at(10, changed("one"))}, owners: known, since: 15},
		"a revoked token":                            {log: []fleet.Entry{at(10, changed("one"))}, since: 9},
		"the owner changed after the answer":         {log: []fleet.Entry{at(10, ofOwner(1))}, owners: known, since: 9},
		"the creator changed after the answer":       {log: []fleet.Entry{at(10, ofOwner(2))}, owners: known, since: 9},
		"the owner changed before the answer":        {log: []fleet.Entry{at(10, ofOwner(1))}, owners: known, since: 10, want: true},
		"an earlier change of the owner, late":       {log: []fleet.Entry{at(20, ofOwner(1)), at(10, ofOwner(1))}, owners: known, since: 15},
		"another owner changed":                      {log: []fleet.Entry{at(10, ofOwner(3))}, owners: known, since: 9, want: true},
		"an owner changed, of an unknown owner":      {log: []fleet.Entry{at(10, ofOwner(3))}, owners: []int64{0, 1}, since: 9},
		"an owner changed, of an unknown creator":    {log: []fleet.Entry{at(10, ofOwner(3))}, owners: []int64{1, 0}, since: 9},
		"an owner changed before, of an unknown one": {log: []fleet.Entry{at(10, ofOwner(3))}, owners: []int64{0, 0}, since: 10, want: true},
		"an owner changed, there is no such token":   {log: []fleet.Entry{at(10, ofOwner(1))}, since: 9, want: true},

		"all changed":                             {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.AllChanged})}, owners: known, since: 9},
		"all changed before":                      {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.AllChanged})}, owners: known, since: 10, want: true},
		"all changed, there is no such token":     {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.AllChanged})}, since: 9},
		"all was doubted":                         {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.Doubted})}, owners: known, since: 9},
		"all owners changed":                      {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.OwnersChanged})}, owners: known, since: 9},
		"all owners were doubted":                 {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.OwnersDoubted})}, owners: known, since: 9},
		"a kind of a later version":               {log: []fleet.Entry{at(10, fleet.Change{Kind: "later"})}, owners: known, since: 9},
		"an earlier change of all, late":          {log: []fleet.Entry{at(20, fleet.Change{Kind: fleet.AllChanged}), at(10, fleet.Change{Kind: fleet.AllChanged})}, owners: known, since: 15},
		"tokens were made, it was known":          {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.UnknownChanged})}, owners: known, since: 9, want: true},
		"tokens were made, it was unknown":        {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.UnknownChanged})}, since: 9},
		"tokens were made before, it was unknown": {log: []fleet.Entry{at(10, fleet.Change{Kind: fleet.UnknownChanged})}, since: 10, want: true},

		"the proof":                           {log: []fleet.Entry{at(10, proven("one", 5, 77))}, owners: known, since: 5, proof: 77, want: true},
		"the proof that it is gone":           {log: []fleet.Entry{at(10, proven("one", 5, 77))}, since: 5, proof: 77, want: true},
		"another proof":                       {log: []fleet.Entry{at(10, proven("one", 5, 77))}, owners: known, since: 5, proof: 78},
		"no proof":                            {log: []fleet.Entry{at(10, proven("one", 5, 77))}, owners: known, since: 5},
		"the proof of another token":          {log: []fleet.Entry{at(10, proven("two", 5, 77)), at(11, changed("one"))}, owners: known, since: 5, proof: 77},
		"no proof of a change without one":    {log: []fleet.Entry{at(10, changed("one"))}, owners: known, since: 5},
		"the proof, read again":               {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(10, proven("one", 5, 77))}, owners: known, since: 5, proof: 77, want: true},
		"the proof, the token changed since":  {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(11, changed("one"))}, owners: known, since: 5, proof: 77},
		"the proof, it changed meanwhile":     {log: []fleet.Entry{at(8, changed("one")), at(10, proven("one", 5, 77))}, owners: known, since: 5, proof: 77},
		"the proof, that is read late":        {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(8, changed("one"))}, owners: known, since: 5, proof: 77},
		"the proof, it changed before":        {log: []fleet.Entry{at(5, changed("one")), at(10, proven("one", 5, 77))}, owners: known, since: 5, proof: 77, want: true},
		"the proof, that too is read late":    {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(5, changed("one"))}, owners: known, since: 5, proof: 77, want: true},
		"the proof, all changed since":        {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(11, fleet.Change{Kind: fleet.AllChanged})}, owners: known, since: 5, proof: 77},
		"the proof, all changed meanwhile":    {log: []fleet.Entry{at(8, fleet.Change{Kind: fleet.AllChanged}), at(10, proven("one", 5, 77))}, owners: known, since: 5, proof: 77},
		"the proof, all changed before":       {log: []fleet.Entry{at(5, fleet.Change{Kind: fleet.AllChanged}), at(10, proven("one", 5, 77))}, owners: known, since: 5, proof: 77, want: true},
		"the proof, the owner changed since":  {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(11, ofOwner(1))}, owners: known, since: 5, proof: 77},
		"the proof, another owner changed":    {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(11, ofOwner(3))}, owners: known, since: 5, proof: 77, want: true},
		"the proof that it is gone, made new": {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(11, fleet.Change{Kind: fleet.UnknownChanged})}, since: 5, proof: 77},
		"two proofs, the later":               {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(12, proven("one", 10, 78))}, owners: known, since: 10, proof: 78, want: true},
		"two proofs, the earlier":             {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(12, proven("one", 10, 78))}, owners: known, since: 5, proof: 77},
		"two proofs at once":                  {log: []fleet.Entry{at(10, proven("one", 5, 77)), at(12, proven("one", 5, 78))}, owners: known, since: 5, proof: 78},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFloors()
			for _, e := range c.log {
				f.apply(e)
			}
			if got := f.admits(tokens.IDOf("one"), c.owners, c.since, c.proof); got != c.want {
				t.Errorf("admitted: %t", got)
			}
		})
	}
}

func TestFloorsRaised(t *testing.T) {
	t.Parallel()
	f := newFloors()
	f.apply(at(10, proven("one", 5, 77)))
	f.raise(20)
	f.raise(15) // it never falls
	for name, c := range map[string]struct {
		owners []int64
		since  fleet.Generation
		proof  uint64
		want   bool
	}{
		"from before":            {owners: []int64{1, 1}, since: 19},
		"from then":              {owners: []int64{1, 1}, since: 20, want: true},
		"unknown, from before":   {since: 19},
		"unknown, from then":     {since: 20, want: true},
		"a proof is from before": {owners: []int64{1, 1}, since: 5, proof: 77},
	} {
		if got := f.admits(tokens.IDOf("one"), c.owners, c.since, c.proof); got != c.want {
			t.Errorf("%s: admitted: %t", name, got)
		}
	}
}
