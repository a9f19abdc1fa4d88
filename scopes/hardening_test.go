package scopes

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A disguise is an attack by a client whose scopes permit everything below base,
// but not target: it disguises target as a path below base.
type disguise struct {
	name   string
	held   []string
	base   string
	method string
	target string
}

var disguises = []disguise{
	{"files to secrets", []string{"files"}, "/api/2.0/fs/files/Volumes/a/b/c", "GET", "/api/2.0/secrets/get"},
	{"files to tokens", []string{"files", "sql"}, "/api/2.0/fs/directories/Volumes/a", "DELETE", "/api/2.0/token-management/tokens/1"},
	{"driver proxy to tokens", []string{"clusters"}, "/driver-proxy-api/o/1/2-3/8787", "POST", "/api/2.0/token/create"},
	{"nothing to jobs", nil, "/oidc/x", "POST", "/api/2.2/jobs/run-now"},
	{"gateway to warehouses", []string{"ai-gateway"}, "/ai-gateway/mlflow/v1", "POST", "/api/2.0/sql/statements"},
	{"traces to grants", []string{"mlflow"}, "/api/2.0/mlflow/traces", "PATCH", "/api/2.1/unity-catalog/permissions/table/a.b.c"},
	{"workspace files to people", []string{"workspace"}, "/api/2.0/workspace-files/Users/me", "PUT", "/api/2.0/preview/scim/v2/Users/7"},
}

// The expected results of a trick.
const (
	// unmasked: the target is among the readings.
	unmasked = iota
	// malformed: Read returns an error.
	malformed
	// refused: the path is not permitted, whatever its readings are.
	refused
	// harmless: no server interprets the path as the target; it is probably just a
	// name below base.
	harmless
)

