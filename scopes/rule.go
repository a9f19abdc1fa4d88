package scopes

import (
	"slices"
	"strings"
)

// Rule is a template that permits or denies operations. Unlike [Template.Match] it
// speaks of operations and not of text: it holds for other paths of the same operations.
// The zero Rule matches nothing. One that [NewRule] made knows the spellings of its own
// template only; one of [Catalog.Rule] knows all rows of the operations.
type Rule struct {
	template Template
	// names are the operations that the template names exactly, as in the catalog.
	names []string
	// same are templates of other rows of the operations, and alike of rows that
	// the normal form cannot tell from them.
	same, alike []Template
}

// NewRule returns a rule that knows no catalog.
func NewRule(t Template) Rule { return Rule{template: t} }

// Rule returns a rule for the operations of c that a template covers. matches reports
// whether the rule is for a method; "*" stands for all.
func (c *Catalog) Rule(t Template, matches func(method string) bool) Rule {
	named := normalize(t.segs, true)
	if len(named) == len(t.normal) || !c.hasValues(&t, named, matches) {
		return c.rule(t, matches)
	}
	t.normal = named
	r := c.rule(t, matches)
	for i := range r.alike {
		r.alike[i].normal = normalize(r.alike[i].segs, true)
	}
	return r
}

// hasValues reports whether the segments of a template that may be versions are values of
// parameters, as in its normal form named: whether the row that it is closest to then is no
// other, or closer.
func (c *Catalog) hasValues(t *Template, named []segment, matches func(method string) bool) bool {
	closest := func(normal []segment) (row *Operation) {
		as := Template{segs: t.segs, normal: normal}
		for i := range c.rows {
			if _, _, ok := overlap(&as, &c.templates[i], false); ok && matches(c.rows[i].Method) && (row == nil || c.closer(&c.rows[i], row)) {
				row = &c.rows[i]
			}
		}
		return row
	}
	with, without := closest(named), closest(t.normal)
	return with != nil && (without == nil || with == without || c.closer(with, without))
}

// rule is Rule for a template whose normal form is settled.
func (c *Catalog) rule(t Template, matches func(method string) bool) Rule {
	r, shape := NewRule(t), normalShape(&t)
	var within []Template // what the template covers of wide rows
	ownRows := false
	for i := range c.rows {
		theirs := &c.templates[i]
		values, exact, ok := overlap(&t, theirs, true)
		if !ok || !matches(c.rows[i].Method) {
			continue
		}
		if shape == c.normals[i] {
			r.names = append(r.names, c.rows[i].Name)
		}
		c.addSpellings(&r, i, values, exact, matches)
		if theirs.isPreviewOf() {
			continue
		}
		ownRows = true
		if c.wide[i] {
			within = append(within, substitute(theirs, values))
		}
	}
	if !t.isSpelling() || t.isPreviewOf() && ownRows {
		return r // a part of the API that has rows of its own, such as all of preview/sql
	}
	// The template may be a spelling itself. Where rows match it as well, only denials
	// reach further than those.
	alone := len(r.alike) == 0 && len(r.names) == 0
	for k, t := range append(within, t) {
		for i := range c.rows {
			if values, exact, ok := overlap(&t, &c.templates[i], false); ok && matches(c.rows[i].Method) {
				c.addSpellings(&r, i, values, exact && (alone || k < len(within)), matches)
			}
		}
	}
	return r
}

// isSpelling reports whether a template stands for the operations that its normal form
// names, and not only for a part of the paths that there are.
func (t *Template) isSpelling() bool {
	return slices.ContainsFunc(t.normal, func(s segment) bool { return s.kind == literalSegment && s.text != "api" })
}

