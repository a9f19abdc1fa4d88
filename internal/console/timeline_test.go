package console

import (
	"testing"
	"time"
)

func TestTimeline(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	line := timeline{from, from.Add(100 * time.Hour)}
	for _, test := range []struct {
		name        string
		line        timeline
		first, last time.Duration
		want        bar
	}{
		{"all of it", line, 0, 100 * time.Hour, bar{0, 1000}},
		{"the middle", line, 40 * time.Hour, 60 * time.Hour, bar{400, 200}},
		{"a moment", line, 40 * time.Hour, 40 * time.Hour, bar{400, 8}},
		{"the last moment", line, 100 * time.Hour, 100 * time.Hour, bar{992, 8}},
		{"before the start", line, -40 * time.Hour, 10 * time.Hour, bar{0, 100}},
		{"after the end", line, 90 * time.Hour, 200 * time.Hour, bar{900, 100}},
		{"no period", timeline{from, from}, 0, 0, bar{0, 1000}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.line.bar(from.Add(test.first), from.Add(test.last)); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
