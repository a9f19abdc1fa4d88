package console

import "time"

// timeline is a period of which parts are drawn.
type timeline struct{ From, To time.Time }

// timelineWidth is the width of the drawing, in its own units.
const timelineWidth = 1000

// bar is a part of a timeline, in its units.
type bar struct{ X, Width int }

// bar returns the part from a first to a last time. It is wide enough to be seen.
func (t timeline) bar(first, last time.Time) bar {
	const least = 8
	whole := t.To.Sub(t.From)
	if whole <= 0 || first.IsZero() {
		return bar{0, timelineWidth}
	}
	at := func(when time.Time) int {
		return min(timelineWidth, max(0, int(float64(when.Sub(t.From))/float64(whole)*timelineWidth)))
	}
	x := min(at(first), timelineWidth-least)
	return bar{x, max(least, at(last)-x)}
}
