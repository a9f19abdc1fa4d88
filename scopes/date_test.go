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
