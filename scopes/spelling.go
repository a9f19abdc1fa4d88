package scopes

import (
	"slices"
	"strings"
)

// This file knows which paths are spellings of one operation. Databricks serves many
// operations under several paths: of other versions, with or without preview/, below
// /ajax-api/ for its web application, under a service's former name. Every path has a
// normal form, in which such spellings are equal.
//
// The normal form decides what an operation is called and which rules deny it. It does
// not decide what is enough to call it: a spelling that the catalog does not have needs
// [AllAPIs], as every unknown path does.

// synonyms are beginnings of normal forms that mean the same. Sources: databricks-sdk-go
// and the rows of cmd/scopegen/extra.tsv.
var synonyms = []struct{ from, to []string }{
	{[]string{"ajax-api"}, []string{"api"}},
	{[]string{"driver-proxy"}, []string{"driver-proxy-api"}},
	{[]string{"serving-endpoints"}, []string{"api", "serving-endpoints"}},
	{[]string{"sql", "endpoints"}, []string{"sql", "warehouses"}},
	{[]string{"api", "sql", "endpoints"}, []string{"api", "sql", "warehouses"}},
	{[]string{"api", "sql", "config", "endpoints"}, []string{"api", "sql", "config", "warehouses"}},
	{[]string{"api", "vector-search"}, []string{"api", "ai-search"}},
	{[]string{"api", "mcp", "vector-search"}, []string{"api", "mcp", "ai-search"}},
	{[]string{"api", "permissions", "sql", "endpoints"}, []string{"api", "permissions", "warehouses"}},
	{[]string{"api", "permissions", "sql"}, []string{"api", "permissions"}},
}

const (
	// maxDropped limits how many segments in the middle of one path are taken for versions.
	maxDropped = 4
	// maxSplit limits how many segments of a path are looked at. No template has as many.
	maxSplit = 4 * maxSegments
)

// dropped reports whether the normal form leaves out a segment: preview, or a version
// such as 2.1, 2, v2 or v1beta1.
func dropped(part string) bool {
	if equalFold(part, "preview") {
		return true
	}
	rest := part
	if rest != "" && lower(rest[0]) == 'v' {
		rest = rest[1:]
	}
	rest, ok := cutNumber(rest)
	if ok && strings.HasPrefix(rest, ".") {
		rest, ok = cutNumber(rest[1:])
	}
	for _, stage := range []string{"alpha", "beta", "rc"} {
		if ok && hasPrefix(rest, stage, true) {
			if rest = rest[len(stage):]; rest != "" {
				rest, ok = cutNumber(rest)
			}
			break
		}
	}
	return ok && rest == ""
}

// cutNumber returns s without the number of one or two digits that it starts with.
func cutNumber(s string) (rest string, ok bool) {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[n:], n == 1 || n == 2
}

// droppedInside is dropped for segments that do not follow api at once: there, a plain
// number is more likely an id.
func droppedInside(part string) bool {
	return dropped(part) && (part[0] < '0' || part[0] > '9' || strings.Contains(part, "."))
}

// normalize returns the normal form of a template's segments.
func normalize(segs []segment) []segment {
	kept := make([]segment, 0, len(segs)+1)
	texts := make([]string, 0, len(segs)+1)
	first := true // after api and what was dropped
	for i := range segs {
		s := &segs[i]
		if i > 0 && s.kind == literalSegment && (first && dropped(s.text) || i < len(segs)-1 && droppedInside(s.text)) {
			continue
		}
		first = first && i == 0 && isAPI(s.text)
		kept = append(kept, *s)
		texts = append(texts, s.text) // braces keep parameters apart from literals
	}
	for range synonyms { // each applies at most once
		from, to := synonym(texts)
		if from == 0 {
			break
		}
		rest := kept[from:]
		kept = nil
		for _, text := range to {
			kept = append(kept, segment{kind: literalSegment, text: text})
		}
		kept = append(kept, rest...)
		texts = slices.Concat(to, texts[from:])
	}
	return kept
}

// normalizePath appends the segments of a path in normal form to buf. Versions in the
// middle are left in: they could be names, so [node.walkSpelling] tries both.
func normalizePath(path string, buf []string) []string {
	return normalizeParts(split(path, buf))
}

