package audit

import (
	"strings"
	"testing"
)

func TestTraceparent(t *testing.T) {
	t.Parallel()
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, test := range []struct {
		name, header string
		ok           bool
	}{
		{"ordinary", "00-" + id + "-" + span + "-01", true},
		{"unsampled", "00-" + id + "-" + span + "-00", true},
		{"later version", "cc-" + id + "-" + span + "-01-what-else", true},
		{"later version without more", "cc-" + id + "-" + span + "-01", true},
		{"version 0 with more", "00-" + id + "-" + span + "-01-x", false},
		{"later version run on", "cc-" + id + "-" + span + "-01x", false},
		{"forbidden version", "ff-" + id + "-" + span + "-01", false},
		{"no trace", "00-00000000000000000000000000000000-" + span + "-01", false},
		{"no span", "00-" + id + "-0000000000000000-01", false},
		{"short", "00-" + id + "-" + span, false},
		{"upper case", "00-" + strings.ToUpper(id) + "-" + span + "-01", false},
		{"empty", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := parseTraceparent(test.header); got.TraceID.IsValid() != test.ok || got.SpanID.IsValid() != test.ok {
				t.Errorf("got %+v", got)
			}
		})
	}
}
