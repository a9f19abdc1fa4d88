package console_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestLongFilters: what is compared with every token or finding is short, however long it comes.
func TestLongFilters(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("*a", 30<<10)
	for path, name := range map[string]string{"/live": "owner", "/findings": "owner", "/tokens": "q", "/break": "owner"} {
		s := full(t, "analyst@example.com")
		s.workspaces[0].Judges = noJudges
		w := get(t, s, path+"?"+url.Values{name: {long}}.Encode())
		if n := strings.Count(w.Body.String(), `value="`+long[:256]+`"`); n != 1 {
			t.Errorf("%s: %d, and the field does not have the first 256 bytes", path, w.Code)
		}
	}
}
