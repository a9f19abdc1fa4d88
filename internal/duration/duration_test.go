package duration

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		text string
		want time.Duration // 0 for an error
	}{
		{"30d", 30 * day},
		{"1d12h", day + 12*time.Hour},
		{"12h1d", day + 12*time.Hour},
		{"1d1d", 2 * day},
		{"0.5d1d", 36 * time.Hour},
		{"1.5d", 36 * time.Hour},
		{"-2d", -2 * day},
		{"90m", 90 * time.Minute},
		{"", 0},
		{"d", 0},
		{"30", 0},
		{"soon", 0},
		{"1d2", 0},
		{"1e3d", 0},
		{"1..5d", 0},
		{"99999999999d", 0},
		{strings.Repeat("1", 1025) + "d", 0},
	} {
		got, err := Parse(test.text)
		if (err != nil) != (test.want == 0) || got != test.want {
			t.Errorf("%.20q: %v, %v, want %v", test.text, got, err, test.want)
		}
	}
}

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "24h", 48 * time.Hour: "2d", 36 * time.Hour: "36h", 90 * time.Minute: "1h30m", time.Minute: "1m", 10 * time.Second: "10s",
		time.Hour + 10*time.Second: "1h0m10s", 0: "0s", -time.Hour: "-1h", 100 * time.Minute: "1h40m",
	} {
		if got := Format(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