// tricks are ways to write a target, with these placeholders:
//
//	{base}, {target}       those of the disguise
//	{path}                 the target without its first slash
//	{target:x}, {path:x}   the same with x instead of the other slashes
//	{TARGET}, {PATH}       the same in capital letters
//	{up:x}                 x as often as needed to leave base
//	{version:x}            the target with x as its version
//	{last:x}, {first:x}    the target with its last or first letter escaped by x,
//	                       or preceded by x
//	{letter:x=y}           the target with y instead of the first x
var tricks = []struct {
	name, form string
	want       int
}{
	// Other spellings of the target itself.
	{"capitals", "{TARGET}", unmasked},
	{"trailing slash", "{target}/", unmasked},
	{"trailing slashes", "{target}///", unmasked},
	{"trailing dot", "{target}.", unmasked},
	{"trailing dots", "{target}...", unmasked},
	{"trailing escaped dot", "{target}%2e", unmasked},
	{"trailing space", "{target}%20", unmasked},
	{"trailing dot segment", "{target}/.", unmasked},
	{"trailing escaped dot segment", "{target}/%2e", unmasked},
	{"trailing slash and dot", "{target}./", unmasked},
	{"there and back", "{target}/x/..", unmasked},
	{"there and back, escaped", "{target}/x/%2e%2e", unmasked},
	{"there and back, escaped twice", "{target}/x/%252e%252e", unmasked},
	{"session parameter", "{target};jsessionid=0123456789ABCDEF", unmasked},
	{"empty parameter", "{target};", unmasked},
	{"parameter with a slash", "{target};a=/b", unmasked},
	{"escaped parameter", "{target}%3bjsessionid=1", unmasked},
	{"parameter escaped twice", "{target}%253bjsessionid=1", unmasked},
	{"parameter, then slash", "{target};/", unmasked},
	{"escaped query", "{target}%3fa=b", unmasked},
	{"escaped query with a path", "{target}%3f/../../x", unmasked},
	{"escaped fragment", "{target}%23", unmasked},
	{"query escaped twice", "{target}%253fa=b", unmasked},
	{"trailing backslash", "{target}\\", unmasked},
	{"trailing escaped backslash", "{target}%5c", unmasked},
	{"doubled first slash", "/{target}", unmasked},
	{"many first slashes", "////{target}", unmasked},
	{"doubled slashes", "{target://}", unmasked},
	{"authority", "//host{target}", unmasked},
	{"authority with a port", "//host:443{target}", unmasked},
	{"authority by backslashes", "/\\host{target}", unmasked},
	{"first dot segment", "/.{target}", unmasked},
	{"first parent segment", "/..{target}", unmasked},
	{"dot segments", "{target:/./}", unmasked},
	{"escaped dot segments", "{target:/%2e/}", unmasked},
	{"parameters everywhere", "{target:;a/}", unmasked},
	{"parameters in dot segments", "{target:/.;a/}", unmasked},
	{"backslashes", "/{path:\\}", unmasked},
	{"escaped backslashes", "/{path:%5c}", unmasked},
	{"backslashes escaped twice", "/{path:%255c}", unmasked},
	{"escaped slashes", "/{path:%2f}", unmasked},
	{"escaped slashes in capitals", "/{path:%2F}", unmasked},
	{"slashes escaped twice", "/{path:%252f}", unmasked},
	{"half escaped slashes", "/{path:%2%66}", malformed},
	{"slash escapes escaped by letters", "/{path:%25%32%66}", unmasked},
	{"mixed slashes", "{target:/%2f}", unmasked},
	{"escaped letter", "{last:%}", unmasked},
	{"letter escaped twice", "{last:%25}", unmasked},
	{"escaped first letter", "{first:%}", unmasked},
	{"first letter escaped twice", "{first:%25}", unmasked},
	{"letter escaped three times", "{last:%2525}", refused},
	{"escaped version", "{version:%32%2e%30}", refused},
	{"two dots in the version", "{version:2..0}", refused},
	{"version with a letter", "{version:v2.0}", refused},

	// Paths that leave base.
	{"up", "{base}/{up:../}{path}", unmasked},
	{"up, doubled slashes", "{base}/{up:..//}{path}", unmasked},
	{"up, doubled slashes merged", "{base}//{up:../}{path}", unmasked},
	{"up too far", "{base}/../../../../../../../../../../../..{target}", unmasked},
	{"up from a directory", "{base}/x/y/../../{up:../}{path}", unmasked},
	{"up, escaped dots", "{base}/{up:%2e%2e/}{path}", unmasked},
	{"up, escaped dots in capitals", "{base}/{up:%2E%2E/}{path}", unmasked},
	{"up, one dot escaped", "{base}/{up:.%2e/}{path}", unmasked},
	{"up, other dot escaped", "{base}/{up:%2e./}{path}", unmasked},
	{"up, escaped slash", "{base}/{up:..%2f}{path}", unmasked},
	{"up, all escaped", "{base}%2f{up:%2e%2e%2f}{path:%2f}", unmasked},
	{"up, all escaped twice", "{base}%252f{up:%252e%252e%252f}{path:%252f}", unmasked},
	{"up, dots escaped twice", "{base}/{up:%252e%252e/}{path}", unmasked},
	{"up, slash escaped twice", "{base}/{up:..%252f}{path}", unmasked},
	{"up, dots once and slash twice", "{base}/{up:%2e%2e%252f}{path}", unmasked},
	{"up, dots twice and slash once", "{base}/{up:%252e%252e%2f}{path}", unmasked},
	{"up, digits escaped", "{base}/{up:%%32%65%%32%65/}{path}", malformed},
	{"up, nested escapes", "{base}/{up:%25%32%65%25%32%65/}{path}", unmasked},
	{"up, backslash", "{base}/{up:..\\}{path:\\}", unmasked},
	{"up, backslash before", "{base}{up:\\..}{target}", unmasked},
	{"up, escaped backslash", "{base}/{up:..%5c}{path}", unmasked},
	{"up, backslash escaped twice", "{base}/{up:..%255c}{path}", unmasked},
	{"up, all backslashes", "{base}%5c{up:%2e%2e%5c}{path:%5c}", unmasked},
	{"up, parameter", "{base}/{up:..;/}{path}", unmasked},
	{"up, named parameter", "{base}/{up:..;a=b/}{path}", unmasked},
	{"up, escaped parameter", "{base}/{up:..%3b/}{path}", unmasked},
	{"up, parameter escaped twice", "{base}/{up:..%253b/}{path}", unmasked},
	{"up, parameter and escaped dots", "{base}/{up:%2e%2e;/}{path}", unmasked},
	{"up, parameter and dots escaped twice", "{base}/{up:%252e%252e;/}{path}", unmasked},
	{"up, parameter and escaped slash", "{base}/{up:..;%2f}{path}", unmasked},
	{"up, parameter with dots", "{base}/{up:..;../}{path}", unmasked},
	{"up behind a parameter", "{base};a/{up:../}{path}", unmasked},
	{"up, trailing space", "{base}/{up:..%20/}{path}", unmasked},
	{"up, dots and spaces", "{base}/{up:.%20.%20/}{path}", harmless},
	{"up, three dots", "{base}/{up:.../}{path}", harmless},
	{"up, and capitals", "{base}/{up:../}{PATH}", unmasked},
	{"up, and trailing slash", "{base}/{up:../}{path}/", unmasked},
	{"up, and parameter", "{base}/{up:../}{path};a", unmasked},
	{"up, and query", "{base}/{up:..%2f}{path}%3fx", unmasked},
	{"up, then down and up", "{base}/{up:x/../../}{path}", unmasked},
	{"up, then dots", "{base}/{up:./../}{path}", unmasked},
	{"up, then escaped dots", "{base}/{up:%2e/%2e%2e/}{path}", unmasked},
	{"up, empty segments", "{base}/x//../{up:../}{path}", unmasked},
	{"up, mixed", "{base}/..%2f%2e%2e%5c..;/%252e%252e/..%252f..%5c../../..{target}", malformed},
	{"up, in other order", "{base}/x%2f..;%5c{up:..%5c}{path:%2f}", unmasked},
	{"up through a non-ASCII name", "{base}/%EF%BC%8E/../{up:../}{path}", unmasked},

	// Paths that no client sends.
	{"NUL at the end", "{target}%00", malformed},
	{"NUL and a harmless end", "{target}%00.csv", malformed},
	{"NUL after base", "{base}%00/{up:../}{path}", malformed},
	{"NUL escaped twice", "{target}%2500", malformed},
	{"raw NUL", "{target}\x00", malformed},
	{"line feed", "{target}%0a", malformed},
	{"line feed escaped twice", "{base}/%250a{up:../}{path}", malformed},
	{"header injection", "{base}%0d%0aX-Original-URL:%20{target}", malformed},
	{"request injection", "{base}%20HTTP/1.1%0d%0aHost:x%0d%0a%0d%0aPOST%20{target}", malformed},
	{"tab", "{target}%09", malformed},
	{"raw tab", "{target}\t", malformed},
	{"escape character", "{target}%1b", malformed},
	{"delete", "{target}%7f", malformed},
	{"next line", "{target}%c2%85", malformed},
	{"space", "{target} ", malformed},
	{"second request line", "{base} HTTP/1.1", malformed},
	{"query", "{base}?/../{target}", malformed},
	{"fragment", "{base}#{target}", malformed},
	{"overlong slash", "{base}/{up:..%c0%af}{path}", malformed},
	{"overlong slash, three bytes", "{base}/{up:..%e0%80%af}{path}", malformed},
	{"overlong slash, four bytes", "{base}/{up:..%f0%80%80%af}{path}", malformed},
	{"overlong dots", "{base}/{up:%c0%ae%c0%ae/}{path}", malformed},
	{"overlong backslash", "{base}/{up:..%c1%9c}{path}", malformed},
	{"overlong slash escaped twice", "{base}/{up:..%25c0%25af}{path}", malformed},
	{"invalid continuation", "{base}/{up:..%c0%2f}{path}", malformed},
	{"invalid UTF-8", "{base}/%ff/{up:../}{path}", malformed},
	{"UTF-7", "{base}/{up:+AC4-+AC4-+AC8-}{path}", harmless},
	{"IIS escape", "{base}/{up:..%u002f}{path}", malformed},
	{"IIS escape, fullwidth", "{base}/{up:..%uff0f}{path}", malformed},
	{"lone percent", "{target}%", malformed},
	{"short escape", "{target}%2", malformed},
	{"broken escape", "{base}/{up:..%2g}{path}", malformed},
	{"absolute URL", "https://host{target}", malformed},
	{"absolute URL of this host", "http://{target}", malformed},
	{"no slash", "{base:cut}{target}", malformed},
	{"asterisk", "*", malformed},
	{"empty", "", malformed},

	// Unicode letters and marks.
	{"Kelvin sign", "{letter:k=%e2%84%aa}", refused},
	{"long s", "{letter:s=%c5%bf}", unmasked},
	{"dotless i", "{letter:i=%c4%b1}", unmasked},
	{"dotted capital i", "{letter:i=%c4%b0}", unmasked},
	{"fullwidth slash", "{base}/{up:..%ef%bc%8f}{path}", harmless},
	{"fullwidth dots", "{base}/{up:%ef%bc%8e%ef%bc%8e/}{path}", harmless},
	{"soft hyphen", "{last:%c2%ad}x", refused},
	{"zero width space", "{target}%e2%80%8b", refused},
	{"byte order mark", "/%ef%bb%bf{target}", refused},
}

