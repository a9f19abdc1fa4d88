package audit

import (
	"testing"
	"time"

	"github.com/DeRuina/timberjack"
)

// TestRollingTimes: a file is rolled when its rules name a minute that has begun since the
// last check.
func TestRollingTimes(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		t.Helper()
		parsed, err := time.Parse(time.RFC3339, clock)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, test := range []struct {
		name      string
		rules     *timberjack.Logger
		last, now string
		want      bool
	}{
		{"no times", &timberjack.Logger{}, "2026-03-01T10:00:00Z", "2026-03-05T10:00:00Z", false},
		{"before the interval", &timberjack.Logger{RotationInterval: time.Hour}, "2026-03-01T10:00:00Z", "2026-03-01T10:59:59Z", false},
		{"after the interval", &timberjack.Logger{RotationInterval: time.Hour}, "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", true},
		{"before the minute", &timberjack.Logger{RotateAtMinutes: []int{0, 30}}, "2026-03-01T10:00:01Z", "2026-03-01T10:29:59Z", false},
		{"at the minute", &timberjack.Logger{RotateAtMinutes: []int{0, 30}}, "2026-03-01T10:29:59Z", "2026-03-01T10:30:00Z", true},
		{"within the minute", &timberjack.Logger{RotateAtMinutes: []int{0, 30}}, "2026-03-01T10:30:00Z", "2026-03-01T10:30:59Z", false},
		{"long after the minute", &timberjack.Logger{RotateAtMinutes: []int{30}}, "2026-03-01T10:29:00Z", "2026-03-01T10:45:00Z", true},
		{"before the time", &timberjack.Logger{RotateAt: []string{"00:00"}}, "2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z", false},
		{"at the time", &timberjack.Logger{RotateAt: []string{"12:00", "00:00"}}, "2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z", true},
		{"with one digit", &timberjack.Logger{RotateAt: []string{"6:5"}}, "2026-03-01T06:04:00Z", "2026-03-01T06:05:00Z", true},
		{"days after the time", &timberjack.Logger{RotateAt: []string{"06:00"}}, "2026-03-01T07:00:00Z", "2026-03-09T05:00:00Z", true},
		{"no time", &timberjack.Logger{RotateAt: []string{"noon"}}, "2026-03-01T07:00:00Z", "2026-03-09T05:00:00Z", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &rolling{rules: test.rules, rolled: at(test.last), checked: at(test.last)}
			if got := r.isTime(at(test.now)); got != test.want {
				t.Errorf("is it time? %v, want %v", got, test.want)
			}
		})
	}
}

// TestRollingAnEmptyFile: it is not rolled, and the interval begins anew.
func TestRollingAnEmptyFile(t *testing.T) {
	t.Parallel()
	start := time.Unix(1e9, 0)
	now := start.Add(2 * time.Hour)
	r := &rolling{rules: &timberjack.Logger{MaxSize: 1, RotationInterval: time.Hour}, now: func() time.Time { return now }, rolled: start, checked: start}
	for _, size := range []int64{0, 1} {
		if reason := r.due(size, 10); reason != "" {
			t.Errorf("a file of %d bytes is rolled: %s", size, reason)
		}
	}
	now = now.Add(time.Hour)
	if reason := r.due(1, 10); reason != rollTime {
		t.Errorf("after an hour: %q", reason)
	}
}
