package scopes

import (
	"slices"
	"strings"
)

// This file knows which paths are spellings of one operation. Databricks serves many
// operations under several paths: of other versions, with or without preview/, below
// /ajax-api/ for its web application, under a service's former name. Every path has a
// normal form, in which such spellings are equal.
//
// The normal form decides what an operation is called and which rules deny it. It does
// not decide what is enough to call it: a spelling that the catalog does not have needs
// [AllAPIs], as every unknown path does.

// synonyms are beginnings of normal forms that mean the same. Sources: databricks-sdk-go
// and the rows of cmd/scopegen/extra.tsv.
var synonyms = []struct{ from, to []string }{
	{[]string{"ajax-api"}, []string{"api"}},
	{[]string{"driver-proxy"}, []string{"driver-proxy-api"}},
	{[]string{"serving-endpoints"}, []string{"api", "serving-endpoints"}},
	{[]string{"sql", "endpoints"}, []string{"sql", "warehouses"}},
	{[]string{"api", "sql", "endpoints"}, []string{"api", "sql", "warehouses"}},
	{[]string{"api", "sql", "config", "endpoints"}, []string{"api", "sql", "config", "warehouses"}},
	{[]string{"api", "vector-search"}, []string{"api", "ai-search"}},
	{[]string{"api", "mcp", "vector-search"}, []string{"api", "mcp", "ai-search"}},
	{[]string{"api", "permissions", "sql", "endpoints"}, []string{"api", "permissions", "warehouses"}},
	{[]string{"api", "permissions", "sql"}, []string{"api", "permissions"}},
}

const (
	preview = "/preview/"

	// maxDropped limits how many segments in the middle of one path are taken for versions.
	maxDropped = 4
	// maxSplit limits how many segments of a path are looked at. No template has as many.
	maxSplit = 4 * maxSegments
)

// dropped reports whether the normal form leaves out a segment: preview, or a version
// such as 2.1, 2, v2 or v1beta1.
func dropped(part string) bool {
	if equalFold(part, "preview") {
		return true
	}
	rest := part
	if rest != "" && lower(rest[0]) == 'v' {
		rest = rest[1:]
	}
	rest, ok := cutNumber(rest)
	if ok && strings.HasPrefix(rest, ".") {
		rest, ok = cutNumber(rest[1:])
	}
	for _, stage := range []string{"alpha", "beta", "rc"} {
		if ok && hasPrefix(rest, stage, true) {
			if rest = rest[len(stage):]; rest != "" {
				rest, ok = cutNumber(rest)
			}
			break
		}
	}
	return ok && rest == ""
}

// cutNumber returns s without the number of one or two digits that it starts with.
func cutNumber(s string) (rest string, ok bool) {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[n:], n == 1 || n == 2
}

// droppedInside is dropped for segments that do not follow api at once: there, a plain
// number is more likely an id.
func droppedInside(part string) bool {
	return dropped(part) && (part[0] < '0' || part[0] > '9' || strings.Contains(part, "."))
}

// normalize returns the normal form of a template's segments. With names, segments that
// may be versions are left in, other than after api: they may be values of parameters.
func normalize(segs []segment, names bool) []segment {
	kept := make([]segment, 0, len(segs)+1)
	texts := make([]string, 0, len(segs)+1)
	first := true // after api and what was dropped
	for i := range segs {
		s := &segs[i]
		if i > 0 && s.kind == literalSegment && (first && dropped(s.text) || !names && i < len(segs)-1 && droppedInside(s.text)) {
			continue
		}
		first = first && i == 0 && isAPI(s.text)
		kept = append(kept, *s)
		texts = append(texts, s.text) // braces keep parameters apart from literals
	}
	texts, unchanged := replaceSynonyms(texts)
	normal := make([]segment, 0, len(texts))
	for _, text := range texts[:len(texts)-unchanged] {
		normal = append(normal, segment{kind: literalSegment, text: text})
	}
	return append(normal, kept[len(kept)-unchanged:]...)
}

// normalizePath appends the segments of a path in normal form to buf. Versions in the
// middle are left in: they could be names, so [node.walkSpelling] tries both.
func normalizePath(path string, buf []string) []string {
	return normalizeParts(split(path, buf))
}

// split appends the segments of a path to buf, without a slash at the path's end, and no
// more than maxSplit of them.
func split(path string, buf []string) []string {
	rest := withoutLastSlash(path)[1:]
	for more := true; more && len(buf) < maxSplit; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		buf = append(buf, part)
	}
	return buf
}

// normalizeParts is normalizePath for a path that is split already. It may change parts.
func normalizeParts(parts []string) []string {
	if len(parts) > 0 && isAPI(parts[0]) {
		for len(parts) > 1 && dropped(parts[1]) {
			parts[1] = parts[0]
			parts = parts[1:]
		}
	}
	parts, _ = replaceSynonyms(parts)
	return parts
}

// isPreviewOf reports whether a template is a catch-all below preview/. It is not an
// operation that has other spellings: it is about spellings of others.
func (t *Template) isPreviewOf() bool {
	return t.segs[len(t.segs)-1].kind == restSegment && strings.Contains(t.text, preview)
}

func isAPI(part string) bool { return equalFold(part, "api") || equalFold(part, "ajax-api") }

// replaceSynonyms replaces the first segments by their synonyms, and returns how many of the
// last ones are as they were. It may change parts.
func replaceSynonyms(parts []string) (replaced []string, unchanged int) {
	unchanged = len(parts)
	for range synonyms { // each applies at most once
		from, to := synonym(parts)
		if from == 0 {
			break
		}
		unchanged = min(unchanged, len(parts)-from)
		if len(to) <= from {
			parts = parts[from-len(to):]
			copy(parts, to)
		} else {
			parts = slices.Concat(to, parts[from:])
		}
	}
	return parts, unchanged
}

// synonym returns how many of the first segments have a synonym, versions between them
// included, and which.
func synonym(parts []string) (from int, to []string) {
	for i := range synonyms {
		s := &synonyms[i]
		if n := lenOf(s.from, parts); n > 0 {
			return n, s.to
		}
	}
	return 0, nil
}

// lenOf returns how many of the first parts the texts are, apart from versions between
// them, or 0.
func lenOf(texts, parts []string) int {
	n := 0
	for _, text := range texts {
		for n > 0 && n < len(parts) && droppedInside(parts[n]) {
			n++
		}
		if n == len(parts) || !equalFold(parts[n], text) {
			return 0
		}
		n++
	}
	return n
}
