package scopes

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSegments limits the depth of a template, and so the time and stack space of a
// look-up.
const maxSegments = 32

type segmentKind uint8

// The kinds are in order of precedence.
const (
	literalSegment segmentKind = iota // list
	patternSegment                    // {index}:query
	paramSegment                      // {name}
	restSegment                       // {path...} or *
)

// segment is one compiled segment of a template. A catalog has tens of thousands, which the
// garbage collector visits: what few of them have is behind a pointer.
type segment struct {
	kind segmentKind
	// unicode is set if text is not ASCII.
	unicode bool
	// text is the segment as written in the template.
	text string
	// pattern is nil unless there are parameters.
	*pattern
}

// pattern is what a segment with parameters must have beside their values.
type pattern struct {
	// around are the fixed texts around the parameters, one more than there are
	// parameters. The first and the last may be empty.
	around []string
	// folded is around in small letters. It is nil if all are empty.
	folded []string
}

// anyValue is the pattern of a segment that is a parameter.
var anyValue = &pattern{around: []string{"", ""}}

// Template is a compiled path template. The catalog, routes files and policies use
// the same grammar:
//
//	/api/2.0/apps/{name}             {name} matches one segment
//	/api/2.0/x/{index}:query         a parameter may be part of a segment
//	/api/2.0/x/{catalog}.{schema}    a segment may have several parameters
//	/api/2.0/fs/files/{path...}      {path...} matches one or more segments, to the end
//	/api/2.0/fs/files/*              the same without a name
//
// Templates are not percent-encoded: write a space, not %20. The zero Template
// matches nothing.
type Template struct {
	text      string
	segs      []segment
	versioned bool
	normal    []segment // segs in normal form
}

// ParseTemplate compiles s; see [Template] for the grammar. The error says what is
// wrong with s and how to fix it.
func ParseTemplate(s string) (Template, error) {
	if !strings.HasPrefix(s, "/") {
		return Template{}, fmt.Errorf("parsing template %q: it does not begin with a slash", s)
	}
	if !utf8.ValidString(s) {
		return Template{}, fmt.Errorf("parsing template %q: it is not valid UTF-8", s)
	}
	parts := strings.Split(s[1:], "/")
	if len(parts) > maxSegments {
		return Template{}, fmt.Errorf("parsing template %q: it has more than %d segments", s, maxSegments)
	}
	t := Template{text: s, segs: make([]segment, len(parts))}
	for i, part := range parts {
		seg, err := parseSegment(part)
		if err != nil {
			return Template{}, fmt.Errorf("parsing template %q: %w", s, err)
		}
		if seg.kind == restSegment && i != len(parts)-1 {
			return Template{}, fmt.Errorf("parsing template %q: %s matches the rest of the path and must come last", s, part)
		}
		if part == "" && len(parts) > 1 {
			return Template{}, fmt.Errorf("parsing template %q: it has an empty segment: remove the doubled or final slash", s)
		}
		t.segs[i] = seg
	}
	t.versioned = len(t.segs) > 2 && t.segs[0].is("api") && t.segs[1].kind == literalSegment && isVersion(t.segs[1].text)
	t.normal = normalize(t.segs, false)
	return t, nil
}

func (s *segment) is(literal string) bool { return s.kind == literalSegment && s.text == literal }

// parseSegment compiles the text between two slashes.
func parseSegment(s string) (segment, error) {
	if s == "*" {
		return segment{kind: restSegment, text: s}, nil
	}
	seg := segment{text: s, unicode: !isASCII(s)}
	rest := s
	var around []string
	for {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			break
		}
		if rest[i] == '}' {
			return segment{}, fmt.Errorf("segment %q has a closing brace without an opening one", s)
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return segment{}, fmt.Errorf("segment %q has an opening brace without a closing one", s)
		}
		if end < i {
			return segment{}, fmt.Errorf("segment %q has a closing brace without an opening one", s)
		}
		before, name := rest[:i], rest[i+1:end]
		rest = rest[end+1:]
		name, tail := strings.CutSuffix(name, "...")
		if !isName(name) {
			return segment{}, fmt.Errorf("segment %q has the parameter name %q: use letters, digits and underscores", s, name)
		}
		if tail {
			if before != "" || rest != "" || len(around) > 0 {
				return segment{}, fmt.Errorf("segment %q: {%s...} must be a whole segment", s, name)
			}
			return segment{kind: restSegment, text: s}, nil
		}
		if before == "" && len(around) > 0 {
			return segment{}, fmt.Errorf("segment %q has two parameters with nothing between them", s)
		}
		around = append(around, before)
	}
	if err := checkLiteral(s); err != nil {
		return segment{}, err
	}
	if len(around) == 0 {
		if s == "." || s == ".." {
			return segment{}, fmt.Errorf("segment %q is a dot segment, which servers remove from paths", s)
		}
		return seg, nil
	}
	if around = append(around, rest); slices.Equal(around, anyValue.around) {
		seg.kind, seg.pattern = paramSegment, anyValue
		return seg, nil
	}
	seg.kind, seg.pattern = patternSegment, &pattern{around, lowerAll(around)}
	return seg, nil
}

