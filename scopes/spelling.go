package scopes

import "iter"

// This file finds the operation that a path spells, where no row has the path or only a row
// that stands for several operations.

// walkSpelling finds the operation below n for the segments of a path, in a trie of
// normal forms. It ignores letter case, and tries to leave out segments that may be
// versions, at most so many.
func (n *node) walkSpelling(method string, parts []string, drops int) *methodEdge {
	if len(parts) == 0 {
		return n.ops.find(method)
	}
	part, rest := parts[0], parts[1:]
	for next := range n.inAnyCase(part) {
		if op := next.walkSpelling(method, rest, drops); op != nil {
			return op
		}
	}
	for j := range n.patterns {
		if e := &n.patterns[j]; matchPattern(e.around, part, true) {
			if op := e.next.walkSpelling(method, rest, drops); op != nil {
				return op
			}
		}
	}
	if drops > 0 && droppedInside(part) && len(rest) > 0 {
		if op := n.walkSpelling(method, rest, drops-1); op != nil {
			return op
		}
	}
	if n.param != nil && part != "" {
		if op := n.param.walkSpelling(method, rest, drops); op != nil {
			return op
		}
	}
	return n.rest.find(method)
}

// spelling is a row whose operation was called by a path that row does not match, and
// the row that says what the path needs.
type spelling struct{ row, needs *Operation }

// isWide reports whether a row also matches spellings of other operations, which identify
// must find.
func (c *Catalog) isWide(row int) bool {
	r, t := &c.rows[row], &c.templates[row]
	wide := false
	c.normal.overlapping(t.normal, func(o *Operation) {
		if wide || o.Name == r.Name || r.Method != "*" && o.Method != "*" && o.Method != r.Method {
			return
		}
		if c.precedes(o, r) {
			theirs := c.templateOf(o)
			_, _, direct := overlap(theirs, t, true)
			wide = !direct || !t.beginsLike(theirs)
		}
	})
	return wide
}

// beginsLike reports whether t begins with the same literals as another template, up to what
// the normal form of that one leaves out, and has parameters of one segment only. Then the
// trie of rows tells their paths apart.
func (t *Template) beginsLike(other *Template) bool {
	if t.segs[len(t.segs)-1].kind == restSegment {
		return false
	}
	same := 0
	for same < min(len(t.segs), len(other.segs)) && t.segs[same].kind == literalSegment && other.segs[same].is(t.segs[same].text) {
		same++
	}
	for i := same; i < len(other.segs); i++ {
		if s := &other.segs[i]; s.kind == literalSegment && dropped(s.text) {
			return false
		}
	}
	return same > 0
}

// precedes reports whether a look-up among normal forms tries row a before row b.
func (c *Catalog) precedes(a, b *Operation) bool {
	ours, theirs := c.templateOf(a).normal, c.templateOf(b).normal
	for i := range min(len(ours), len(theirs)) {
		if ours[i].kind != theirs[i].kind {
			return ours[i].kind < theirs[i].kind
		}
	}
	return b.Method == "*" && a.Method != "*"
}

// templateOf returns the template of a row of c, or of what c made of rows for unknown
// versions.
func (c *Catalog) templateOf(o *Operation) *Template {
	return &c.templates[c.index[o]]
}

// inAnyCase returns the children whose literal is s in any letter case.
func (n *node) inAnyCase(s string) iter.Seq[*node] {
	return func(yield func(*node) bool) {
		if len(n.table) == 0 {
			return
		}
		mask := uint32(len(n.table) - 1)
		for i := hashSegment(s) & mask; n.table[i].next != nil; i = (i + 1) & mask {
			if e := &n.table[i]; equalFold(e.text, s) && !yield(e.next) {
				return
			}
		}
	}
}

// overlapping calls visit for all operations of a trie of normal forms that share a path
// with the template of these segments.
func (n *node) overlapping(segs []segment, visit func(*Operation)) {
	for _, e := range n.rest {
		visit(e.op)
	}
	if len(segs) == 0 {
		for _, e := range n.ops {
			visit(e.op)
		}
		return
	}
	s, rest := &segs[0], segs[1:]
	if s.kind == restSegment {
		rest = segs
		for _, e := range n.ops {
			visit(e.op)
		}
	}
	if s.kind == literalSegment {
		for next := range n.inAnyCase(s.text) {
			next.overlapping(rest, visit)
		}
	} else {
		for i := range n.table {
			if e := &n.table[i]; e.next != nil && (s.kind == restSegment || s.match(e.text, true)) {
				e.next.overlapping(rest, visit)
			}
		}
	}
	for i := range n.patterns {
		if e := &n.patterns[i]; s.kind != literalSegment || matchPattern(e.around, s.text, true) {
			e.next.overlapping(rest, visit)
		}
	}
	if n.param != nil {
		n.param.overlapping(rest, visit)
	}
}

// identify returns what the path of a query needs, under the name of the operation that
// it is a spelling of, and that operation's row. needs is the row that matched, or
// unmapped; if the path is no spelling, it is the result, without a row.
func (c *Catalog) identify(q *query, needs *Operation) (o, row *Operation) {
	var buf [maxSplit]string
	parts := normalizePath(q.path, buf[:0])
	found := c.normal.walkSpelling(q.method, parts, maxDropped)
	if found == nil {
		return needs, nil
	}
	row = found.op
	// A segment that may be a version may also be a name.
	if whole := c.normal.walkSpelling(q.method, parts, 0); whole != nil && whole.op != row && c.closer(whole.op, row) {
		row = whole.op
	}
	if row.Name == needs.Name {
		return needs, nil
	}
	key := spelling{row, needs}
	known, ok := c.spellings.Load(key)
	if !ok {
		known, _ = c.spellings.LoadOrStore(key, c.spell(row, needs))
	}
	if o = known.(*Operation); o == needs {
		return o, nil
	}
	return o, row
}

// closer reports whether row a says more about a path than row b, if both match it.
func (c *Catalog) closer(a, b *Operation) bool {
	if c.precedes(b, a) {
		return false
	}
	return c.precedes(a, b) || len(c.templateOf(a).normal) > len(c.templateOf(b).normal)
}

// spell returns the operation of a row for a path that needs something else. It is needs
// itself where that row is the more specific one.
func (c *Catalog) spell(row, needs *Operation) *Operation {
	if needs != unmapped && !c.precedes(row, needs) {
		return needs
	}
	o := *row
	o.Evidence = needs.Evidence
	o.narrow([]*Operation{row, needs})
	o.classAs([]*Operation{row, needs})
	o.Source = "another spelling of " + row.Method + " " + row.Template + "; " + needs.Source
	return &o
}
