package recent

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

// hour is how many minutes are counted.
const hour = 60

// maxRefusals bounds how many refusals are told apart.
const maxRefusals = 200

// Minutes are counts of the last hour. Requests count in the minute in which they ended, and
// not while they are open.
type Minutes struct {
	// Minutes are 60, the oldest first. The last one goes on.
	Minutes []Minute
	// Refusals are those of the last hour, the most frequent first: at most 200, without
	// those that clients do not mind. Others counts those for which there was no place.
	Refusals []Refusal
	Others   int
}

// Minute counts requests by their outcome.
type Minute struct {
	Begins time.Time
	Classes
}

// Classes are the outcomes of requests.
type Classes struct {
	// Allowed: they passed, whether they needed a token or not.
	Allowed int
	// Refused: they did not pass.
	Refused int
	// WouldRefuse: they passed, and were recorded as refused.
	WouldRefuse int
	// Unavailable: the token could not be looked up, the decision could not be recorded, or
	// the workspace did not answer.
	Unavailable int
}

// Refusal is a kind of refusal, and how often there was one.
type Refusal struct {
	Reason policy.Reason
	// Operation is empty where the path was not read.
	Operation string
	// Enforced is false for refusals that are only recorded.
	Enforced bool
	Count    int
}

// class returns where a record counts. It must not be of an open request.
func (c *Classes) class(r *audit.Record) *int {
	switch r.Outcome {
	case audit.UpstreamReset, audit.UpstreamTimeout, audit.UpstreamUnreachable:
		return &c.Unavailable
	}
	switch r.Reason {
	case policy.DirectoryUnavailable, policy.GatewayMisconfigured, policy.AuditUnavailable:
		return &c.Unavailable
	}
	switch {
	case r.Refused():
		return &c.Refused
	case r.Decision == judge.Deny:
		return &c.WouldRefuse
	}
	return &c.Allowed
}

// minutes counts. Each minute has the place of its number modulo 60.
type minutes struct {
	last     int64 // number of the newest minute, since 1970; 0 for none
	classes  [hour]Classes
	others   [hour]int
	refusals map[Refusal]*[hour]uint32 // by all but their Count
}

func (m *minutes) count(r *audit.Record) {
	if r.Outcome == audit.Open {
		return
	}
	minute := minuteOf(r.Time.Add(r.Duration))
	if minute <= m.last-hour {
		*m = minutes{} // the clock was set back
	}
	m.advance(minute)
	place := minute % hour
	*m.classes[place].class(r)++
	if r.Decision == judge.Deny && !r.Optional() {
		m.countRefusal(r, place)
	}
}

func (m *minutes) countRefusal(r *audit.Record, place int64) {
	kind := Refusal{Reason: r.Reason, Enforced: r.Enforced}
	if r.Operation != nil {
		kind.Operation = r.Operation.Name
	}
	counts := m.refusals[kind]
	if counts == nil {
		if len(m.refusals) >= maxRefusals {
			m.others[place]++
			return
		}
		if m.refusals == nil {
			m.refusals = make(map[Refusal]*[hour]uint32)
		}
		kind.Operation = strings.Clone(kind.Operation) // it may be a part of a whole map
		counts = new([hour]uint32)
		m.refusals[kind] = counts
	}
	counts[place]++
}

// minuteOf returns the number of a minute. Times before 1970 have none.
func minuteOf(t time.Time) int64 { return max(0, t.Unix()/60) }

// advance empties the minutes until a newer one.
func (m *minutes) advance(to int64) {
	if to <= m.last {
		return
	}
	for n := max(m.last+1, to-hour+1); n <= to; n++ {
		place := n % hour
		m.classes[place], m.others[place] = Classes{}, 0
		for _, counts := range m.refusals {
			counts[place] = 0
		}
	}
	for kind, counts := range m.refusals {
		if *counts == ([hour]uint32{}) {
			delete(m.refusals, kind)
		}
	}
	m.last = to
}

// Minutes returns the counts of the last hour.
func (g *Ring) Minutes() Minutes {
	var told Minutes
	if g == nil {
		return told
	}
	now := minuteOf(g.now())
	g.lock()
	defer g.mu.Unlock()
	g.minutes.advance(now)
	for n := now - hour + 1; n <= now; n++ {
		minute := Minute{Begins: time.Unix(n*60, 0).UTC()}
		if n > g.minutes.last-hour {
			minute.Classes = g.minutes.classes[n%hour]
		}
		told.Minutes = append(told.Minutes, minute)
	}
	for _, n := range g.minutes.others {
		told.Others += n
	}
	for kind, counts := range g.minutes.refusals {
		for _, n := range counts {
			kind.Count += int(n)
		}
		told.Refusals = append(told.Refusals, kind)
	}
	slices.SortFunc(told.Refusals, compareRefusals)
	return told
}

// compareRefusals puts the most frequent first, and enforced ones before others.
func compareRefusals(a, b Refusal) int {
	order := cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Operation, b.Operation))
	if order == 0 && a.Enforced != b.Enforced {
		if a.Enforced {
			return -1
		}
		return 1
	}
	return order
}