// addSpellings adds to r the templates of the rows that are the same operation as row i,
// with values for their parameters.
func (c *Catalog) addSpellings(r *Rule, i int, values []segment, exact bool, matches func(string) bool) {
	add := func(to *[]Template, k int) {
		if !matches(c.rows[k].Method) {
			return
		}
		t := substitute(&c.templates[k], values)
		if r.template.Match(t.text) {
			return // parameter names stand in for values: the rule's template covers the row
		}
		if !slices.ContainsFunc(*to, func(s Template) bool { return s.text == t.text }) {
			*to = append(*to, t)
		}
	}
	for _, k := range c.byName[c.rows[i].Name] {
		add(&r.alike, k)
		if exact {
			add(&r.same, k)
		}
	}
	for _, k := range c.byNormal[c.normals[i]] {
		add(&r.alike, k)
	}
}

// overlap reports whether some path matches both templates and, if so, what the first
// one says about the parameters of the second, in their order; a segment without text
// says nothing. exact is false if it says more than that. With direct the paths
// are compared as they are, apart from API versions, and otherwise in their normal form.
func overlap(t, row *Template, direct bool) (values []segment, exact, ok bool) {
	ours, theirs := t.segs, row.segs
	if !direct {
		ours, theirs = t.normal, row.normal
	}
	exact = true
	for i := range theirs {
		their := &theirs[i]
		if i >= len(ours) {
			return nil, false, false
		}
		our := &ours[i]
		switch {
		case our.kind == restSegment:
			return values, exact, true
		case their.kind == restSegment:
			return append(values, ours[i:]...), exact, true
		case their.kind == literalSegment && our.kind == literalSegment:
			version := direct && i == 1 && row.versioned && isVersion(our.text)
			if !version && !equalFold(our.text, their.text) {
				return nil, false, false
			}
		case their.kind == literalSegment:
			if !our.match(their.text, true) {
				return nil, false, false
			}
		case their.kind == paramSegment && our.kind != paramSegment:
			values = append(values, *our)
		case their.kind == paramSegment:
			values = append(values, segment{})
		case our.kind == literalSegment: // theirs is a pattern
			if !their.match(our.text, true) {
				return nil, false, false
			}
			found, ok := capture(their.around, our.text)
			if !ok {
				exact, found = false, make([]string, len(their.around)-1)
			}
			for _, value := range found {
				values = append(values, segment{kind: literalSegment, text: value})
			}
		default:
			if our.kind == patternSegment && excludes(our.around, their.around) {
				return nil, false, false
			}
			exact = exact && (our.kind == paramSegment || our.text == their.text)
			values = append(values, make([]segment, len(their.around)-1)...)
		}
	}
	return values, exact, len(ours) == len(theirs)
}

// substitute returns t with values for its parameters, in their order.
func substitute(t *Template, values []segment) Template {
	var parts []string
	for i := range t.segs {
		s := &t.segs[i]
		part := s.text
		switch s.kind {
		case paramSegment:
			if len(values) > 0 {
				if values[0].text != "" {
					part = values[0].text
				}
				values = values[1:]
			}
		case patternSegment:
			n := min(len(values), len(s.around)-1)
			if n == len(s.around)-1 && !slices.ContainsFunc(values[:n], func(v segment) bool { return v.text == "" }) {
				part = s.around[0]
				for k := range n {
					part += values[k].text + s.around[k+1]
				}
			}
			values = values[n:]
		case restSegment:
			for _, value := range values {
				parts = append(parts, value.text)
			}
			if len(values) > 0 {
				continue
			}
		}
		parts = append(parts, part)
	}
	made, err := ParseTemplate("/" + strings.Join(parts, "/"))
	if err != nil {
		return *t // wider, which only happens to odd templates
	}
	return made
}

// normalShape returns the shape of a template's normal form.
func normalShape(t *Template) string {
	normal := Template{segs: t.normal}
	return strings.ToLower(normal.shape())
}

