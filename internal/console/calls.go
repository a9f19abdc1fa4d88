package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

const (
	// recentCalls is how many calls of a token are listed, and busyOperations how many of its
	// operations have bars.
	recentCalls    = 20
	busyOperations = 20
	// callBins are the bins of the last hour, and callBin is what one of them counts.
	callBins = 12
	callBin  = 5 * time.Minute
)

// callsData are the last calls of a token, as far as this gateway has them in memory.
type callsData struct {
	// Calls are the latest, the newest first.
	Calls []decision
	// Hour are the operations of the last hour, the most frequent first, and More is how many
	// have no place.
	Hour []operationCalls
	More int
	// From is when the first bin begins, and Oldest when the oldest call in memory arrived,
	// of any token; zero if there is none.
	From, Oldest time.Time
	// Partial means that the first bins are not, or not all, in memory.
	Partial bool
}

// operationCalls are the calls of one operation in the last hour.
type operationCalls struct {
	// Operation is empty where the path was not read. Refused counts also those that were
	// unavailable.
	Operation      string
	Total, Refused int
	Last           time.Time
	Bars           []callBar
	// Unknown is how much of the drawing is from before there was something in memory.
	Unknown int

	counts, refusals [callBins]int
	from             time.Time
}

// callBar is a bin with calls, in the units of the drawing: those that were refused or
// unavailable stand below the rest.
type callBar struct{ X, Y, Height, RefusedY, RefusedHeight int }

// The drawing, in its own units.
const (
	callBarStep   = 10
	callBarHeight = 24
)

// callsOf reads all decisions in memory once.
func (s *server) callsOf(id string) callsData {
	now := s.Now()
	data := callsData{From: now.Truncate(callBin).Add(-(callBins - 1) * callBin).UTC()}
	about := s.about(filter{}) // the workspace
	busy := make(map[string]*operationCalls)
	data.Oldest = s.Recent().OfToken(id, func(r *audit.Record) {
		if !about(r) {
			return
		}
		call := decisionOf(r, now)
		if len(data.Calls) < recentCalls {
			data.Calls = append(data.Calls, call)
		}
		bin := int(r.Time.Sub(data.From) / callBin)
		if r.Time.Before(data.From) || bin >= callBins {
			return
		}
		if busy[call.Operation] == nil {
			busy[call.Operation] = &operationCalls{Operation: call.Operation, from: data.From}
		}
		busy[call.Operation].add(&call, bin)
	})
	data.Partial = data.Oldest.After(data.From)
	for _, o := range busy {
		data.Hour = append(data.Hour, *o)
	}
	slices.SortFunc(data.Hour, func(a, b operationCalls) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Operation, b.Operation))
	})
	shown := min(len(data.Hour), busyOperations)
	data.Hour, data.More = data.Hour[:shown], len(data.Hour)-shown
	data.draw()
	return data
}

func (o *operationCalls) add(call *decision, bin int) {
	o.Total++
	o.counts[bin]++
	if call.Outcome == refused || call.Outcome == unavailable {
		o.Refused++
		o.refusals[bin]++
	}
	if call.Arrived.After(o.Last) {
		o.Last = call.Arrived
	}
}

// draw gives all bars the same scale.
func (d *callsData) draw() {
	most := 1
	for i := range d.Hour {
		most = max(most, slices.Max(d.Hour[i].counts[:]))
	}
	unknown := 0
	if d.Partial {
		unknown = min(callBins, int(d.Oldest.Sub(d.From)/callBin)) * callBarStep
	}
	for i := range d.Hour {
		o := &d.Hour[i]
		o.Unknown = unknown
		for bin, n := range o.counts {
			if n == 0 {
				continue
			}
			height := scaled(n, most)
			low := min(height, scaled(o.refusals[bin], most))
			o.Bars = append(o.Bars, callBar{
				X: bin * callBarStep, Y: callBarHeight - height, Height: height - low, RefusedY: callBarHeight - low, RefusedHeight: low,
			})
		}
	}
}

// scaled returns the height of a number. One that is not zero can be seen.
func scaled(n, most int) int {
	if n == 0 {
		return 0
	}
	return max(2, n*callBarHeight/most)
}

// Spoken says the bars in words, for those who do not see them.
func (o *operationCalls) Spoken() string {
	var all []string
	for bin, n := range o.counts {
		if n > 0 {
			all = append(all, fmt.Sprintf("%s: %d", minuteOf(o.from.Add(time.Duration(bin)*callBin)), n))
		}
	}
	return strings.Join(all, ", ")
}
