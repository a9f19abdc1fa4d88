package scopes

import (
	"testing"
	"time"
)

func TestDate(t *testing.T) {
	t.Parallel()
	if day := Date(); day.Year() < 2026 || day.After(time.Now()) {
		t.Errorf("the catalog is of %s", day)
	}
}

// TestWrongDate: a catalog without a date is the oldest, and gateways start all the same.
func TestWrongDate(t *testing.T) {
	t.Parallel()
	for catalog, want := range map[string]string{
		"# head\n# Date: 2027-01-04\nrow\n": "2027-01-04",
		"# head\n# Date: soon\nrow\n":       "0001-01-01",
		"# head\nrow\n# Date: 2027-01-04\n": "0001-01-01",
		"":                                  "0001-01-01",
	} {
		if got := dateOf(catalog).Format(time.DateOnly); got != want {
			t.Errorf("%q: %s, want %s", catalog, got, want)
		}
	}
}
