package scopes

import (
	"math/bits"
	"slices"
)

// node is a position in the trie of templates. A look-up tries the edges in the
// order of precedence (see segmentKind) and backtracks if one leads nowhere.
type node struct {
	// table holds the literal edges, open-addressed by hashSegment. A map costs more
	// than the rest of the step, and cannot find a literal in another letter case.
	table []literalEdge
	// version matches any API version that has no row of its own.
	version  *node
	patterns []patternEdge
	param    *node
	rest     methods
	ops      methods

	literals int
}

type literalEdge struct {
	text string
	next *node
}

type patternEdge struct {
	around []string
	next   *node
}

// methods are the operations of one template, by method.
type methods []methodEdge

type methodEdge struct {
	method string
	op     *Operation
	// wide is set if the row also matches spellings of other operations.
	wide bool
}

// find returns the edge for method, or nil. HEAD reveals what GET does, so
// without a row of its own it needs what GET needs.
func (m methods) find(method string) *methodEdge {
	var get, all *methodEdge
	for i := range m {
		switch e := &m[i]; e.method {
		case method:
			return e
		case "GET":
			get = e
		case "*":
			all = e
		}
	}
	if get != nil && method == "HEAD" {
		return get
	}
	return all
}

// hashSegment mixes the length and four bytes of s. It ignores letter case, so that
// one table serves both exact and case-insensitive look-ups.
func hashSegment(s string) uint32 {
	n := len(s)
	if n == 0 {
		return 0
	}
	h := uint32(n)*0x9e3779b1 ^ uint32(s[0]|0x20)<<24 ^ uint32(s[n-1]|0x20)<<16 ^ uint32(s[n/2]|0x20)<<8 ^ uint32(s[n/4]|0x20)
	return h * 0x85ebca6b >> 15
}

// literal returns the child for exactly s, or nil, and whether there is a child
// for s in another letter case.
func (n *node) literal(s string) (next *node, folded bool) {
	if len(n.table) == 0 {
		return nil, false
	}
	mask := uint32(len(n.table) - 1)
	for i := hashSegment(s) & mask; n.table[i].next != nil; i = (i + 1) & mask {
		e := &n.table[i]
		if len(e.text) != len(s) {
			continue
		}
		if e.text == s {
			next = e.next
		} else if equalFold(e.text, s) {
			folded = true
		}
	}
	return next, folded
}

// child returns the child for the literal s, and creates it if necessary.
func (n *node) child(s string) *node {
	if next, _ := n.literal(s); next != nil {
		return next
	}
	n.literals++
	if n.literals*2 > len(n.table) {
		old := n.table
		n.table = make([]literalEdge, 1<<bits.Len(uint(n.literals*2)))
		for _, e := range old {
			if e.next != nil {
				n.put(e)
			}
		}
	}
	next := new(node)
	n.put(literalEdge{s, next})
	return next
}

func (n *node) put(e literalEdge) {
	mask := uint32(len(n.table) - 1)
	i := hashSegment(e.text) & mask
	for n.table[i].next != nil {
		i = (i + 1) & mask
	}
	n.table[i] = e
}

// insert adds the operation of a template.
func (n *node) insert(segs []segment, e methodEdge) {
	for i := range segs {
		switch s := &segs[i]; s.kind {
		case literalSegment:
			n = n.child(s.text)
		case patternSegment:
			n = n.pattern(s.around)
		case paramSegment:
			if n.param == nil {
				n.param = new(node)
			}
			n = n.param
		case restSegment:
			n.rest = append(n.rest, e)
			return
		}
	}
	n.ops = append(n.ops, e)
}

func (n *node) pattern(around []string) *node {
	i, found := slices.BinarySearchFunc(n.patterns, around, func(e patternEdge, around []string) int {
		return comparePatterns(e.around, around)
	})
	if !found {
		n.patterns = slices.Insert(n.patterns, i, patternEdge{around, new(node)})
	}
	return n.patterns[i].next
}

// query is a path split into segments, and the state of one look-up.
type query struct {
	method string
	path   string
	// fold makes the look-up ignore letter case.
	fold bool
	// folds is set if ignoring letter case could lead to another operation.
	folds bool
	// n counts all segments; segs holds only the first maxSegments.
	n    int
	segs [maxSegments]struct{ from, to uint32 }
}

func (q *query) add(from, to int) {
	if q.n < maxSegments {
		q.segs[q.n].from, q.segs[q.n].to = uint32(from), uint32(to)
	}
	q.n++
}

// walk finds the operation below n for the segments from i on. A node has a single
// depth, so a look-up visits no node twice, however far it backtracks.
func (n *node) walk(q *query, i int) *methodEdge {
	if i == q.n {
		return n.ops.find(q.method)
	}
	if i >= maxSegments {
		return n.rest.find(q.method)
	}
	part := q.path[q.segs[i].from:q.segs[i].to]
	next, folded := n.literal(part)
	if next != nil {
		if op := next.walk(q, i+1); op != nil {
			return op
		}
	}
	if folded {
		q.folds = true
		if q.fold {
			if op := n.walkFolded(q, i, part); op != nil {
				return op
			}
		}
	}
	if n.version != nil && isVersion(part) {
		if op := n.version.walk(q, i+1); op != nil {
			return op
		}
	}
	for j := range n.patterns {
		e := &n.patterns[j]
		if !matchPattern(e.around, part, false) {
			if !matchPattern(e.around, part, true) {
				continue
			}
			q.folds = true
			if !q.fold {
				continue
			}
		}
		if op := e.next.walk(q, i+1); op != nil {
			return op
		}
	}
	if n.param != nil && part != "" {
		if op := n.param.walk(q, i+1); op != nil {
			return op
		}
	}
	return n.rest.find(q.method)
}

// walkFolded follows the literals that differ from part in letter case only.
func (n *node) walkFolded(q *query, i int, part string) *methodEdge {
	for j := range n.table {
		e := &n.table[j]
		if e.next != nil && e.text != part && equalFold(e.text, part) {
			if op := e.next.walk(q, i+1); op != nil {
				return op
			}
		}
	}
	return nil
}
