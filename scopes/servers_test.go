package scopes

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// This file is a second, independent implementation of what servers do to a path
// and of how a catalog matches it. The tests compare readings with it.

// atSlash stands for a slash inside a segment, for servers that split before they
// decode.
const atSlash = "\x00"

// A sloppyStep is something a server does to a path. ok is false if the server
// refuses the path.
type sloppyStep struct {
	name    string
	decodes int
	do      func(string) (result string, ok bool)
}

func always(f func(string) string) func(string) (string, bool) {
	return func(s string) (string, bool) { return f(s), true }
}

func perSegment(f func(string) string) func(string) (string, bool) {
	return always(func(s string) string {
		parts := strings.Split(s, "/")
		for i := range parts {
			parts[i] = f(parts[i])
		}
		return strings.Join(parts, "/")
	})
}

var (
	escapeRE  = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	slashesRE = regexp.MustCompile(`//+`)
	paramsRE  = regexp.MustCompile(`;[^/]*`)
	lastRE    = regexp.MustCompile(`;[^/]*$`)
	normalRE  = regexp.MustCompile(`%(?i:2d|2e|5f|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])`)
	slashRE   = regexp.MustCompile(`%(?i:2f|5c)`)
)

func decodeLeniently(s string) string {
	return escapeRE.ReplaceAllStringFunc(s, func(e string) string {
		c, _ := url.PathUnescape(e)
		return c
	})
}

