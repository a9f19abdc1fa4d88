package hardening

import (
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/golden"
)

// pathDisguises are attacks by clients whose token permits everything below Base, but
// not Target.
var pathDisguises = []struct{ token, base, method, target string }{
	{"files", "/api/2.0/fs/files/Volumes/a", "GET", "/api/2.0/secrets/list"},
	{"files", "/api/2.0/fs/directories/a", "DELETE", "/api/2.0/token-management/tokens/1"},
	{"sql", "/api/2.0/sql/statements", "POST", "/api/2.0/token/create"},
	{"sql", "/api/2.0/sql/warehouses", "GET", "/api/2.1/clusters/list"},
	{"all", "/api/2.0/sql/warehouses", "GET", accountPath},
}

// Reason codes that tests expect.
const (
	scope     = "missing_scope"
	malformed = "malformed_path"
	account   = "account_level_operation"
)

// TestPaths tries every trick in testdata/path-tricks.tsv with every disguise.
func TestPaths(t *testing.T) {
	r := startRig(t, "")
	for _, d := range pathDisguises {
		t.Run(d.token+" "+d.base+" to "+d.target, func(t *testing.T) {
			for _, trick := range golden.PathTricks(t) {
				target, applies := golden.Disguise{Base: d.base, Target: d.target}.Write(trick.Form)
				if !applies {
					continue
				}
				t.Run(trick.Name, func(t *testing.T) {
					text := request(d.method, target, d.token)
					switch {
					case trick.Outcome == golden.Harmless, d.token == "all" && trick.Outcome != golden.BadRequest && trick.Outcome != misdirected:
						r.tryEither(t, text)
					case trick.Outcome == golden.Refused:
						r.tryRefused(t, text)
					default:
						r.try(t, text, trick.Outcome)
					}
				})
			}
		})
	}
}

// tryEither is [rig.try] for requests that may pass, as long as they are harmless.
func (r *rig) tryEither(t *testing.T, text string) {
	t.Helper()
	c := r.Dial(t)
	c.WriteText(t, r.fill.Replace(text))
	a := c.Answer(t, "GET")
	arrived := r.arrivals(t)
	if got := outcomeOf(a.Response); !slices.Contains([]string{scope, malformed, account}, got) && (got != passes || len(arrived) != 1) || got != passes && len(arrived) > 0 {
		t.Errorf("outcome %q, and %d arrived", got, len(arrived))
	}
}

// tryRefused is [rig.try] for requests that must not pass, for one of two reasons.
func (r *rig) tryRefused(t *testing.T, text string) {
	t.Helper()
	c := r.Dial(t)
	c.WriteText(t, r.fill.Replace(text))
	a := c.Answer(t, "GET")
	if got, arrived := outcomeOf(a.Response), r.arrivals(t); got != scope && got != malformed || len(arrived) > 0 {
		t.Errorf("outcome %q, and %d arrived", got, len(arrived))
	}
}
