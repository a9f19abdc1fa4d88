package usage

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// What is read of a saved file is bounded before it is decoded: a few bytes of JSON can
// become two hundred in memory. The largest file that is written has about 90 MB, 110,000
// tokens and 500,000 operations of tokens.
const (
	maxSnapshot = 128 << 20
	maxDepth    = 16
	maxRows     = 250_000   // in the arrays of the outermost object
	maxItems    = 1_500_000 // in deeper arrays
	maxNames    = 10_000    // of one object
)

// scan refuses valid JSON that a snapshot cannot be: it is too deep or has too many
// values, or an object has a name twice, which decoders understand differently.
func scan(data []byte) error {
	var names [][]byte // of all objects that are open, one after another
	var open []int     // where the names of each begin; -1 for an array
	rows, items := 0, 0
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '{', '[':
			if len(open) == maxDepth {
				return fmt.Errorf("it is nested deeper than %d", maxDepth)
			}
			if c == '{' {
				open = append(open, len(names))
				continue
			}
			open = append(open, -1)
			fallthrough // the first item
		case ',':
			switch inArray := len(open) > 0 && open[len(open)-1] < 0; {
			case !inArray:
			case len(open) <= 2:
				rows++
			default:
				items++
			}
			if rows > maxRows || items > maxItems {
				return errors.New("it has more rows than scopegate writes")
			}
		case ']':
			open = open[:len(open)-1]
		case '}':
			begin := open[len(open)-1]
			if err := checkNames(names[begin:]); err != nil {
				return err
			}
			names, open = names[:begin], open[:len(open)-1]
		case '"':
			begin := i + 1
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if !isName(data[i+1:]) {
				continue
			}
			if names = append(names, data[begin:i]); len(names)-open[len(open)-1] > maxNames {
				return fmt.Errorf("it has an object with more than %d fields", maxNames)
			}
		}
	}
	return nil
}

// isName reports whether a string is a name, by what follows it.
func isName(rest []byte) bool {
	for _, c := range rest {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c == ':'
	}
	return false
}

var errName = errors.New("a field has a name that scopegate does not write")

// checkNames checks the names of one object, and sorts them.
func checkNames(names [][]byte) error {
	for _, name := range names {
		for _, c := range name {
			if c >= 0x80 || c == '\\' {
				return errName
			}
		}
	}
	slices.SortFunc(names, compareNames)
	for i := 1; i < len(names); i++ {
		if compareNames(names[i-1], names[i]) == 0 {
			return fmt.Errorf("the field %q is there twice", names[i])
		}
	}
	return nil
}

// compareNames ignores the letter case of ASCII, as decoders do.
func compareNames(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
