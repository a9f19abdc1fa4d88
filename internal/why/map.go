package why

import (
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/auditlog"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/scopes"
)

// tellOperation says what the path means, and what the row rests on. It completes the row of
// a record from a log by that of the same map.
func (s *Story) tellOperation(r *audit.Record, maps Maps, from origin) {
	o := r.Operation
	if o == nil {
		return
	}
	same := slices.IndexFunc(maps.Catalogs, func(c *scopes.Catalog) bool { return c.Version() == r.Catalog })
	if from.log && same >= 0 && !o.Unmapped() {
		if row := rowOf(maps.Catalogs[same], r.Method, o); row != nil {
			r.Operation, o = row, row
		}
	}
	t := &Operation{
		Name: o.Name, Template: o.Template, Also: r.Operations, Needs: judge.Needs(o), AnyOf: append([]string{}, judge.RequiredScopes(o)...),
		Evidence: string(o.Evidence), Source: o.Source, Map: r.Catalog, Present: same >= 0,
	}
	if from.learned || !from.log && r.ByLearned() {
		t.Evidence = auditlog.Learned
		t.Source = "the token has none of these scopes; the workspace was seen to accept those that it has"
	}
	switch {
	case same >= 0:
		t.About = "of " + maps.Name
	case len(maps.Catalogs) == 0:
		t.About = "of a map that cannot be compared now"
	default:
		t.About = "not of " + maps.Name + now(maps.Catalogs, r.Method, o)
	}
	s.Operation = t
}

// now says what other maps have for an operation, if they agree.
func now(catalogs []*scopes.Catalog, method string, o *scopes.Operation) string {
	if o.Unmapped() {
		return ""
	}
	says := ""
	for _, c := range catalogs {
		one := ", which has no such row"
		if row := rowOf(c, method, o); row != nil {
			one = fmt.Sprintf(", in which it needs %s (%s)", judge.Needs(row), row.Evidence)
		}
		if says != "" && says != one {
			return ""
		}
		says = one
	}
	return says
}

// rowOf returns the row of an operation in a catalog, or nil.
func rowOf(c *scopes.Catalog, method string, o *scopes.Operation) *scopes.Operation {
	rows := c.Operations()
	var every *scopes.Operation
	for i := range rows {
		row := &rows[i]
		if row.Name != o.Name || row.Template != o.Template {
			continue
		}
		if row.Method == method {
			return row
		}
		if row.Method == "*" {
			every = row
		}
	}
	return every
}