var sloppySteps = []sloppyStep{
	{"decode strictly", 1, func(s string) (string, bool) {
		d, err := url.PathUnescape(s)
		return d, err == nil
	}},
	{"decode leniently", 1, always(decodeLeniently)},
	{"decode segments", 1, func(s string) (string, bool) {
		parts := strings.Split(s, "/")
		for i := range parts {
			d, err := url.PathUnescape(parts[i])
			if err != nil {
				return "", false
			}
			parts[i] = strings.ReplaceAll(d, "/", atSlash)
		}
		return strings.Join(parts, "/"), true
	}},
	{"join and split again", 0, always(func(s string) string { return strings.ReplaceAll(s, atSlash, "/") })},
	{"merge slashes", 0, always(func(s string) string { return slashesRE.ReplaceAllString(s, "/") })},
	{"clean", 0, always(func(s string) string {
		c := path.Clean(s)
		if c != "/" && (strings.HasSuffix(s, "/") || strings.HasSuffix(s, "/.") || strings.HasSuffix(s, "/..")) {
			c += "/"
		}
		return c
	})},
	{"resolve dots", 0, always(removeDotSegments)},
	{"drop params", 0, always(func(s string) string { return paramsRE.ReplaceAllString(s, "") })},
	{"drop last params", 0, always(func(s string) string { return lastRE.ReplaceAllString(s, "") })},
	{"cut at semicolon", 0, always(func(s string) string { return strings.SplitN(s, ";", 2)[0] })},
	{"cut at query", 0, always(func(s string) string { return strings.SplitN(s, "?", 2)[0] })},
	{"cut at fragment", 0, always(func(s string) string { return strings.SplitN(s, "#", 2)[0] })},
	{"backslash", 0, always(func(s string) string { return strings.ReplaceAll(s, `\`, "/") })},
	{"trim slash", 0, always(func(s string) string { return "/" + strings.Trim(s, "/") })},
	{"trim dots", 0, perSegment(func(s string) string {
		if s == "." || s == ".." || strings.Trim(s, ". ") == "" {
			return strings.TrimRight(s, " ")
		}
		return strings.TrimRight(s, ". ")
	})},
	{"normalize escapes", 0, always(func(s string) string { return normalRE.ReplaceAllStringFunc(s, decodeLeniently) })},
	{"unescape slashes", 0, always(func(s string) string { return slashRE.ReplaceAllStringFunc(s, decodeLeniently) })},
	{"drop authority", 0, always(func(s string) string {
		if !strings.HasPrefix(s, "//") {
			return s
		}
		_, after, found := strings.Cut(s[2:], "/")
		if !found {
			return "/"
		}
		return "/" + after
	})},
}

// removeDotSegments is the exact algorithm of RFC 3986, section 5.2.4.
func removeDotSegments(in string) string {
	out := ""
	for in != "" {
		switch {
		case strings.HasPrefix(in, "../"):
			in = in[3:]
		case strings.HasPrefix(in, "./"):
			in = in[2:]
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"), in == "/..":
			in = "/" + strings.TrimPrefix(in[3:], "/")
			out = out[:max(0, strings.LastIndexByte(out, '/'))]
		case in == "." || in == "..":
			in = ""
		default:
			i := strings.IndexByte(in[1:], '/') + 1
			if i == 0 {
				i = len(in)
			}
			out, in = out+in[:i], in[i:]
		}
	}
	if out == "" {
		return "/"
	}
	return out
}

// servers are the chains of steps of real software, by the names of the steps.
var servers = []struct {
	name  string
	steps []string
}{
	{"routes before decoding", nil},
	{"go", []string{"decode strictly"}},
	{"go, cleaned", []string{"decode strictly", "clean"}},
	{"cleaned, then go", []string{"clean", "decode strictly", "clean"}},
	{"armeria", []string{"decode segments"}},
	{"armeria, cleaned", []string{"clean", "decode segments"}},
	{"jetty", []string{"drop params", "decode segments", "resolve dots"}},
	{"jetty, older", []string{"drop params", "decode strictly", "resolve dots", "merge slashes"}},
	{"tomcat", []string{"drop params", "decode strictly", "backslash", "merge slashes", "resolve dots"}},
	{"tomcat, params last", []string{"decode strictly", "drop params", "merge slashes", "resolve dots"}},
	{"nginx", []string{"decode strictly", "merge slashes", "resolve dots"}},
	{"nginx, then go", []string{"decode strictly", "merge slashes", "resolve dots", "decode strictly"}},
	{"nginx, reparsed", []string{"decode leniently", "merge slashes", "cut at query", "cut at fragment", "decode leniently"}},
	{"envoy, normalizing", []string{"normalize escapes", "resolve dots", "merge slashes"}},
	{"envoy, then tomcat", []string{"normalize escapes", "resolve dots", "drop params", "decode strictly", "resolve dots"}},
	{"envoy, slashes unescaped", []string{"unescape slashes", "normalize escapes", "resolve dots", "merge slashes"}},
	{"iis", []string{"decode leniently", "backslash", "merge slashes", "resolve dots", "trim dots"}},
	{"windows files", []string{"decode leniently", "backslash", "trim dots", "resolve dots", "merge slashes"}},
	{"express", []string{"decode segments", "trim slash"}},
	{"spring", []string{"drop params", "decode strictly", "trim slash"}},
	{"wsgi", []string{"decode leniently", "merge slashes", "trim slash"}},
	{"urlparse", []string{"drop last params", "decode leniently"}},
	{"old session tracking", []string{"cut at semicolon", "decode strictly"}},
	{"browser", []string{"backslash", "normalize escapes", "resolve dots", "decode segments"}},
	{"link resolver", []string{"drop authority", "resolve dots", "decode strictly"}},
	{"rejoining", []string{"decode segments", "resolve dots", "join and split again", "resolve dots"}},
	{"rejoining, on windows", []string{"decode segments", "backslash", "resolve dots", "join and split again"}},
	{"slashes first", []string{"unescape slashes"}},
	{"twice", []string{"decode leniently", "decode leniently"}},
	{"twice, cleaned", []string{"decode leniently", "clean", "decode leniently", "clean"}},
	{"twice by segments", []string{"decode segments", "decode segments", "resolve dots"}},
}

// serve applies steps to a path and returns the segments that the server routes by.
func serve(escaped string, steps []sloppyStep) ([]string, bool) {
	s := escaped
	for _, step := range steps {
		var ok bool
		if s, ok = step.do(s); !ok || !strings.HasPrefix(s, "/") {
			return nil, false
		}
	}
	parts := strings.Split(s[1:], "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], atSlash, "/")
	}
	return parts, true
}

func stepsNamed(names []string) []sloppyStep {
	steps := make([]sloppyStep, len(names))
	for i, name := range names {
		j := slices.IndexFunc(sloppySteps, func(s sloppyStep) bool { return s.name == name })
		steps[i] = sloppySteps[j]
	}
	return steps
}

// slowCatalog finds operations by comparing a path with every row.
type slowCatalog struct {
	rows []slowRow
	memo map[string]string
}

type slowRow struct {
	op        *Operation
	segs      []slowSegment
	versioned bool
}

type slowSegment struct {
	text, fixed string
	rest        bool
	params      int
	exact, fold *regexp.Regexp
}

func newSlowCatalog(rows []Operation) *slowCatalog {
	c := &slowCatalog{memo: make(map[string]string)}
	for i := range rows {
		r := slowRow{op: &rows[i], versioned: slowPrefix.MatchString(rows[i].Template)}
		for _, text := range strings.Split(rows[i].Template[1:], "/") {
			quoted := regexp.QuoteMeta(slowParam.ReplaceAllString(text, "\x02"))
			expr := "^(?s:" + strings.ReplaceAll(quoted, "\x02", ".+") + ")$"
			r.segs = append(r.segs, slowSegment{
				text:   text,
				fixed:  slowParam.ReplaceAllString(text, ""),
				rest:   text == "*" || strings.HasSuffix(text, "...}"),
				params: strings.Count(text, "{"),
				exact:  regexp.MustCompile(expr),
				// Not the i flag, which also folds letters outside ASCII.
				fold: regexp.MustCompile(asciiLower(expr)),
			})
		}
		c.rows = append(c.rows, r)
	}
	return c
}

// match returns the key of the operation for the segments.
func (c *slowCatalog) match(method string, parts []string, fold bool) string {
	// One slash at the end makes no difference.
	if n := len(parts); n > 1 && parts[n-1] == "" && parts[n-2] != "" {
		parts = parts[:n-1]
	}
	memo := method + "\n" + strings.Join(parts, "\n")
	if fold {
		memo = "fold " + memo
	}
	if found, ok := c.memo[memo]; ok {
		return found
	}
	found := c.search(method, parts, fold)
	if len(c.memo) < 1e5 {
		c.memo[memo] = found
	}
	return found
}

func (c *slowCatalog) search(method string, parts []string, fold bool) string {
	var bestRank []string
	var best *Operation
	for i := range c.rows {
		rank, ok := c.rows[i].rank(method, parts, fold)
		if ok && (best == nil || slices.Compare(rank, bestRank) < 0) {
			best, bestRank = c.rows[i].op, rank
		}
	}
	if best == nil {
		return key(unmapped)
	}
	if len(parts) < 2 || bestRank[1] != "1" || !slowVersion.MatchString(parts[1]) {
		return key(best)
	}
	// The row is of another version, so the rows of all versions count.
	var all []*Operation
	for i := range c.rows {
		if o := c.rows[i].op; o.Method == best.Method && slowShape(o.Template) == slowShape(best.Template) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *Operation) int {
		return cmp.Compare(strings.Split(b.Template, "/")[2], strings.Split(a.Template, "/")[2])
	})
	if !slices.ContainsFunc(all, func(o *Operation) bool { return !o.agrees(all[0]) }) {
		return key(all[0])
	}
	o := *all[0]
	o.narrow(all)
	return key(&o)
}

func key(o *Operation) string { return o.Name + " " + o.Template + " " + o.Needs() }

var (
	slowVersion = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	slowPrefix  = regexp.MustCompile(`^/api/[0-9]+(?:\.[0-9]+)?/.`)
	slowParam   = regexp.MustCompile(`\{[^}]*\}`)
)

// slowShape returns the template without version and parameter names.
func slowShape(template string) string {
	s := template
	if slowPrefix.MatchString(s) {
		parts := strings.SplitN(s, "/", 4)
		s = "/api/V/" + parts[3]
	}
	return slowParam.ReplaceAllStringFunc(s, func(p string) string {
		if strings.HasSuffix(p, "...}") {
			return "{...}"
		}
		return "{}"
	})
}

// rank returns how well a row matches: an entry for each segment and one for the
// method, lower being better. ok is false if the row does not match.
func (r *slowRow) rank(method string, parts []string, fold bool) (rank []string, ok bool) {
	if n := len(r.segs); len(parts) < n || len(parts) > n && !r.segs[n-1].rest {
		return nil, false
	}
	for i := range r.segs {
		s := &r.segs[i]
		if s.rest {
			rank = append(rank, "9")
			break
		}
		part, expr := parts[i], s.exact
		if fold {
			part, expr = asciiLower(part), s.fold
		}
		switch {
		case s.params == 0 && parts[i] == s.text:
			rank = append(rank, "0")
		case s.params == 0 && fold && part == asciiLower(s.text):
			rank = append(rank, "00")
		case i == 1 && r.versioned && slowVersion.MatchString(part):
			rank = append(rank, "1")
		case s.params == 0 || !expr.MatchString(part):
			return nil, false
		case s.fixed != "":
			rank = append(rank, "2"+string(rune(1000-len(s.fixed)))+string(rune(1000-s.params))+s.fixed)
		default:
			rank = append(rank, "3")
		}
	}
	switch {
	case r.op.Method == method:
		rank = append(rank, "0")
	case r.op.Method == "GET" && method == "HEAD":
		rank = append(rank, "1")
	case r.op.Method == "*":
		rank = append(rank, "2")
	default:
		return nil, false
	}
	return append(rank, ""), true
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}
