package history

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// query returns what is asked for: three kinds of series, which their labels tell apart. Calls
// that clients go on without have a metric of their own, and so has what became of requests.
func query(matches []Match, step time.Duration) string {
	more, window := selector(matches), strconv.Itoa(int(step/time.Second))+"s"
	return strings.Join([]string{
		fmt.Sprintf(`sum by (decision, reason, mode) (increase(scopegate_decisions_total{decision!=""%s}[%s]))`, more, window),
		fmt.Sprintf(`sum by (mode) (increase(scopegate_optional_refusals_total{mode!=""%s}[%s]))`, more, window),
		fmt.Sprintf(`sum by (outcome) (increase(scopegate_outcomes_total{outcome=~"upstream_(reset|timeout|unreachable)"%s}[%s]))`, more, window),
	}, " or ")
}

// grid is the times at which bins end.
type grid struct {
	last time.Time // the end of the last bin
	step time.Duration
	bins int
}

// gridOf ends with the last bin that is over.
func gridOf(p Period, now time.Time) grid {
	return grid{now.Truncate(p.Step), p.Step, int(p.Length / p.Step)}
}

// begins returns when a bin begins, counted from 0.
func (g grid) begins(bin int) time.Time {
	return g.last.Add(-time.Duration(g.bins-bin) * g.step).UTC()
}

// bin returns the bin that ends at a time in seconds, if there is one.
func (g grid) bin(seconds float64) (bin int, ok bool) {
	first := g.begins(1).Unix()
	if !(seconds >= float64(first) && seconds <= float64(g.last.Unix())) { // neither is NaN
		return 0, false
	}
	return int((seconds-float64(first))/g.step.Seconds() + .5), true
}

// parameters are those of a range query.
func (g grid) parameters(query string) url.Values {
	return url.Values{
		"query": {query},
		"start": {strconv.FormatInt(g.begins(1).Unix(), 10)},
		"end":   {strconv.FormatInt(g.last.Unix(), 10)},
		"step":  {strconv.Itoa(int(g.step / time.Second))},
	}
}