// split appends the segments of a path to buf, without a slash at the path's end, and no
// more than maxSplit of them.
func split(path string, buf []string) []string {
	rest := withoutLastSlash(path)[1:]
	for more := true; more && len(buf) < maxSplit; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		buf = append(buf, part)
	}
	return buf
}

// normalizeParts is normalizePath for a path that is split already. It may change parts.
func normalizeParts(parts []string) []string {
	if len(parts) > 0 && isAPI(parts[0]) {
		for len(parts) > 1 && dropped(parts[1]) {
			parts[1] = parts[0]
			parts = parts[1:]
		}
	}
	for range synonyms {
		from, to := synonym(parts)
		if from == 0 {
			break
		}
		if len(to) <= from {
			parts = parts[from-len(to):]
			copy(parts, to)
		} else {
			parts = slices.Concat(to, parts[from:])
		}
	}
	return parts
}

// isPreviewOf reports whether a template is a catch-all below preview/. It is not an
// operation that has other spellings: it is about spellings of others.
func (t *Template) isPreviewOf() bool {
	return t.segs[len(t.segs)-1].kind == restSegment && strings.Contains(t.text, "/preview/")
}

func isAPI(part string) bool { return equalFold(part, "api") || equalFold(part, "ajax-api") }

// synonym returns how many of the first segments have a synonym, versions between them
// included, and which.
func synonym(parts []string) (from int, to []string) {
	for i := range synonyms {
		s := &synonyms[i]
		if n := lenOf(s.from, parts); n > 0 {
			return n, s.to
		}
	}
	return 0, nil
}

// lenOf returns how many of the first parts the texts are, apart from versions between
// them, or 0.
func lenOf(texts, parts []string) int {
	n := 0
	for _, text := range texts {
		for n > 0 && n < len(parts) && droppedInside(parts[n]) {
			n++
		}
		if n == len(parts) || !equalFold(parts[n], text) {
			return 0
		}
		n++
	}
	return n
}

// walkSpelling finds the operation below n for the segments of a path, in a trie of
// normal forms. It ignores letter case, and tries to leave out segments that may be
// versions, at most so many.
func (n *node) walkSpelling(method string, parts []string, drops int) *methodEdge {
	if len(parts) == 0 {
		return n.ops.find(method)
	}
	part, rest := parts[0], parts[1:]
	if len(n.table) > 0 {
		mask := uint32(len(n.table) - 1)
		for i := hashSegment(part) & mask; n.table[i].next != nil; i = (i + 1) & mask {
			if e := &n.table[i]; equalFold(e.text, part) {
				if op := e.next.walkSpelling(method, rest, drops); op != nil {
					return op
				}
			}
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
// must find. Those that the row shares its path with as written do not count: the trie of
// rows tells them apart.
func (c *Catalog) isWide(row int) bool {
	r, t := &c.rows[row], &c.templates[row]
	wide := false
	c.normal.overlapping(t.normal, func(o *Operation) {
		if wide || o.Name == r.Name || r.Method != "*" && o.Method != "*" && o.Method != r.Method {
			return
		}
		if c.precedes(o, r) {
			_, _, direct := overlap(c.templateOf(o), t, true)
			wide = !direct
		}
	})
	return wide
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
	return &c.templates[c.index[o.Method+" "+o.Template]]
}

// eachLiteral calls visit for the children whose literal is s in any letter case.
func (n *node) eachLiteral(s string, visit func(*node)) {
	if len(n.table) == 0 {
		return
	}
	mask := uint32(len(n.table) - 1)
	for i := hashSegment(s) & mask; n.table[i].next != nil; i = (i + 1) & mask {
		if e := &n.table[i]; equalFold(e.text, s) {
			visit(e.next)
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
		n.eachLiteral(s.text, func(next *node) { next.overlapping(rest, visit) })
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
	o.Access, o.AnyOf = narrow([]*Operation{row, needs})
	o.Evidence = needs.Evidence
	o.Source = "another spelling of " + row.Method + " " + row.Template + "; " + needs.Source
	return &o
}
