package console

import (
	"context"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/history"
)

// periodData says of what time the chart of the Overview is.
type periodData struct {
	// Label follows "in the last", and Unit follows "per".
	Label, Unit string
	// Here is the path of the page with this period, which it is brought up to date from.
	Here string
	// Choices are what else can be shown; none without Prometheus.
	Choices []periodChoice
	// Long means that the numbers are those of Prometheus, until a time.
	Long  bool
	Until time.Time
	// Since is when Prometheus knows something first, if that is later than the period
	// begins.
	Since time.Time
	// Problem is why a longer period is not shown.
	Problem string
}

// periodChoice is a link to a period.
type periodChoice struct {
	Label, Path string
	Current     bool
}

// period returns the period of a name, and replaces the last hour in its chart. An unknown name
// is the last hour.
func (s *server) period(ctx context.Context, name string, hour *hourData) (periodData, error) {
	data := periodData{Label: "hour", Unit: "minute", Here: "/"}
	if s.options.History == nil {
		return data, nil
	}
	asked := slices.IndexFunc(history.Periods, func(p history.Period) bool { return p.Name == name })
	data.Choices = append(data.Choices, periodChoice{"1 hour", "/", asked < 0})
	for i, p := range history.Periods {
		data.Choices = append(data.Choices, periodChoice{p.Label, "/?period=" + p.Name, i == asked})
	}
	if asked < 0 {
		return data, nil
	}
	data.Here = data.Choices[asked+1].Path // also while Prometheus is down
	decisions, err := s.options.History.Decisions(ctx, asked)
	if err != nil {
		data.Problem = err.Error()
		return data, nil //nolint:nilerr // the page says it, and shows the last hour
	}
	p := history.Periods[asked]
	data.Long, data.Label, data.Unit = true, p.Label, unitOf(p.Step)
	data.Until = decisions.Bins[len(decisions.Bins)-1].Begins.Add(p.Step)
	if decisions.Since.After(decisions.Bins[0].Begins) {
		data.Since = decisions.Since
	}
	return data, hour.fill(decisions.Bins, "From")
}

// unitOf names a duration after "per".
func unitOf(d time.Duration) string {
	if d == time.Hour {
		return "hour"
	}
	return count(int(d/time.Minute), "minute")
}
