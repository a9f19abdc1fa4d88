package usage

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/scopegate/scopegate/scopes"
)

const (
	msPerDay = 24 * 60 * 60 * 1000
	// maxName limits names that come from the workspace, in bytes.
	maxName = 256
	// unlimited is the size of tables that the recorder shrinks itself.
	unlimited = 1<<31 - 1
)

// entry is what a recorder knows about one token. Times are epoch milliseconds.
type entry struct {
	ownerID                                      int64
	creator                                      string
	first, last                                  int64
	moved                                        int64 // when it was last moved to the front
	days                                         int
	calls, denied, wouldDeny, optional, unmapped uint64
	uses                                         uses
	cut                                          cutMS
}

func newEntry(at int64) *entry {
	return &entry{first: at, last: at, moved: at, days: 1}
}

// newTable returns a table in order of last use. It has no limit of its own, because
// what is evicted must be counted.
func newTable[K comparable, V any]() *simplelru.LRU[K, V] {
	table, err := simplelru.NewLRU[K, V](unlimited, nil)
	if err != nil {
		panic("usage: " + err.Error()) // the size is a constant
	}
	return table
}

// seen counts a call and keeps at most maxUses operations.
func (e *entry) seen(handles *handles, c *Call, at int64, kind kind, maxUses int) {
	e.calls = plus(e.calls, 1)
	if at > e.last {
		if at/msPerDay != e.last/msPerDay {
			e.days++
		}
		e.last = at
	}
	e.first = min(e.first, at)
	if c.OwnerID != 0 {
		e.ownerID = c.OwnerID
	}
	if c.Creator != "" && c.Creator != e.creator {
		e.creator = c.Creator
	}
	denied, wouldDeny := uint64(0), uint64(0)
	switch {
	case c.Allowed:
	case c.Enforced:
		denied = 1
	default:
		wouldDeny = 1
	}
	if kind == use && c.Operation.Optional {
		e.optional += denied
	} else {
		e.denied += denied
		e.wouldDeny += wouldDeny
	}
	if kind != use {
		return
	}
	if c.Operation.Unmapped() {
		e.unmapped++
	}
	count := func(o *scopes.Operation) {
		h := handles.of(o) // not by the operation's address: it would keep its catalog in memory
		n, known := e.uses.of(h, at)
		n.calls++
		n.denied += denied
		n.wouldDeny += wouldDeny
		n.first, n.last = min(n.first, at), max(n.last, at)
		if !c.Allowed {
			e.uses.refused(h, c.Reason)
		}
		if !known {
			e.shrink(maxUses, at)
		}
	}
	count(c.Operation)
	for _, o := range c.Also {
		count(o)
	}
}

// shrink drops the least recently called operations.
func (e *entry) shrink(maxUses int, at int64) {
	for e.uses.len() > maxUses {
		h, old := e.uses.removeOldest()
		e.cut.dropUse(h, &old, at)
	}
}

// export returns a copy as a Token.
func (e *entry) export(id string) Token {
	t := Token{
		ID: id, OwnerID: e.ownerID, Creator: text(e.creator),
		First: timeOf(e.first), Last: timeOf(e.last), ActiveDays: e.days,
		Calls: e.calls, Denied: e.denied, WouldDeny: e.wouldDeny, Optional: e.optional, Unmapped: e.unmapped,
		Uses: make([]Use, 0, e.uses.len()), Cut: e.cut.export(),
	}
	for h, n := range e.uses.all() {
		t.Uses = append(t.Uses, Use{Operation: h.Value().operation(), Calls: n.calls, Denied: n.denied, WouldDeny: n.wouldDeny, First: timeOf(n.first), Last: timeOf(n.last), Reason: e.uses.reasons[h]})
	}
	sortUses(t.Uses)
	return t
}

// merge adds what another recorder knew about the token.
func (e *entry) merge(t *Token, maxUses int, at int64) {
	first, last := t.First.UnixMilli(), t.Last.UnixMilli()
	fresh := e.calls == 0
	newer := fresh || last > e.last
	if t.OwnerID != 0 && (newer || e.ownerID == 0) {
		e.ownerID = t.OwnerID
	}
	if t.Creator != "" && (newer || e.creator == "") {
		e.creator = t.Creator
	}
	if fresh {
		e.first, e.last, e.days = first, last, t.ActiveDays
	} else {
		// Which days both have seen is not known. Of those on which both can have seen
		// it, all are taken to be the same, so that gateways which share the traffic
		// do not add up to more days than there were.
		shared := daysBetween(timeOf(max(e.first, first)), timeOf(min(e.last, last)))
		e.days = min(e.days+t.ActiveDays-max(0, min(shared, e.days, t.ActiveDays)), math.MaxInt32)
		e.first, e.last = min(e.first, first), max(e.last, last)
	}
	e.calls = plus(e.calls, t.Calls)
	e.denied = plus(e.denied, t.Denied)
	e.wouldDeny = plus(e.wouldDeny, t.WouldDeny)
	e.optional = plus(e.optional, t.Optional)
	e.unmapped = plus(e.unmapped, t.Unmapped)
	e.cut.add(importCut(t.Cut))
	for i := range t.Uses {
		u := &t.Uses[i]
		h := handleOf(&u.Operation)
		n, known := e.uses.of(h, u.First.UnixMilli())
		if !known {
			n.last = u.Last.UnixMilli()
			e.uses.refused(h, u.Reason)
		}
		n.calls = plus(n.calls, u.Calls)
		n.denied = plus(n.denied, u.Denied)
		n.wouldDeny = plus(n.wouldDeny, u.WouldDeny)
		if late := u.Last.UnixMilli(); late > n.last && u.Reason != "" || e.uses.reasons[h] == "" {
			e.uses.refused(h, u.Reason)
		}
		n.first, n.last = min(n.first, u.First.UnixMilli()), max(n.last, u.Last.UnixMilli())
	}
	e.shrink(maxUses, at)
}

// byAge sorts a table by last use.
func byAge[K comparable, V any](table *simplelru.LRU[K, V], last func(V) int64) {
	keys := table.Keys()
	slices.SortStableFunc(keys, func(a, b K) int {
		x, _ := table.Peek(a)
		y, _ := table.Peek(b)
		return int(max(-1, min(1, last(x)-last(y))))
	})
	for _, key := range keys {
		table.Get(key) // moves it to the front
	}
}

// text limits and cleans a name that comes from the workspace.
func text(s string) string {
	if len(s) > maxName {
		s = s[:maxName]
	}
	return strings.ToValidUTF8(s, "")
}

// timeOf returns the time of epoch milliseconds.
func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
