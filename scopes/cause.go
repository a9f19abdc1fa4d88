package scopes

import (
	"math/bits"
	"slices"
	"strings"
)

// cause is a set of the things about a path that make servers read it differently.
type cause uint16

// The causes, those that say most about a path first.
const (
	causeAuthority cause = 1 << iota
	causeSlashes
	causeDots
	causeBackslash
	causeParams
	causeQuery
	causeEncodedSlash
	causeLastSlashes
	causeLastDot
	causeLetters
	causeTwice
	causeEscapes
	causeCase
)

// malformed are causes that no well-behaved client gives, whatever the operation.
const malformed = causeAuthority | causeSlashes | causeDots | causeBackslash | causeLastSlashes

// disagreements hold the error for each cause, in the order of the causes.
var disagreements = func() []string {
	clauses := []string{
		"begins with two slashes: remove the slash at the end of the host's URL",
		"contains two slashes in a row: send one",
		"contains a dot segment (. or ..): send the path that it stands for",
		"contains a backslash",
		"contains a semicolon",
		"contains an encoded question mark or number sign",
		"contains an encoded slash where it does not belong to a name",
		"ends with several slashes: send at most one",
		"has a segment that ends with a dot or a space",
		"contains letters that some servers take for others",
		"is percent-encoded twice",
		"percent-encodes characters that need no encoding: send them as they are",
		"differs in letter case from the path of another operation",
	}
	for i, clause := range clauses {
		clauses[i] = "the path " + clause
	}
	return clauses
}()

// reason returns what is wrong with a path that servers read differently by cause.
func (c cause) reason() string {
	for i, text := range disagreements {
		if c&(1<<i) != 0 {
			return text
		}
	}
	return "the path can be read in different ways"
}

// agree returns an error unless all readings are the same operation. The first must be
// what the client meant.
//
// An encoded slash may be part of a name. Where nothing else about the path is odd, the
// reading that splits there stays below the row's own path: if no row is there, the
// reading becomes the operation that the client meant, and otherwise it stands, so that
// it must be permitted too.
func agree(readings []Reading) error {
	meant := &readings[0]
	inName, all := false, cause(0)
	worst := -1
	for i := range readings {
		r := &readings[i]
		all |= r.cause
		same := r.Operation.Name == meant.Operation.Name
		switch {
		case same && (r.cause&malformed == 0 || !r.Operation.Unmapped()):
		case !same && r.cause == causeEncodedSlash && !meant.Operation.Unmapped() && meant.SpellingOf == nil && meant.inName():
			inName = true
			if r.Operation.Unmapped() {
				r.Operation, r.SpellingOf = meant.Operation, nil
			}
		case worst < 0 || r.cause.plainer(readings[worst].cause):
			worst = i
		}
	}
	switch {
	case worst >= 0:
		return &PathError{Reason: readings[worst].cause.reason(), Readings: slices.Clone(readings)}
	case inName && all&causeDots != 0:
		return &PathError{Reason: causeDots.reason(), Readings: slices.Clone(readings)}
	}
	return nil
}

// plainer reports whether c explains more plainly than d why a path is read differently.
func (c cause) plainer(d cause) bool {
	if n, m := bits.OnesCount16(uint16(c)), bits.OnesCount16(uint16(d)); n != m {
		return n < m
	}
	return c < d
}

// inName reports whether the encoded slashes of a path, which show as %2F, are all in
// parameters of the row.
func (r *Reading) inName() bool {
	t, err := ParseTemplate(r.Operation.Template)
	if err != nil {
		return false
	}
	parts := split(r.Path, nil)
	for i, part := range parts {
		if strings.Contains(part, "%2F") && (i >= len(t.segs) || t.segs[i].kind == literalSegment) {
			return false
		}
	}
	return true
}
