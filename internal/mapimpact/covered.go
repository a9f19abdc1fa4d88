package mapimpact

import (
	"slices"

	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/scopes"
)

// row is a row that only the other map has.
type row struct {
	*scopes.Operation
	fixed string // what all of its paths begin with
}

// findAdded finds the rows that only the other map has. Without the map before, none are
// known.
func (c *comparison) findAdded() {
	if len(c.Before) == 0 || len(c.After) == 0 {
		return
	}
	for _, change := range scopes.Diff(c.Before[0].Catalog.Operations(), c.After[0].Catalog.Operations()) {
		if change.Old == nil {
			c.added = append(c.added, row{change.New, replay.FixedPart(change.New.Template)})
		}
	}
}

// coveredBy returns an added row that takes some of the paths of an operation, and reads them
// differently. Calls are kept with the template, so it is not known whether they had these
// paths. It returns nil if there is none.
func (c *comparison) coveredBy(o *scopes.Operation) *row {
	fixed := replay.FixedPart(o.Template)
	if len(c.added) == 0 || fixed == o.Template {
		return nil
	}
	key := o.Method + " " + o.Template
	by, known := c.covered[key]
	if !known {
		for i := range c.added {
			if c.covers(&c.added[i], o, fixed) {
				by = &c.added[i]
				break
			}
		}
		c.covered[key] = by
	}
	return by
}

// covers reports whether there is a path that was an operation's and would be the row's.
func (c *comparison) covers(by *row, o *scopes.Operation, fixed string) bool {
	if n := min(len(fixed), len(by.fixed)); fixed[:n] != by.fixed[:n] || by.Template == o.Template {
		return false
	}
	path := replay.InBoth(o.Template, by.Template)
	if path == "" {
		return false
	}
	for _, method := range replay.Methods(o) {
		if by.Method != "*" && by.Method != method {
			continue
		}
		before, after := replay.ReadingsOf(c.Before[0].Catalog, method, path), replay.ReadingsOf(c.After[0].Catalog, method, path)
		isOf := func(o *scopes.Operation) func(scopes.Reading) bool {
			return func(r scopes.Reading) bool { return r.Operation.Template == o.Template }
		}
		if slices.ContainsFunc(before, isOf(o)) && slices.ContainsFunc(after, isOf(by.Operation)) && c.matters(before, after) {
			return true
		}
	}
	return false
}

// matters reports whether the judges may decide otherwise for the other readings of a path.
func (c *comparison) matters(before, after []scopes.Reading) bool {
	return slices.ContainsFunc(c.After, beyondNeeds) ||
		!slices.EqualFunc(before, after, func(a, b scopes.Reading) bool { return sameNeeds(a.Operation, b.Operation) })
}
