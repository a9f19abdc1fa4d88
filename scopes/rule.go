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
	r, shape := NewRule(t), normalShape(&t)
	var within []Template // what the template covers of wide rows
	cover := func(t Template, direct bool) bool {
		found := false
		for i := range c.rows {
			row := &c.rows[i]
			if !matches(row.Method) {
				continue
			}
			theirs := c.templates[i]
			if values, exact, ok := overlap(&t, &theirs, direct); ok {
				found = true
				if direct && shape == c.normals[i] {
					r.names = append(r.names, row.Name)
				}
				c.addSpellings(&r, i, values, exact, matches)
				if direct && c.isWide(i) && !theirs.isPreviewOf() {
					within = append(within, substitute(&theirs, values))
				}
			}
		}
		return found
	}
	// A template may also be a spelling itself, which no row has, or only a wide one.
	if !cover(t, true) && len(t.normal) > 1 && (t.normal[1].kind == literalSegment || !t.normal[0].is("api")) {
		within = []Template{t}
	}
	for _, t := range within {
		cover(t, false)
	}
	return r
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
		default: // a pattern
			if our.kind == literalSegment && !their.match(our.text, true) {
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
			values = values[min(len(values), len(s.around)-1):]
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
	o := reading.Operation
	if !o.Unmapped() && reading.SpellingOf == nil {
		return false // the catalog has the path, and as another operation
	}
	parts := normalizePath(reading.Path, nil)
	return r.template.matchSpelling(parts, o.Unmapped()) ||
		slices.ContainsFunc(r.alike, func(t Template) bool { return t.matchSpelling(parts, o.Unmapped()) })
}

// Allows reports whether the rule covers a reading. Where the template is that of a row,
// it covers that operation and no other. A path that the catalog does not have must match
// letter by letter.
func (r *Rule) Allows(reading *Reading) bool {
	o := reading.Operation
	switch {
	case o.Unmapped():
		return r.template.matchExactly(reading.Path)
	case slices.Contains(r.names, o.Name):
		return true
	case len(r.names) > 0 && reading.SpellingOf == nil:
		return false
	}
	if r.template.Match(reading.Path) || slices.ContainsFunc(r.same, func(t Template) bool { return t.Match(reading.Path) }) {
		return true
	}
	if reading.SpellingOf == nil {
		return false
	}
	parts := normalizePath(reading.Path, nil)
	return matchNormal(r.template.normal, parts, maxDropped, false) ||
		slices.ContainsFunc(r.same, func(t Template) bool { return matchNormal(t.normal, parts, maxDropped, false) })
}

// matchSpelling reports whether a path could be a spelling of t, after any prefix or, if
// not anywhere, as it is.
func (t *Template) matchSpelling(parts []string, anywhere bool) bool {
	normal := t.normal
	if len(normal) == 0 {
		return false
	}
	named := slices.ContainsFunc(normal, func(s segment) bool { return s.kind == literalSegment && s.text != "api" })
	if !anywhere || !named {
		return matchNormal(normal, parts, maxDropped, true)
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
		if matchNormal(normal, normalizeParts(append(buf, tail...)), maxDropped, true) {
			return true
		}
	}
	return false
}

// matchNormal matches the segments of a path with a normal form. It tries to leave out
// segments that may be versions. With fold, for rules that deny, it ignores letter case and
// takes plain numbers for versions too.
func matchNormal(normal []segment, parts []string, drops int, fold bool) bool {
	for len(normal) > 0 {
		if len(parts) == 0 {
			return false
		}
		if normal[0].kind == restSegment {
			return true
		}
		version := droppedInside(parts[0]) || fold && dropped(parts[0])
		if drops > 0 && len(parts) > 1 && version && matchNormal(normal, parts[1:], drops-1, fold) {
			return true
		}
		if !normal[0].match(parts[0], fold) {
			return false
		}
		normal, parts = normal[1:], parts[1:]
	}
	return len(parts) == 0
}
