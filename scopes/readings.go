package scopes

import (
	"slices"
	"strings"
)

// Reading is one interpretation of a request path and the operation it leads to.
type Reading struct {
	// Path is the path as a server with this interpretation sees it. A slash that
	// the server treats as data inside a segment is shown as %2F.
	Path string
	// Operation is the operation at Path and what it needs, never nil.
	Operation *Operation
	// SpellingOf is the catalog's row of the operation, if Path spells it as no row
	// does: Operation then has the row's name, and needs what the catalog says about
	// Path, often [AllAPIs]. Otherwise it is nil.
	SpellingOf *Operation

	// InName is set if the path splits a name at an encoded character, such as a slash,
	// where no row is. Operation is then that of the first reading.
	InName bool

	// cause is what makes a server read the path like this.
	cause cause
}

// Row returns the catalog's row of the operation, whatever its path needs.
func (r *Reading) Row() *Operation {
	if r.SpellingOf != nil {
		return r.SpellingOf
	}
	return r.Operation
}

// PathError is the error for a path that no well-behaved client sends.
type PathError struct {
	// Reason says what is wrong, as a clause that starts with "the path". It quotes
	// nothing from the path, so it is safe to log and to show to the client.
	Reason string
	// Readings are those that disagree, if that is what is wrong.
	Readings []Reading
}

// Error returns the reason with the prefix "reading the request path: ".
func (e *PathError) Error() string { return "reading the request path: " + e.Reason }

var (
	errNoSlash   = &PathError{Reason: "the path does not begin with a slash"}
	errControl   = &PathError{Reason: "the path contains a control character"}
	errSpace     = &PathError{Reason: "the path contains a space that is not percent-encoded"}
	errQuery     = &PathError{Reason: "the path contains a query or a fragment"}
	errEscape    = &PathError{Reason: "the path contains a percent sign that is not followed by two hexadecimal digits"}
	errEncoding  = &PathError{Reason: "the path is not valid UTF-8"}
	errLong      = &PathError{Reason: "the path has encoded or unusual characters and is longer than 8 KiB"}
	errAmbiguous = &PathError{Reason: "the path can be read in too many ways"}
)

// byteClass is the effect of a byte on how a path is read.
type byteClass uint8

const (
	plainByte   byteClass = iota
	slashByte             // may follow a segment that has several readings
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

// Read returns every reading of a request, at least one. escapedPath is the path
// as sent, percent-encoded and without the query. Forward a request only if the
// operation of every reading is permitted; [Catalog.Permits] checks exactly that.
// Paths outside the catalog lead to the unmapped operation, or to one with the name of
// the operation that they spell.
//
// All readings are the same operation, with one exception: a slash, question mark or
// other delimiter in a path parameter is taken for part of a name. If another row matches
// where it is taken for a delimiter, that reading is returned too.
//
// Read appends to buf[:0]. With a buffer of sufficient capacity it does not
// allocate for ordinary paths; nil is a valid buffer.
//
// The error is a [*PathError] if the path is malformed, contains control characters, has
// more readings than any legitimate path needs, or if servers could read it as different
// operations.
func (c *Catalog) Read(method, escapedPath string, buf []Reading) ([]Reading, error) {
	readings, err := c.read(method, escapedPath, buf, (*Reading).disagrees)
	if err == nil && len(readings) > 1 {
		err = agree(readings)
	}
	if err != nil {
		return nil, err
	}
	return readings, nil
}

// read returns all readings of a request, up to the first that stop is true for. It is asked
// about each and the first.
func (c *Catalog) read(method, escapedPath string, buf []Reading, stop func(r, meant *Reading) bool) ([]Reading, error) {
	q := query{method: method, path: escapedPath}
	plain, err := q.cut()
	if err != nil {
		return nil, err
	}
	if !plain {
		return c.readOdd(method, escapedPath, buf[:0], stop)
	}
	return c.lookUp(&q, 0, buf[:0]), nil
}

// Permits reports whether a token with the scopes held may call a method and
// path. It may if every reading of the path is permitted; see [Catalog.Read] for
// the format of escapedPath and [Operation.Permits] for the scopes. Public
// operations need no scope, so held may be empty.
//
// The error is a [*PathError] if the path is malformed; such a request is not
// permitted.
func (c *Catalog) Permits(method, escapedPath string, held []string) (bool, error) {
	var buf [4]Reading
	readings, err := c.Read(method, escapedPath, buf[:0])
	if err != nil {
		return false, err
	}
	for i := range readings {
		if o := readings[i].Operation; !o.Permits(o.HeldFor(method, held)) {
			return false, nil
		}
	}
	return true, nil
}

// cut splits the path into segments and reports whether it has only one reading,
// apart from letter case.
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
			// An empty segment, a dot segment, or a name that ends with a dot.
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

// lookUp appends the reading of q and, if it differs, the reading of a server that
// ignores letter case.
func (c *Catalog) lookUp(q *query, cause cause, to []Reading) []Reading {
	op, row := c.find(q)
	to = append(to, Reading{Path: q.path, Operation: op, SpellingOf: row, cause: cause})
	if q.folds {
		q.fold = true
		if folded, row := c.find(q); folded != op {
			to = append(to, Reading{Path: strings.ToLower(q.path), Operation: folded, SpellingOf: row, cause: cause | causeCase})
		}
		q.fold, q.folds = false, false
	}
	return to
}

// readOdd is read for a path that may have several readings.
func (c *Catalog) readOdd(method, path string, to []Reading, stop func(r, meant *Reading) bool) ([]Reading, error) {
	if len(path) > maxOddPath {
		return nil, errLong
	}
	var found []Reading // not to, which must not escape to the heap
	stopped := false
	all, err := interpret(path, func(in interpretation) (more bool) {
		if in.raw() {
			return true
		}
		before := len(found)
		found = c.lookUpInterpretation(method, in, found)
		for i := before; i < len(found); i++ {
			stopped = stopped || stop(&found[i], &found[0])
		}
		return !stopped
	})
	if err != nil {
		return nil, err
	}
	to = append(to, found...)
	if stopped {
		return to, nil
	}
	// A server that routes before it decodes sees the escapes. That reading counts
	// only if it leads to another operation: a name with a space in it means the
	// same before and after decoding.
	for _, in := range all {
		if !in.raw() {
			continue
		}
		in.cause |= causeEscapes
		for _, r := range c.lookUpInterpretation(method, in, nil) {
			if !slices.ContainsFunc(to, func(s Reading) bool { return s.Operation == r.Operation }) {
				to = append(to, r)
			}
		}
	}
	return to, nil
}

// lookUpInterpretation appends the readings of one interpretation that to does not
// contain yet.
func (c *Catalog) lookUpInterpretation(method string, in interpretation, to []Reading) []Reading {
	q := query{method: method, path: in.path}
	path := withoutLastSlash(in.path)
	from := 1
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			q.add(from, i)
			from = i + 1
		}
	}
	var few [2]Reading
	for _, r := range c.lookUp(&q, in.cause, few[:0]) {
		r.Path = strings.ReplaceAll(r.Path, dataSlash, "%2F")
		if !slices.ContainsFunc(to, func(s Reading) bool { return s.Path == r.Path && s.Operation == r.Operation }) {
			to = append(to, r)
		}
	}
	return to
}
