package scopes

import (
	"slices"
	"strings"
)

// Reading is one meaning of a path, and the operation that it names.
type Reading struct {
	// Path is the path as a server with this reading sees it. A slash that it
	// takes for data inside a segment is shown as %2F.
	Path string
	// Operation is what the path names; never nil.
	Operation *Operation
}

// PathError refuses a path that no client sends in good faith.
type PathError struct {
	// Reason says what is wrong, as a clause for the client: "the path …". It
	// quotes nothing from the path.
	Reason string
}

func (e *PathError) Error() string { return "reading the request path: " + e.Reason }

var (
	errNoSlash   = &PathError{"the path does not begin with a slash"}
	errControl   = &PathError{"the path contains a control character"}
	errSpace     = &PathError{"the path contains a space that is not percent-encoded"}
	errQuery     = &PathError{"the path contains a query or a fragment"}
	errEscape    = &PathError{"the path contains a percent sign that is not followed by two hexadecimal digits"}
	errEncoding  = &PathError{"the path is not valid UTF-8"}
	errAmbiguous = &PathError{"the path can be read in too many ways"}
)

// byteClass sorts the bytes of a path by what they make of it.
type byteClass uint8

const (
	plainByte   byteClass = iota
	slashByte             // may end a segment that readings differ about
	oddByte               // gives the path more than one reading
	controlByte           // refused
	spaceByte             // refused
	queryByte             // refused
)

var byteClasses = func() (classes [256]byteClass) {
	for c := range classes {
		switch {
		case c < 0x20 || c == 0x7f:
			classes[c] = controlByte
		case c >= 0x80:
			classes[c] = oddByte
		}
	}
	classes['/'] = slashByte
	classes['%'], classes[';'], classes['\\'] = oddByte, oddByte, oddByte
	classes[' '] = spaceByte
	classes['?'], classes['#'] = queryByte, queryByte
	return classes
}()

// Read returns every reading of the request path escapedPath, as it is sent
// and without the query, with the operation that method and path name. A
// request may be forwarded only if each of the operations is permitted. The
// readings are appended to buf[:0], so that a caller with a buffer of its own
// pays no allocation for an ordinary path. Unknown paths name the unmapped
// operation.
//
// The error is a [*PathError] where the path is broken, holds control
// characters, or can be read in more ways than any real name needs.
func (c *Catalog) Read(method, escapedPath string, buf []Reading) ([]Reading, error) {
	q := query{method: method, path: escapedPath}
	plain, err := q.cut()
	if err != nil {
		return nil, err
	}
	if !plain {
		return c.readOdd(&q, buf[:0])
	}
	return c.look(&q, buf[:0]), nil
}

// cut splits the path into segments and reports whether it can be read in one
// way only.
func (q *query) cut() (plain bool, err error) {
	path := q.path
	if path == "" || path[0] != '/' {
		return false, errNoSlash
	}
	path = withoutLastSlash(path)
	plain = true
	from := 1
	for i := 1; i < len(path); i++ {
		switch byteClasses[path[i]] {
		case plainByte:
			continue
		case slashByte:
			// An empty segment, a dot segment or a name that ends in a dot.
			if before := path[i-1]; before == '/' || before == '.' {
				plain = false
			}
			q.add(from, i)
			from = i + 1
		case oddByte:
			plain = false
		case controlByte:
			return false, errControl
		case spaceByte:
			return false, errSpace
		case queryByte:
			return false, errQuery
		}
	}
	if last := path[len(path)-1]; last == '.' || last == '/' && len(path) > 1 {
		plain = false
	}
	q.add(from, len(path))
	return plain, nil
}

// look appends the reading of q and, where a server that ignores letter case
// would do something else, that one too.
func (c *Catalog) look(q *query, to []Reading) []Reading {
	op := c.find(q)
	to = append(to, Reading{q.path, op})
	if q.folds {
		q.fold = true
		if folded := c.find(q); folded != op {
			to = append(to, Reading{strings.ToLower(q.path), folded})
		}
		q.fold, q.folds = false, false
	}
	return to
}

// readOdd returns the readings of a path for which they may differ.
func (c *Catalog) readOdd(q *query, to []Reading) ([]Reading, error) {
	meanings, err := meaningsOf(q.path)
	if err != nil {
		return nil, err
	}
	for _, m := range meanings {
		if !m.raw() {
			to = c.lookMeaning(q.method, m.path, to)
		}
	}
	// A server that matches routes before it decodes sees the escapes. That is a
	// reading to refuse only where it leads to another operation: a name with a
	// space in it means the same to both.
	for _, m := range meanings {
		if !m.raw() {
			continue
		}
		for _, r := range c.lookMeaning(q.method, m.path, nil) {
			if !slices.ContainsFunc(to, func(s Reading) bool { return s.Operation == r.Operation }) {
				to = append(to, r)
			}
		}
	}
	return to, nil
}

// lookMeaning appends the readings of one meaning that are not there yet.
func (c *Catalog) lookMeaning(method, path string, to []Reading) []Reading {
	q := query{method: method, path: path}
	path = withoutLastSlash(path)
	from := 1
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			q.add(from, i)
			from = i + 1
		}
	}
	var few [2]Reading
	for _, r := range c.look(&q, few[:0]) {
		r.Path = strings.ReplaceAll(r.Path, dataSlash, "%2F")
		if !slices.Contains(to, r) {
			to = append(to, r)
		}
	}
	return to
}
