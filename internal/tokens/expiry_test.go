package tokens

import (
	"testing"
	"time"
)

func TestExpiryNotices(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		info Info
		want bool
	}{
		{"never expires", Info{Expires: NeverExpires}, false},
		{"expires in a month", Info{Created: now.Add(-week), Expires: ExpiresAt(now.Add(30 * 24 * time.Hour))}, false},
		{"expires in a day", Info{Created: now.Add(-30 * 24 * time.Hour), Expires: ExpiresAt(now.Add(24 * time.Hour))}, true},
		{"has expired", Info{Created: now.Add(-30 * 24 * time.Hour), Expires: ExpiresAt(now.Add(-time.Hour))}, false},
		{"was made for a day", Info{Created: now, Expires: ExpiresAt(now.Add(24 * time.Hour))}, false},
		{"unknown expiry", Info{Created: now.Add(-30 * 24 * time.Hour)}, false},
		{"unknown creation", Info{Expires: ExpiresAt(now.Add(24 * time.Hour))}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			notices := NewExpiryNotices()
			if got := notices.Due(&test.info, week, now); got != test.want {
				t.Errorf("due: %v, want %v", got, test.want)
			}
			if notices.Due(&test.info, week, now) {
				t.Error("noticed twice")
			}
			if test.want {
				longer := test.info
				ends, _ := longer.Expires.At()
				longer.Expires = ExpiresAt(ends.Add(time.Hour))
				if !notices.Due(&longer, week, now) {
					t.Error("a changed expiry is not noticed")
				}
			}
		})
	}
}
