package few

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]string{
		"": "", "a": "a", "a b c d e": "a, b, c, d, e", "a b c d e f": "a, b, c, d, e and 1 more", "a b c d e f g": "a, b, c, d, e and 2 more",
	} {
		if got := Names(strings.Fields(names)); got != want {
			t.Errorf("%q: %q, want %q", names, got, want)
		}
	}
}
