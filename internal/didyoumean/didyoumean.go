// Package didyoumean suggests corrections for misspelled names in error
// messages.
package didyoumean

import "strings"

// Hint returns the end of an error message about an unknown name: "did you mean
// x?" if one of the known names is close to it, otherwise the list of known names.
func Hint(name string, known []string) string {
	if nearest, ok := Nearest(name, known); ok {
		return "did you mean " + nearest + "?"
	}
	return "known are " + strings.Join(known, ", ")
}

// separators are ignored in comparisons: hyphens are the most common mistake in
// scope names (clean-rooms, unity_catalog).
var separators = strings.NewReplacer("-", "", "_", "", " ", "", ".", "")

// Nearest returns the known name that is closest to name, and false if none is
// close. Letter case and separators do not count. A known name is its own nearest.
func Nearest(name string, known []string) (string, bool) {
	name = simplify(name)
	// A typo in a short name must not suggest an unrelated one.
	nearest, least := "", 1+min(2, len(name)/3)
	for _, candidate := range known {
		if d := distance(name, simplify(candidate)); d < least {
			nearest, least = candidate, d
		}
	}
	return nearest, nearest != ""
}

func simplify(s string) string { return separators.Replace(strings.ToLower(s)) }

// distance returns the number of bytes to insert, delete, replace or swap with
// their neighbor to turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(last[j+1]+1, now[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