// Denies reports whether the rule covers a reading. It ignores letter case, because Unity
// Catalog ignores it in many names. A path that the catalog does not have is covered if it
// could be a spelling of what the rule names, whatever comes before.
func (r *Rule) Denies(reading *Reading) bool {
	if r.template.MatchFold(reading.Path) || slices.ContainsFunc(r.alike, func(t Template) bool { return t.MatchFold(reading.Path) }) {
		return true
	}
	o, row := reading.Operation, reading.SpellingOf
	unknown := o.Unmapped() || o.Evidence == Operator // an operator's row may stand for many
	if !unknown && row == nil {
		return false // the catalog has the path, and as another operation
	}
	if row != nil && r.template.MatchFold(row.Template) {
		return true // parameter names stand in for values: the rule covers all of the row
	}
	if o.Unmapped() && strings.Count(reading.Path, "/") >= maxSplit {
		return true // no operation has such a path, so what it could be is not looked at
	}
	parts := normalizePath(reading.Path, nil)
	return r.template.matchSpelling(parts, unknown) ||
		slices.ContainsFunc(r.alike, func(t Template) bool { return t.matchSpelling(parts, unknown) })
}

// Allows reports whether the rule covers a reading. Where the template is that of a row,
// it covers that operation and no other. A path that the catalog does not have must match
// letter by letter.
func (r *Rule) Allows(reading *Reading) bool {
	o := reading.Operation
	switch {
	case reading.InName:
		return true // the reading of which this is the name has to be covered too
	case o.Unmapped():
		return r.template.matchExactly(reading.Path)
	case slices.Contains(r.names, o.Name):
		return true
	case len(r.names) > 0 && reading.SpellingOf == nil:
		return false
	}
	return r.template.Match(reading.Path) ||
		len(r.names) == 0 && slices.ContainsFunc(r.same, func(t Template) bool { return t.Match(reading.Path) })
}

// matchSpelling reports whether a path could be a spelling of t, after any prefix or, if
// not anywhere, as it is.
func (t *Template) matchSpelling(parts []string, anywhere bool) bool {
	normal := t.normal
	if len(normal) == 0 {
		return false
	}
	switch {
	case !t.isSpelling():
		return anywhere && t.isWholeAPI() && slices.ContainsFunc(parts, isAPI)
	case !anywhere:
		return matchNormal(normal, parts, maxDropped)
	}
	// A longer tail can only match a template that covers the rest of a path, and for
	// that its beginning is enough.
	window := len(normal) + 2*maxDropped
	buf := make([]string, 0, window+1)
	for i := range parts {
		tail := parts[i:]
		if len(tail) > window {
			if normal[len(normal)-1].kind != restSegment {
				continue
			}
			tail = tail[:window]
		}
		buf = buf[:0]
		if normal[0].is("api") {
			buf = append(buf, "api")
		}
		if matchNormal(normal, normalizeParts(append(buf, tail...)), maxDropped) {
			return true
		}
	}
	return false
}

// isWholeAPI reports whether a template covers everything below /api or a version of it, but
// not only what is below preview/ or what the web application calls.
func (t *Template) isWholeAPI() bool {
	for i := range t.segs {
		s := &t.segs[i]
		switch {
		case i == 0 && s.is("api"), i == 1 && s.kind == literalSegment && isVersion(s.text), i > 0 && s.kind == restSegment:
		default:
			return false
		}
	}
	return len(t.segs) > 1
}

// matchNormal matches the segments of a path with a normal form. It ignores letter case, and
// tries to leave out segments that may be versions.
func matchNormal(normal []segment, parts []string, drops int) bool {
	for len(normal) > 0 {
		if len(parts) == 0 {
			return false
		}
		if normal[0].kind == restSegment {
			return true
		}
		if drops > 0 && len(parts) > 1 && dropped(parts[0]) && matchNormal(normal, parts[1:], drops-1) {
			return true
		}
		if !normal[0].match(parts[0], true) {
			return false
		}
		normal, parts = normal[1:], parts[1:]
	}
	return len(parts) == 0
}
