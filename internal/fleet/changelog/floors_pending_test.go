package changelog

import (
	"fmt"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// TestFloorsPending asks of an answer of just now while a change waits to be published.
func TestFloorsPending(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change fleet.Change
		owners []int64
		want   bool
	}{
		"the token":                 {change: changed("one"), owners: []int64{1, 2}},
		"the token, with its proof": {change: proven("one", 5, 77), owners: []int64{1, 2}},
		"the token, it is gone":     {change: changed("one")},
		"another token":             {change: changed("two"), owners: []int64{1, 2}, want: true},
		"the owner":                 {change: ofOwner(1), owners: []int64{1, 2}},
		"the creator":               {change: ofOwner(2), owners: []int64{1, 2}},
		"another owner":             {change: ofOwner(3), owners: []int64{1, 2}, want: true},
		"an unknown owner":          {change: ofOwner(3), owners: []int64{0, 2}},
		"an unknown creator":        {change: ofOwner(3), owners: []int64{1, 0}},
		"an owner, it is gone":      {change: ofOwner(1), want: true},
		"made, it was known":        {change: fleet.Change{Kind: fleet.UnknownChanged}, owners: []int64{1, 2}, want: true},
		"made, it was unknown":      {change: fleet.Change{Kind: fleet.UnknownChanged}},
		"all":                       {change: fleet.Change{Kind: fleet.AllChanged}, owners: []int64{1, 2}},
		"a doubt":                   {change: fleet.Change{Kind: fleet.Doubted}, owners: []int64{1, 2}},
		"all, it is gone":           {change: fleet.Change{Kind: fleet.OwnersChanged}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFloors()
			admitted := func() bool { return f.admits(tokens.IDOf("one"), c.owners, 100, 77) }
			if !admitted() {
				t.Fatal("not admitted before the change")
			}
			f.begin([]fleet.Change{c.change, c.change}) // twice: two callers found it at once
			if got := admitted(); got != c.want {
				t.Errorf("admitted while both wait: %t", got)
			}
			f.end([]fleet.Change{c.change})
			if got := admitted(); got != c.want {
				t.Errorf("admitted while one waits: %t", got)
			}
			f.end([]fleet.Change{c.change})
			if !admitted() {
				t.Error("not admitted when none waits")
			}
			if len(f.pending) != 0 {
				t.Errorf("still pending: %v", f.pending)
			}
		})
	}
}

// TestFloorsEndUnknown: an end without a beginning does not hide the next change.
func TestFloorsEndUnknown(t *testing.T) {
	t.Parallel()
	f := newFloors()
	f.end([]fleet.Change{changed("one")})
	if len(f.pending) != 0 {
		t.Errorf("pending: %v", f.pending)
	}
	f.begin([]fleet.Change{changed("one")})
	if f.admits(tokens.IDOf("one"), []int64{1, 1}, 100, 0) {
		t.Error("a change that waits was overlooked")
	}
}

// TestFloorsForgetTokens: of tokens that are not remembered one by one, the latest change
// counts for all.
func TestFloorsForgetTokens(t *testing.T) {
	t.Parallel()
	const evicted = 3
	f := newFloors()
	f.apply(at(1, proven("token 1", 0, 77)))
	for g := fleet.Generation(2); g <= maxTokens+evicted; g++ {
		f.apply(at(g, changed(fmt.Sprint("token ", g))))
	}
	for name, c := range map[string]struct {
		token string
		since fleet.Generation
		proof uint64
		want  bool
	}{
		"evicted, from before":        {token: "token 3", since: evicted - 1},
		"evicted, from then":          {token: "token 3", since: evicted, want: true},
		"evicted with its proof":      {token: "token 1", since: 0, proof: 77},
		"unchanged, from before":      {token: "other", since: evicted - 1},
		"unchanged, from then":        {token: "other", since: evicted, want: true},
		"still remembered, before":    {token: "token 4", since: 3},
		"still remembered, from then": {token: "token 4", since: 4, want: true},
	} {
		if got := f.admits(tokens.IDOf(c.token), []int64{1, 1}, c.since, c.proof); got != c.want {
			t.Errorf("%s: admitted: %t", name, got)
		}
	}
	f.apply(at(maxTokens+10, proven("token 1", evicted-1, 78)))
	if f.admits(tokens.IDOf("token 1"), []int64{1, 1}, evicted-1, 78) {
		t.Error("a proof is believed that a change may have overtaken which is not remembered")
	}
	if f.tokens.Len() > maxTokens {
		t.Errorf("%d tokens are remembered", f.tokens.Len())
	}
}

func TestFloorsForgetOwners(t *testing.T) {
	t.Parallel()
	const evicted = 3
	f := newFloors()
	for g := fleet.Generation(1); g <= maxOwners+evicted; g++ {
		f.apply(at(g, ofOwner(int64(g))))
	}
	for name, c := range map[string]struct {
		owners []int64
		since  fleet.Generation
		want   bool
	}{
		"evicted, from before":        {owners: []int64{1, 5000}, since: evicted - 1},
		"evicted, from then":          {owners: []int64{1, 5000}, since: evicted, want: true},
		"unchanged, from before":      {owners: []int64{5000, 5000}, since: evicted - 1},
		"still remembered, before":    {owners: []int64{4, 4}, since: 3},
		"still remembered, from then": {owners: []int64{4, 4}, since: 4, want: true},
		"unknown, before the last":    {owners: []int64{0, 0}, since: maxOwners + evicted - 1},
		"unknown, from the last":      {owners: []int64{0, 0}, since: maxOwners + evicted, want: true},
		"no such token":               {since: 0, want: true},
	} {
		if got := f.admits(tokens.IDOf("one"), c.owners, c.since, 0); got != c.want {
			t.Errorf("%s: admitted: %t", name, got)
		}
	}
	if f.owners.Len() > maxOwners {
		t.Errorf("%d owners are remembered", f.owners.Len())
	}
}
