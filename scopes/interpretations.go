package scopes

import (
	"errors"
	"strings"
)

// This file applies to a path everything that servers and proxies are known to do
// before they route it. It does not model products: it applies every step to every
// result until nothing new appears, so the results cover every chain of servers,
// in any order.

const (
	// maxDecodings is how often a path may be decoded: once by the server, and once
	// by a careless proxy in front of it.
	maxDecodings = 2
	// maxOddPath limits, in bytes, the paths that are interpreted at all. The longest names
	// that object stores take are 1024 bytes, three times that percent-encoded.
	maxOddPath = 8 << 10
	// maxInterpretations and maxInterpretationBytes limit the work for one path.
	// Real file and table names have fewer than a dozen.
	maxInterpretations     = 64
	maxInterpretationBytes = 1 << 15
)

// interpretation is a path after some of the steps.
type interpretation struct {
	path string
	// decodings counts how often the path was decoded. It is maxDecodings once
	// nothing is left to decode.
	decodings int
	// cause is what led here from the path as the client meant it.
	cause cause
}

// raw reports whether in still has the escapes that the client sent.
func (in interpretation) raw() bool { return in.decodings == 0 }

// steps are what servers do to a path besides decoding it. A step that does not
// apply returns the path unchanged.
var steps = []struct {
	do    func(string) string
	cause cause
}{
	{dropAuthority, causeAuthority},
	{resolveDots, causeDots},
	{mergeSlashes, causeSlashes},
	{dropParams, causeParams},
	{dropLastParams, causeParams},
	{cutAtParams, causeParams},
	{backslashToSlash, causeBackslash},
	{trimSlashes, causeLastSlashes},
	{trimDots, causeLastDot},
	{cutAtQuery, causeQuery},
	{splitData, causeEncodedSlash},
	{foldOddLetters, causeLetters},
	{unescapeSlashes, causeEncodedSlash},
	{unescapeUnreserved, causeEscapes},
}

// interpret returns the interpretations of an escaped path, the path itself first, and
// first of those that are decoded the one that the client meant: split, then decoded once.
// It calls found for each, and ends early when that returns false.
func interpret(path string, found func(interpretation) (more bool)) ([]interpretation, error) {
	if err := checkText(path, true); err != nil {
		return nil, err
	}
	f := interpretations{seen: make(map[interpretation]bool), found: found}
	err := f.add(path, 0, 0)
	if err == nil {
		err = f.decode(f.all[0]) // before any other step, so that this is the first that is decoded
	}
	for i := 0; i < len(f.all) && err == nil; i++ {
		in := f.all[i]
		for _, step := range steps {
			if next := step.do(in.path); next != in.path && err == nil {
				err = f.add(next, in.decodings, in.cause|step.cause)
			}
		}
		if i > 0 && err == nil {
			err = f.decode(in)
		}
	}
	if err != nil && err != errEnough { //nolint:errorlint // neither is ever wrapped
		return nil, err
	}
	return f.all, nil
}

// errEnough ends the search for interpretations.
var errEnough = errors.New("enough interpretations")

// interpretations collects the interpretations of one path.
type interpretations struct {
	all   []interpretation
	seen  map[interpretation]bool // without their causes
	size  int                     // of all paths, in bytes
	found func(interpretation) (more bool)
}

// add adds an interpretation unless it is known already.
func (f *interpretations) add(path string, decodings int, cause cause) error {
	if !strings.Contains(path, "%") {
		decodings = maxDecodings
	}
	in := interpretation{path: path, decodings: decodings}
	if f.seen[in] {
		return nil
	}
	f.seen[in] = true
	in.cause = cause
	f.all = append(f.all, in)
	if f.size += len(path); len(f.all) > maxInterpretations || f.size > maxInterpretationBytes {
		return errAmbiguous
	}
	if !f.found(in) {
		return errEnough
	}
	return nil
}

// decode adds what servers make of an interpretation by decoding it once more.
func (f *interpretations) decode(in interpretation) error {
	if in.decodings == maxDecodings {
		return nil
	}
	if in.decodings > 0 {
		in.cause |= causeTwice
	}
	whole, err := decode(in.path, dataSlash, in.raw())
	if err != nil {
		return err
	}
	if err := f.add(whole, in.decodings+1, in.cause); err != nil || !strings.Contains(whole, dataSlash) {
		return err
	}
	split, err := decode(in.path, "/", in.raw())
	if err != nil {
		return err
	}
	return f.add(split, in.decodings+1, in.cause|causeEncodedSlash)
}

// resolveDots removes "." and ".." segments as in RFC 3986, section 5.2.4.
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

// mergeSlashes replaces consecutive slashes with one.
func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// dropParams removes ";name=value" from every segment, as Java servers do.
func dropParams(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	return eachSegment(path, func(part string) string {
		part, _, _ = strings.Cut(part, ";")
		return part
	})
}

// eachSegment applies a function to every segment of a path.
func eachSegment(path string, do func(string) string) string {
	var b strings.Builder
	b.Grow(len(path))
	for more := true; more; {
		var part string
		part, path, more = strings.Cut(path, "/")
		b.WriteString(do(part))
		if more {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// dropLastParams removes parameters from the last segment only, as in RFC 1808.
func dropLastParams(path string) string {
	slash := strings.LastIndexByte(path, '/')
	if i := strings.IndexByte(path[slash:], ';'); i >= 0 {
		return path[:slash+i]
	}
	return path
}

// cutAtParams ends the path at the first semicolon, as servers do that cut off
// ";jsessionid=…".
func cutAtParams(path string) string {
	path, _, _ = strings.Cut(path, ";")
	return path
}

// backslashToSlash treats backslashes as slashes, as Windows and browsers do.
func backslashToSlash(path string) string { return strings.ReplaceAll(path, `\`, "/") }

// trimSlashes treats "list/" as "list".
func trimSlashes(path string) string {
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		return trimmed
	}
	return "/"
}

// trimDots treats "list." and "list " as "list", and ".. " as "..", as Windows
// does.
func trimDots(path string) string {
	if last := path[len(path)-1]; last != '.' && last != ' ' && !strings.Contains(path, "./") && !strings.Contains(path, " /") {
		return path
	}
	return eachSegment(path, func(part string) string {
		trimmed := strings.TrimRight(part, ". ")
		if trimmed == "" {
			trimmed = strings.TrimRight(part, " ")
		}
		return trimmed
	})
}

// cutAtQuery ends the path at a decoded question mark or number sign, as a proxy
// does that decodes a path and parses the result again.
func cutAtQuery(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return path[:i]
	}
	return path
}

// dropAuthority treats "//host/path" as a reference to another host, so that the
// host is not part of the path.
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

// splitData splits segments at data slashes, as a server does that decodes the
// segments, joins them and splits the result again.
func splitData(path string) string { return strings.ReplaceAll(path, dataSlash, "/") }

// oddLetters are the non-ASCII letters that become ASCII letters when a server
// ignores letter case.
var oddLetters = strings.NewReplacer("\u212a", "k", "\u017f", "s", "\u0130", "i", "\u0131", "i")

func foldOddLetters(path string) string { return oddLetters.Replace(path) }

// unescapeSlashes decodes escaped slashes and backslashes only, as a proxy does
// that is configured to unescape slashes and forwards the rest as sent.
func unescapeSlashes(path string) string { return slashEscapes.Replace(path) }

var slashEscapes = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`)

// unescapeUnreserved decodes the unreserved characters, as a proxy does that
// normalizes a path by RFC 3986, section 6.2.2.2.
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