// checkLiteral refuses bytes that a decoded path cannot contain, and bytes that
// suggest the author meant something else.
func checkLiteral(s string) error {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '*':
			return fmt.Errorf("segment %q: a * must be the whole last segment; use {name} to match one segment", s)
		case c == '%':
			return fmt.Errorf("segment %q has a percent sign: write the character itself, not its escape", s)
		case c == '?' || c == '#':
			return fmt.Errorf("segment %q has a %q: templates match the path without query or fragment", s, c)
		case c == ';' || c == '\\':
			return fmt.Errorf("segment %q has a %q, which servers do not interpret alike: use a parameter instead", s, c)
		case c < 0x20 || c == 0x7f:
			return fmt.Errorf("segment %q has a control character", s)
		}
	}
	return nil
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z') {
			return false
		}
	}
	return s != ""
}

// isVersion reports whether s is an API version, such as 2.0 or 2.
func isVersion(s string) bool {
	if len(s) == 0 || len(s) > 8 {
		return false
	}
	dots := 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
		case c == '.' && i > 0 && i < len(s)-1:
			dots++
		default:
			return false
		}
	}
	return dots <= 1
}

// String returns the template as written.
func (t Template) String() string { return t.text }

// shape returns the template without its parameter names. Two templates with the
// same shape match the same paths.
func (t Template) shape() string {
	var b strings.Builder
	for i := range t.segs {
		b.WriteByte('/')
		switch s := &t.segs[i]; s.kind {
		case restSegment:
			b.WriteString("{...}")
		case literalSegment:
			b.WriteString(s.text)
		default:
			b.WriteString(strings.Join(s.around, "{}"))
		}
	}
	return b.String()
}

// Match reports whether t matches path, which is the Path of a [Reading]. Letter
// case must match. The version in /api/<version>/ matches any other version, as in
// the catalog: a rule for /api/2.0/token/create also applies to
// /api/2.1/token/create.
func (t Template) Match(path string) bool { return t.match(path, false) }

// MatchFold is like Match but ignores letter case. Use it for rules that deny: Unity
// Catalog ignores the case of many names.
func (t Template) MatchFold(path string) bool { return t.match(path, true) }

// matchExactly is like Match, but the version must be the template's.
func (t Template) matchExactly(path string) bool {
	t.versioned = false
	return t.match(path, false)
}

func (t Template) match(path string, fold bool) bool {
	if len(t.segs) == 0 || path == "" || path[0] != '/' {
		return false
	}
	rest, more := withoutLastSlash(path)[1:], true
	for i := range t.segs {
		if !more {
			return false
		}
		s := &t.segs[i]
		if s.kind == restSegment {
			return true
		}
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if i == 1 && t.versioned && isVersion(part) {
			continue
		}
		if !s.match(part, fold) {
			return false
		}
	}
	return !more
}

// withoutLastSlash removes one slash at the end of a path. It makes no difference
// to operations, and Databricks documents some paths with it, such as
// /api/2.0/sql/statements/. Several slashes at the end are left alone, because
// servers differ on them.
func withoutLastSlash(path string) string {
	if n := len(path); n > 2 && path[n-1] == '/' && path[n-2] != '/' {
		return path[:n-1]
	}
	return path
}

// match reports whether s matches one segment of a path.
func (s *segment) match(part string, fold bool) bool {
	switch s.kind {
	case literalSegment:
		return part == s.text || fold && (equalFold(part, s.text) || s.unicode && strings.EqualFold(part, s.text))
	case paramSegment:
		return part != ""
	case patternSegment:
		if fold && s.unicode {
			return matchPattern(s.folded, strings.ToLower(part), true)
		}
		return matchPattern(s.around, part, fold)
	default:
		return true
	}
}

func lowerAll(texts []string) (folded []string) {
	for _, text := range texts {
		folded = append(folded, strings.ToLower(text))
	}
	return folded
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
