package scopes

import (
	"slices"
	"strings"
)

// matchPattern reports whether part consists of the fixed texts around, in order,
// with at least one byte between any two. Taking the first match of each text is
// enough, because it leaves the most for the texts that follow.
func matchPattern(around []string, part string, fold bool) bool {
	first, last := around[0], around[len(around)-1]
	params := len(around) - 1
	if len(part) < len(first)+len(last)+params || !hasPrefix(part, first, fold) ||
		!hasPrefix(part[len(part)-len(last):], last, fold) {
		return false
	}
	part = part[len(first) : len(part)-len(last)]
	for _, fixed := range around[1:params] {
		i := index(part, 1, fixed, fold)
		if i < 0 {
			return false
		}
		part = part[i+len(fixed):]
	}
	return part != ""
}

// capture returns what a text that matches a pattern has between the fixed texts. It fails
// for letters that have another length in the other case.
func capture(around []string, text string) (values []string, ok bool) {
	if !hasPrefix(text, around[0], true) {
		return nil, false
	}
	text = text[len(around[0]):]
	for i, fixed := range around[1:] {
		end := index(text, 1, fixed, true)
		if i == len(around)-2 {
			end = len(text) - len(fixed)
		}
		if end < 1 {
			return nil, false
		}
		values = append(values, text[:end])
		text = text[end+len(fixed):]
	}
	return values, true
}

// excludes reports whether no text can match both patterns, because of how they begin or
// end.
func excludes(a, b []string) bool {
	first, second := strings.ToLower(a[0]), strings.ToLower(b[0])
	if !strings.HasPrefix(first, second) && !strings.HasPrefix(second, first) {
		return true
	}
	first, second = strings.ToLower(a[len(a)-1]), strings.ToLower(b[len(b)-1])
	return !strings.HasSuffix(first, second) && !strings.HasSuffix(second, first)
}

func hasPrefix(s, prefix string, fold bool) bool {
	return len(s) >= len(prefix) && (s[:len(prefix)] == prefix || fold && equalFold(s[:len(prefix)], prefix))
}

// index returns the first index of sub in s at or after from, or -1.
func index(s string, from int, sub string, fold bool) int {
	for i := from; i+len(sub) <= len(s); i++ {
		if hasPrefix(s[i:], sub, fold) {
			return i
		}
	}
	return -1
}

// equalFold compares a and b and ignores the case of ASCII letters. The few other
// letters that fold to ASCII are replaced before (see foldOddLetters).
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// comparePatterns orders patterns by precedence in one segment: more fixed text
// first, then more parameters, then by text, so that the order is total.
func comparePatterns(a, b []string) int {
	fixed := func(around []string) (n int) {
		for _, s := range around {
			n += len(s)
		}
		return n
	}
	if d := fixed(b) - fixed(a); d != 0 {
		return d
	}
	if d := len(b) - len(a); d != 0 {
		return d
	}
	return slices.Compare(a, b)
}
