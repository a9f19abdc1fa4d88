package usage

import (
	"fmt"
	"testing"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	r := goodReport(t)
	limits := Limits{Unused: 30 * day, Expiring: 14 * day}
	for name, want := range map[string]string{
		"narrow":    "[holds more]",
		"legacy":    "[would break unscoped never expires]",
		"short":     "[refused would break expires soon scope missing]",
		"idle":      "[unscoped unused]",
		"elsewhere": "[]", // used 29 days ago
		"new":       "[]", // too young to be unused
		"expired":   "[expired]",
		"revoked":   "[revoked]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range r.Rows {
				row := &r.Rows[i]
				if row.ID != id(name) {
					continue
				}
				if got := fmt.Sprint(r.Flags(row, limits)); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
	t.Run("without limits", func(t *testing.T) {
		t.Parallel()
		for i := range r.Rows {
			for _, flag := range r.Flags(&r.Rows[i], Limits{}) {
				if flag == FlagUnused || flag == FlagExpiring {
					t.Errorf("%s is %s", r.Rows[i].Comment, flag)
				}
			}
		}
	})
}

// TestFlagsUnlisted: without the workspace's list, only what was seen is flagged.
func TestFlagsUnlisted(t *testing.T) {
	t.Parallel()
	seen := seenToken("a: jobs", "refused b: sql")
	r := NewReport(State{Since: noon, Tokens: []Token{seen}}, nil, noon.Add(100*day))
	if got := fmt.Sprint(r.Flags(&r.Rows[0], Limits{Unused: day, Expiring: day})); got != "[refused]" {
		t.Errorf("got %s", got)
	}
}
