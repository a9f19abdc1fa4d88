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

// reasonFor returns what is wrong with a path that servers read differently by cause. Two
// slashes at its beginning say the most: they come from the host's URL.
func (c cause) reasonFor(readings []Reading) string {
	if strings.HasPrefix(readings[0].Path, "//") {
		return causeAuthority.reason()
	}
	return c.reason()
}

// reason returns the clause for the cause that says most.
func (c cause) reason() string {
	for i, text := range disagreements {
		if c&(1<<i) != 0 {
			return text
		}
	}
	return "the path can be read in different ways"
}

// delimiters are causes that a name in a path parameter may give. inNames are those that
// it may give in addition.
const (
	delimiters = causeEncodedSlash | causeQuery | causeParams | causeBackslash
	inNames    = delimiters | causeSlashes | causeLastSlashes | causeLastDot | causeCase | causeEscapes
)

// Malformed says what is wrong with a path that no well-behaved client sends although its
// readings agree, such as one with a doubled slash: a clause that starts with "the path".
// It is empty for others.
func Malformed(readings []Reading) string {
	worst := cause(0)
	for i := range readings {
		if c := readings[i].cause; c&malformed != 0 && (worst == 0 || c.plainer(worst)) {
			worst = c
		}
	}
	if worst == 0 {
		return ""
	}
	return worst.reasonFor(readings)
}

// disagrees reports whether a reading makes the path ambiguous: whether it is another
// operation than the one that the client meant.
//
// A slash or another delimiter may be part of a name. Where nothing else about the path is
// odd, a reading that takes it for a delimiter stays below the row's own path. If no row
// is there, the reading is taken for the operation that the client meant; otherwise it
// stands, so that the operation of that row must be permitted too.
func (r *Reading) disagrees(meant *Reading) bool {
	if r.Operation.Name == meant.Operation.Name {
		return false
	}
	named := r.cause&delimiters != 0 && r.cause&^inNames == 0 && !meant.Operation.Unmapped() && meant.SpellingOf == nil && meant.inName()
	switch {
	case !named || !r.Operation.Unmapped():
	case r.SpellingOf != nil:
		r.Operation = r.SpellingOf
	default:
		r.Operation, r.InName = meant.Operation, true
	}
	return !named
}

// agree returns an error if any reading disagrees with the first, which is what the client
// meant.
func agree(readings []Reading) error {
	inName, all := false, cause(0)
	worst := -1
	for i := range readings {
		r := &readings[i]
		all |= r.cause
		if r.disagrees(&readings[0]) && (worst < 0 || r.cause.plainer(readings[worst].cause)) {
			worst = i
		}
		inName = inName || r.InName || r.Operation.Name != readings[0].Operation.Name
	}
	var why cause
	switch {
	case worst >= 0:
		why = readings[worst].cause
	case inName && all&causeDots != 0:
		why = causeDots
	default:
		return nil
	}
	return &PathError{Reason: why.reasonFor(readings), Readings: slices.Clone(readings)}
}

// plainer reports whether c explains more plainly than d why a path is read differently.
func (c cause) plainer(d cause) bool {
	if n, m := bits.OnesCount16(uint16(c)), bits.OnesCount16(uint16(d)); n != m {
		return n < m
	}
	return c < d
}

// inName reports whether the delimiters in a path, of which an encoded slash shows as %2F,
// are all in parameters of the row.
func (r *Reading) inName() bool {
	t, err := ParseTemplate(r.Operation.Template)
	if err != nil {
		return false
	}
	for i, part := range split(r.Path, nil) {
		odd := strings.Contains(part, "%2F") || strings.ContainsAny(part, `;?#\`)
		if odd && (i >= len(t.segs) || t.segs[i].kind == literalSegment) {
			return false
		}
	}
	return true
}
