package hardening

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
)

// TestCredentials: exactly one credential arrives, and it is the one that was checked.
func TestCredentials(t *testing.T) {
	r := startRig(t, "")
	for _, c := range attacks.Credentials(r.fill) {
		t.Run(c.Name, func(t *testing.T) {
			for _, got := range r.try(t, c.Text, c.Want...) {
				value := got.Header.Get("Authorization")
				if bearer, basic := strings.EqualFold(value, "Bearer "+r.tokens["files"].Value), value == attacks.Basic(r.fill, "token:{files}"); !bearer && !basic {
					t.Errorf("arrived with %q", value)
				}
			}
		})
	}
}

// TestQueryCredentials: a token in the query (RFC 6750, section 2.3) never reaches the
// workspace as a second credential.
func TestQueryCredentials(t *testing.T) { startRig(t, "").all(t, attacks.QueryCredentials()) }

// TestPipeline: each request on a connection is judged independently, by its own token.
func TestPipeline(t *testing.T) {
	r := startRig(t, "")
	r.all(t, attacks.Pipelines(r.fill))
}
