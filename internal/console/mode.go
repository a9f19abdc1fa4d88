package console

import (
	"slices"

	"github.com/scopegate/scopegate/internal/adminapi"
)

// modeLine says whether refusals are enforced. Its zero value says nothing.
type modeLine struct {
	Text, Class string
	// Rehearses means that some refusals are only recorded.
	Rehearses bool
}

// modeOf returns the line for the sites of a gateway.
func modeOf(judges []adminapi.Judge) modeLine {
	observing := 0
	rehearsed := false
	for _, j := range judges {
		if j.Observe {
			observing++
		}
		for i := range j.Rules.Policies {
			rehearsed = rehearsed || j.Rules.Policies[i].Rehearsed()
		}
	}
	switch {
	case len(judges) == 0:
		return modeLine{}
	case observing == len(judges):
		return modeLine{"Mode observe: refusals are only recorded.", "note", true}
	case observing > 0:
		return modeLine{"Some sites of this gateway are in mode observe: they refuse nothing, and only record what they would refuse.", "note", true}
	case rehearsed:
		return modeLine{"Mode enforce. Some policies are rehearsed, for all or some tokens: their refusals are only recorded.", "muted", true}
	}
	return modeLine{"Mode enforce: what is out of scope is refused.", "muted", false}
}

// Unwell reports whether something in the section Health is wrong.
func (d *overviewData) Unwell() bool {
	if !d.Health.Ready || len(d.Audit.Troubles) > 0 {
		return true
	}
	return slices.ContainsFunc(d.Fleets, func(f fleetPart) bool { return len(f.Problems) > 0 })
}
