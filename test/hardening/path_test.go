package hardening

import (
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/golden"
)

// TestPaths tries every trick in testdata/path-tricks.tsv with every disguise.
func TestPaths(t *testing.T) {
	r := startRig(t, "")
	for _, d := range attacks.Disguises {
		t.Run(d.Token+" "+d.Base+" to "+d.Target, func(t *testing.T) {
			for _, trick := range golden.PathTricks(t) {
				target, applies := d.Write(trick.Form)
				if !applies {
					continue
				}
				t.Run(trick.Name, func(t *testing.T) {
					text := request(d.Method, target, d.Token)
					switch {
					case trick.Outcome == golden.Harmless, d.Token == "all" && trick.Outcome != golden.BadRequest && trick.Outcome != misdirected:
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
