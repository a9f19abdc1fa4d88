package scopes

import "strings"

// This file takes a path through everything that servers and proxies are known
// to do to one before they look at it. It does not guess products or orders:
// it applies each step to each result until nothing new comes, so that every
// chain of servers, in whatever order, is among the results.

const (
	// maxDecodings is how often a path is decoded: once by the server, and once
	// by a careless proxy before it.
	maxDecodings = 2
	// maxMeanings and maxMeaningBytes bound the work that one path can cause.
	// The names that people give to files stay far below.
	maxMeanings     = 256
	maxMeaningBytes = 1 << 16
)

// meaning is a path after some of the steps.
type meaning struct {
	path string
	// decodings counts how often the path was decoded. It is maxDecodings as
	// soon as nothing is left to decode.
	decodings int
}

// raw reports whether m has escapes that nobody has decoded.
func (m meaning) raw() bool { return m.decodings == 0 }

// steps are what servers do to a path apart from decoding it. Each returns its
// argument where it has nothing to do.
var steps = []func(string) string{
	resolveDots,
	mergeSlashes,
	dropParams,
	dropLastParams,
	cutAtParams,
	backslashToSlash,
	trimSlashes,
	trimDots,
	cutAtQuery,
	dropAuthority,
	splitData,
	foldOddLetters,
	unescapeSlashes,
	unescapeUnreserved,
}

// meaningsOf returns what servers can make of an escaped path, itself first.
func meaningsOf(path string) ([]meaning, error) {
	var all []meaning
	seen := make(map[meaning]bool)
	size := 0
	add := func(path string, decodings int) error {
		if !strings.Contains(path, "%") {
			decodings = maxDecodings
		}
		m := meaning{path, decodings}
		if seen[m] {
			return nil
		}
		seen[m] = true
		all = append(all, m)
		if size += len(path); len(all) > maxMeanings || size > maxMeaningBytes {
			return errAmbiguous
		}
		return nil
	}
	if err := checkText(path, true); err != nil {
		return nil, err
	}
	if err := add(path, 0); err != nil {
		return nil, err
	}
	for i := 0; i < len(all); i++ {
		m := all[i]
		for _, step := range steps {
			if next := step(m.path); next != m.path {
				if err := add(next, m.decodings); err != nil {
					return nil, err
				}
			}
		}
		if m.decodings == maxDecodings {
			continue
		}
		for _, slash := range []string{"/", dataSlash} {
			next, err := decode(m.path, slash, m.raw())
			if err != nil {
				return nil, err
			}
			if err := add(next, m.decodings+1); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// resolveDots removes "." and ".." segments as RFC 3986, section 5.2.4, does.
func resolveDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	found := false
	for rest, more := path[1:], true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if part != "." && part != ".." {
			kept = append(kept, part)
			continue
		}
		found = true
		if part == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if !more {
			// A final dot segment names a directory.
			kept = append(kept, "")
		}
	}
	if !found {
		return path
	}
	return "/" + strings.Join(kept, "/")
}

// mergeSlashes makes one slash of several.
func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// dropParams drops the ";name=value" from every segment, as Java servers do.
func dropParams(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i], _, _ = strings.Cut(part, ";")
	}
	return strings.Join(parts, "/")
}

// dropLastParams drops them from the last segment alone, as RFC 1808 had it.
func dropLastParams(path string) string {
	slash := strings.LastIndexByte(path, '/')
	if i := strings.IndexByte(path[slash:], ';'); i >= 0 {
		return path[:slash+i]
	}
	return path
}

// cutAtParams takes the first semicolon for the end of the path, as those do
// who cut off ";jsessionid=…".
func cutAtParams(path string) string {
	path, _, _ = strings.Cut(path, ";")
	return path
}

// backslashToSlash does what its name says, as on Windows and in browsers.
func backslashToSlash(path string) string { return strings.ReplaceAll(path, `\`, "/") }

// trimSlashes takes "list/" for "list".
func trimSlashes(path string) string {
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		return trimmed
	}
	return "/"
}

// trimDots takes "list." and "list " for "list", as Windows does, and ".. "
// for "..".
func trimDots(path string) string {
	if !strings.ContainsAny(path, ". ") {
		return path
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		trimmed := strings.TrimRight(part, ". ")
		if trimmed == "" {
			trimmed = strings.TrimRight(part, " ")
		}
		parts[i] = trimmed
	}
	return strings.Join(parts, "/")
}

// cutAtQuery takes a decoded question mark or number sign for the end of the
// path, as a proxy does that decodes a path and parses the result again.
func cutAtQuery(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return path[:i]
	}
	return path
}

// dropAuthority takes "//host/path" for a reference to another host, and so
// the host for no part of the path.
func dropAuthority(path string) string {
	rest, ok := strings.CutPrefix(path, "//")
	if !ok {
		return path
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// splitData splits segments at slashes that were data, as a server does that
// decodes segments, joins them and splits them again.
func splitData(path string) string { return strings.ReplaceAll(path, dataSlash, "/") }

// oddLetters are the letters outside ASCII that become ASCII letters when a
// server ignores case.
var oddLetters = strings.NewReplacer("\u212a", "k", "\u017f", "s", "\u0130", "i", "\u0131", "i")

func foldOddLetters(path string) string { return oddLetters.Replace(path) }

// unescapeSlashes decodes escaped slashes and nothing else, as proxies do that
// want to see through them but forward the rest as it came.
func unescapeSlashes(path string) string { return slashEscapes.Replace(path) }

var slashEscapes = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`)

// unescapeUnreserved decodes the letters, digits and marks that need no escape,
// as RFC 3986, section 6.2.2.2, has proxies do to normalize a path.
func unescapeUnreserved(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if c, ok := unescape(path[i:]); ok && isUnreserved(c) {
			b.WriteByte(c)
			i += 2
		} else {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}
