package scopes

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseTemplate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ template, shape string }{
		{"/", "/"},
		{"/a", "/a"},
		{"/api/2.0/apps/{name}", "/api/2.0/apps/{}"},
		{"/api/2.0/x/{index}:query", "/api/2.0/x/{}:query"},
		{"/a/{b}.{c}.{d}", "/a/{}.{}.{}"},
		{"/a/pre-{b}-post", "/a/pre-{}-post"},
		{"/a/{path...}", "/a/{...}"},
		{"/a/*", "/a/{...}"},
		{"/{path...}", "/{...}"},
		{"/*", "/{...}"},
		{"/a/with space/grüße/.well-known/a~b", "/a/with space/grüße/.well-known/a~b"},
		{"/a/...", "/a/..."},
	} {
		got, err := ParseTemplate(test.template)
		if err != nil || got.shape() != test.shape || got.String() != test.template {
			t.Errorf("%s: %q %q, %v", test.template, got.String(), got.shape(), err)
		}
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, template, says string }{
		{"empty", "", "begin with a slash"},
		{"relative path", "api/2.0", "begin with a slash"},
		{"star alone", "*", "begin with a slash"},
		{"doubled slash", "/a//b", "empty segment"},
		{"trailing slash", "/a/", "empty segment"},
		{"open brace", "/a/{b", "without a closing one"},
		{"closed brace", "/a/b}", "without an opening one"},
		{"braces the wrong way", "/a/}b{", "without an opening one"},
		{"nested braces", "/a/{b{c}}", "parameter name"},
		{"no name", "/a/{}", "parameter name"},
		{"bad name", "/a/{b c}", "parameter name"},
		{"dots alone", "/a/{...}", "parameter name"},
		{"touching parameters", "/a/{b}{c}", "nothing between"},
		{"rest not last", "/a/{b...}/c", "must come last"},
		{"star not last", "/a/*/c", "must come last"},
		{"rest in a segment", "/a/x{b...}", "must be a whole segment"},
		{"star in a segment", "/a/b*", "whole last segment"},
		{"two stars", "/a/**", "whole last segment"},
		{"escape", "/a/b%20c", "write the character itself"},
		{"query", "/a?b", "without query"},
		{"fragment", "/a#b", "without query"},
		{"semicolon", "/a;b", "do not interpret alike"},
		{"backslash", `/a\b`, "do not interpret alike"},
		{"dot segment", "/a/./b", "dot segment"},
		{"parent segment", "/a/../b", "dot segment"},
		{"control character", "/a\tb", "control character"},
		{"not UTF-8", "/a\xff", "not valid UTF-8"},
		{"too deep", "/" + strings.Repeat("a/", maxSegments) + "a", "more than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseTemplate(test.template)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestTemplateMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		template, path string
		exact, fold    bool
	}{
		{"/a/b", "/a/b", true, true},
		{"/a/b", "/a/B", false, true},
		{"/a/b", "/a", false, false},
		{"/a/b", "/a/b/", true, true},
		{"/a/b", "/a/b//", false, false},
		{"/a/b", "/a/b/c", false, false},
		{"/a/b", "", false, false},
		{"/a/b", "a/b", false, false},
		{"/", "/", true, true},
		{"/", "/a", false, false},
		{"/a/{b}", "/a/x", true, true},
		{"/a/{b}", "/a/", false, false},
		{"/a/{b}", "/a/x/y", false, false},
		{"/a/{b}", "/a/x%2Fy", true, true},
		{"/a/{b}/c", "/A/x/C", false, true},
		{"/a/{b}:query", "/a/x:query", true, true},
		{"/a/{b}:query", "/a/x:y:query", true, true},
		{"/a/{b}:query", "/a/:query", false, false},
		{"/a/{b}:query", "/a/x:QUERY", false, true},
		{"/a/{b}:query", "/a/x:query:", false, false},
		{"/a/{b}.{c}.{d}", "/a/x.y.z", true, true},
		{"/a/{b}.{c}.{d}", "/a/x.y.z.w", true, true},
		{"/a/{b}.{c}.{d}", "/a/x.y", false, false},
		{"/a/{b}.{c}.{d}", "/a/...", false, false},
		{"/a/{b}.{c}.{d}", "/a/.....", true, true},
		{"/a/p{b}p", "/a/pp", false, false},
		{"/a/p{b}p", "/a/ppp", true, true},
		{"/a/{p...}", "/a/x", true, true},
		{"/a/{p...}", "/a/x/y/z", true, true},
		{"/a/{p...}", "/a/", false, false},
		{"/a/{p...}", "/a/x/", true, true},
		{"/a/{p...}", "/a", false, false},
		{"/a/*", "/a/x/y", true, true},
		{"/*", "/", true, true},
		{"/api/2.0/token/create", "/api/2.0/token/create", true, true},
		{"/api/2.0/token/create", "/api/2.1/token/create", true, true},
		{"/api/2.0/token/create", "/api/3/token/create", true, true},
		{"/api/2.0/token/create", "/api/x/token/create", false, false},
		{"/api/2.0/token/create", "/API/2.1/Token/create", false, true},
		{"/api/2.0", "/api/2.1", false, false},
		{"/sql/1.0/warehouses/{id}", "/sql/2.0/warehouses/x", false, false},
	} {
		tmpl, err := ParseTemplate(test.template)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.Match(test.path); got != test.exact {
			t.Errorf("%s matches %s: %v", test.template, test.path, got)
		}
		if got := tmpl.MatchFold(test.path); got != test.fold {
			t.Errorf("%s matches %s, folded: %v", test.template, test.path, got)
		}
	}
	if (Template{}).Match("/") {
		t.Error("the zero template matches")
	}
}

func FuzzTemplate(f *testing.F) {
	for _, row := range Default().Operations() {
		f.Add(row.Template, "x")
	}
	f.Add("/a/{b}.{c}:q", "1.2")
	f.Add("/*", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := ParseTemplate(text)
		if err != nil {
			return
		}
		again, err := ParseTemplate(tmpl.String())
		if err != nil || again.shape() != tmpl.shape() {
			t.Fatalf("%q: read back as %q, %v", text, again.shape(), err)
		}
		// It matches the path that fill makes from it.
		value = strings.ReplaceAll(value, "/", "_")
		if value == "" || !utf8.ValidString(value) {
			value = "v"
		}
		path := fill(tmpl, value)
		if !tmpl.Match(path) {
			t.Fatalf("%q does not match %q", text, path)
		}
		if !tmpl.MatchFold(asciiUpper(path)) {
			t.Fatalf("%q does not match %q folded", text, asciiUpper(path))
		}
		// It matches no path with one segment more or less, except after a rest.
		if tmpl.segs[len(tmpl.segs)-1].kind != restSegment && tmpl.Match(path+"/more") {
			t.Fatalf("%q matches %q", text, path+"/more")
		}
		if shorter := path[:strings.LastIndexByte(path, '/')]; shorter != "" && tmpl.Match(shorter) && tmpl.segs[len(tmpl.segs)-1].kind != restSegment {
			t.Fatalf("%q matches %q", text, shorter)
		}
	})
}

// fill returns a path that t matches.
func fill(t Template, value string) string {
	var b strings.Builder
	for i := range t.segs {
		b.WriteByte('/')
		switch s := &t.segs[i]; s.kind {
		case literalSegment:
			b.WriteString(s.text)
		case restSegment:
			b.WriteString(value + "/" + value)
		default:
			b.WriteString(strings.Join(s.around, value))
		}
	}
	return b.String()
}

func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 32
		}
		return r
	}, s)
}