var placeholder = regexp.MustCompile(`\{(\w+)(?::([^{}]*))?\}`)

// write fills in the placeholders. The result is "" if the trick does not apply to d.
func (d *disguise) write(form string) string {
	inapplicable := false
	path := placeholder.ReplaceAllStringFunc(form, func(s string) string {
		m := placeholder.FindStringSubmatch(s)
		last := len(d.target) - 1
		hex := func(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }
		escape := func(at int, with string) string {
			if strings.Trim(with, "%25") != "" || with == "" {
				return d.target[:at] + with + d.target[at:]
			}
			return d.target[:at] + with + hex(d.target[at]) + d.target[at+1:]
		}
		switch m[1] {
		case "base":
			if m[2] == "cut" {
				return d.base[1:]
			}
			return d.base
		case "target", "path", "TARGET", "PATH":
			written := d.target[1:]
			if m[2] != "" {
				written = strings.ReplaceAll(written, "/", m[2])
			}
			if m[1] == "TARGET" || m[1] == "PATH" {
				written = asciiUpper(written)
			}
			if m[1] == "path" || m[1] == "PATH" {
				return written
			}
			return "/" + written
		case "up":
			return strings.Repeat(m[2], strings.Count(d.base, "/"))
		case "last":
			return escape(last, m[2])
		case "first":
			return escape(1, m[2])
		case "version":
			parts := strings.Split(d.target, "/")
			parts[2] = m[2]
			return strings.Join(parts, "/")
		case "letter":
			from, to, _ := strings.Cut(m[2], "=")
			api := strings.Index(d.target[5:], "/") + 5
			if !strings.Contains(d.target[api:], from) {
				inapplicable = true
			}
			return d.target[:api] + strings.Replace(d.target[api:], from, to, 1)
		}
		panic("unknown placeholder " + s)
	})
	if inapplicable {
		return ""
	}
	return path
}

