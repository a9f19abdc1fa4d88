package mapimpact

import (
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/routesfile"
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
			c.added = append(c.added, row{change.New, fixedPart(change.New.Template)})
		}
	}
}

// coveredBy returns an added row that takes some of the paths of an operation, and reads them
// differently. Calls are kept with the template, so it is not known whether they had these
// paths. It returns nil if there is none.
func (c *comparison) coveredBy(o *scopes.Operation) *row {
	fixed := fixedPart(o.Template)
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
	path := inBoth(o.Template, by.Template)
	if path == "" {
		return false
	}
	for _, method := range methodsOf(o) {
		if by.Method != "*" && by.Method != method {
			continue
		}
		before, after := read(c.Before[0].Catalog, method, path), read(c.After[0].Catalog, method, path)
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

// fixedPart returns what all paths of a template begin with.
func fixedPart(template string) string {
	if i := strings.IndexAny(template, "{*"); i >= 0 {
		return template[:i]
	}
	return template
}

// inBoth returns a path that two templates match, or an empty string where none comes to
// mind: it takes each segment from the template that says more of it. A map has to confirm
// it.
func inBoth(a, b string) string {
	left, right := strings.Split(a, "/"), strings.Split(b, "/")
	var path []string
	for i := range min(len(left), len(right)) {
		switch {
		case isRest(left[i]):
			return routesfile.Sample(strings.Join(append(path, right[i:]...), "/"))
		case isRest(right[i]):
			return routesfile.Sample(strings.Join(append(path, left[i:]...), "/"))
		case fixedPart(left[i]) == left[i] || fixedPart(right[i]) != right[i] && isParameter(right[i]):
			path = append(path, left[i])
		default:
			path = append(path, right[i])
		}
	}
	if len(left) != len(right) {
		return ""
	}
	return routesfile.Sample(strings.Join(path, "/"))
}

// isRest reports whether a segment stands for the rest of a path.
func isRest(segment string) bool { return segment == "*" || strings.HasSuffix(segment, "...}") }

// isParameter reports whether a segment stands for any text.
func isParameter(segment string) bool {
	return strings.Index(segment, "}") == len(segment)-1 && strings.HasPrefix(segment, "{")
}
