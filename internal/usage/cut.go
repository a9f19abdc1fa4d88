package usage

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/scopegate/scopegate/scopes"
)

// Cut counts what was dropped to stay within the limits. The zero value means nothing.
type Cut struct {
	// Entries counts what was dropped: tokens of a state, operations of a token.
	Entries uint64 `json:"entries"`
	// Calls counts their calls.
	Calls uint64 `json:"calls"`
	// Since is when the first was dropped.
	Since time.Time `json:"since,omitzero"`
	// First and Last are when what was dropped was first and last used. Zero means
	// unknown: an older version dropped some of it.
	First time.Time `json:"first_seen,omitzero"`
	Last  time.Time `json:"last_seen,omitzero"`
	// Needs are the scopes that the dropped operations of a token needed, as far as
	// they passed: of each list, any one. "*" stands for any scope.
	Needs [][]string `json:"needs,omitempty"`
	// NeedsUnknown means that they needed more than Needs says.
	NeedsUnknown bool `json:"needs_unknown,omitempty"`
}

// String says what was dropped and when.
func (c Cut) String() string {
	return fmt.Sprintf("%s dropped since %s", count(c.Entries, "operation"), date(c.Since))
}

// recent reports whether some of what was dropped may have been used at or after a time.
func (c Cut) recent(from time.Time) bool {
	return c.Entries > 0 && (c.Last.IsZero() || !c.Last.Before(from))
}

// operations returns one operation for each of Needs, to choose scopes by.
func (c Cut) operations() []scopes.Operation {
	out := make([]scopes.Operation, 0, len(c.Needs))
	for _, need := range c.Needs {
		o := scopes.Operation{Name: "dropped", Method: "*", AnyOf: need}
		if len(need) == 1 && need[0] == anyScope {
			o.Access, o.AnyOf = scopes.AnyScope, nil
		}
		out = append(out, o)
	}
	return out
}

// maxCount limits counts to what tools can read that treat all numbers as
// floating-point. Sums stop there.
const maxCount = 1 << 53

// plus adds two counts.
func plus(a, b uint64) uint64 { return min(a+b, maxCount) }

// cutMS is a Cut in the form that recorders keep. Times are epoch milliseconds.
type cutMS struct {
	entries, calls     uint64
	since, first, last int64
	dated              bool // first and last are known
	needs              needs
	unknown            bool // there are more needs
}

// drop counts something that is dropped now.
func (c *cutMS) drop(calls uint64, first, last, at int64) {
	c.add(cutMS{entries: 1, calls: calls, since: at, first: first, last: last, dated: true})
}

// dropUse counts an operation that is dropped now.
func (c *cutMS) dropUse(h handle, n *counts, at int64) {
	c.drop(n.calls, n.first, n.last, at)
	if n.calls > n.denied {
		c.need(needOf(h.Value()))
	}
}

// need adds a need, unless there are too many.
func (c *cutMS) need(line string) {
	if !c.needs.add(line) {
		c.unknown = true
	}
}

func (c *cutMS) add(other cutMS) {
	switch {
	case other.entries == 0:
		return
	case c.entries == 0:
		*c = other
		return
	}
	c.entries = plus(c.entries, other.entries)
	c.calls = plus(c.calls, other.calls)
	c.since = min(c.since, other.since)
	if c.dated = c.dated && other.dated; c.dated {
		c.first, c.last = min(c.first, other.first), max(c.last, other.last)
	}
	c.unknown = c.unknown || other.unknown
	for _, line := range other.needs.lines() {
		c.need(line)
	}
}

func (c *cutMS) export() Cut {
	if c.entries == 0 {
		return Cut{}
	}
	out := Cut{Entries: c.entries, Calls: c.calls, Since: timeOf(c.since), NeedsUnknown: c.unknown}
	if c.dated {
		out.First, out.Last = timeOf(c.first), timeOf(c.last)
	}
	for _, line := range c.needs.lines() {
		out.Needs = append(out.Needs, strings.Split(line, ","))
	}
	return out
}

func importCut(c Cut) cutMS {
	if c.Entries == 0 {
		return cutMS{}
	}
	out := cutMS{entries: c.Entries, calls: c.Calls, since: c.Since.UnixMilli(), unknown: c.NeedsUnknown, dated: !c.Last.IsZero()}
	if out.dated {
		out.first, out.last = c.First.UnixMilli(), c.Last.UnixMilli()
	}
	for _, need := range c.Needs {
		out.need(strings.Join(need, ","))
	}
	return out
}

// anyScope is the need of an operation that any scope permits.
const anyScope = "*"

// needOf returns the scopes of which an operation needs one, joined by commas; "" if it
// needs none.
func needOf(id identity) string {
	switch {
	case id.optional:
	case id.access == scopes.ScopedAccess:
		return id.anyOf
	case id.access == scopes.AnyScope:
		return anyScope
	}
	return ""
}

// maxNeeds limits the needs of one token, in bytes. All of the shipped catalog fit.
const maxNeeds = 4096

// needs is a set of needs: sorted lines, see needOf. Tokens that need the same share
// the text.
type needs struct {
	text unique.Handle[string]
	some bool // else text is not set
}

func (n *needs) lines() []string {
	if !n.some {
		return nil
	}
	return strings.Split(n.text.Value(), "\n")
}

// add returns false if there is no room.
func (n *needs) add(line string) bool {
	if line == "" {
		return true
	}
	lines := n.lines()
	at, found := slices.BinarySearch(lines, line)
	if found {
		return true
	}
	if n.some && len(n.text.Value())+1+len(line) > maxNeeds || len(line) > maxNeeds {
		return false
	}
	n.text, n.some = unique.Make(strings.Join(slices.Insert(lines, at, line), "\n")), true
	return true
}