// TestHardening tries every trick with every disguise, more than 900 paths.
func TestHardening(t *testing.T) {
	t.Parallel()
	c := Default()
	tried := 0
	for _, d := range disguises {
		if !allowed(c, d.held, d.method, d.base+"/x") {
			t.Fatalf("%s: a path below base is refused", d.name)
		}
		plain, err := c.Read(d.method, d.target, nil)
		if err != nil || len(plain) != 1 || plain[0].Operation.Unmapped() || plain[0].Operation.Permits(d.held) {
			t.Fatalf("%s: the target is %v, %v", d.name, plain, err)
		}
		for _, trick := range tricks {
			path := d.write(trick.form)
			if path == "" && trick.form != "" {
				continue
			}
			tried++
			readings, err := c.Read(d.method, path, nil)
			if trick.want != harmless && allowed(c, d.held, d.method, path) {
				t.Errorf("%s, %s: %q is permitted: %v", d.name, trick.name, path, readings)
				continue
			}
			var bad *PathError
			if errors.As(err, &bad) && strings.ContainsAny(bad.Reason, "%/\\") {
				t.Errorf("%s, %s: the reason %q quotes the path", d.name, trick.name, bad.Reason)
			}
			hit := slices.ContainsFunc(readings, func(r Reading) bool { return r.Operation == plain[0].Operation })
			switch {
			case trick.want == malformed && err == nil:
				t.Errorf("%s, %s: %q is read as %v", d.name, trick.name, path, readings)
			case trick.want == unmasked && !hit:
				t.Errorf("%s, %s: %q is not read as the target: %v, %v", d.name, trick.name, path, readings, err)
			case trick.want == harmless && hit:
				t.Errorf("%s, %s: %q is read as the target", d.name, trick.name, path)
			case trick.want == refused && err != nil:
				t.Errorf("%s, %s: %q: %v", d.name, trick.name, path, err)
			}
		}
	}
	if tried < 900 {
		t.Errorf("%d paths tried", tried)
	}
}

// TestMethodSpellings checks that no spelling of a method permits more than the
// method itself.
func TestMethodSpellings(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, method := range []string{"post", "Post", "POST ", " POST", "POST\x00", "", "*", "POS", "POSTS", "GET,POST", "TRACE", "CONNECT", "TRACK", "DEBUG", "PROPFIND", "M-SEARCH", "OPTIONS", "GET POST", "ПОСТ"} {
		for _, path := range []string{"/api/2.0/token/create", "/api/2.2/jobs/run-now", "/api/2.0/secrets/put"} {
			if allowed(c, []string{"sql", "files", "clusters", "workspace"}, method, path) {
				t.Errorf("%q %s is permitted", method, path)
			}
		}
	}
}
