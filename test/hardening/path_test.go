package hardening

import (
	"strings"
	"testing"
)

// pathDisguises are who wants what: below base everything is permitted to the
// token, the target is not.
var pathDisguises = []struct{ token, base, method, target string }{
	{"files", "/api/2.0/fs/files/Volumes/a", "GET", "/api/2.0/secrets/list"},
	{"files", "/api/2.0/fs/directories/a", "DELETE", "/api/2.0/token-management/tokens/1"},
	{"sql", "/api/2.0/sql/statements", "POST", "/api/2.0/token/create"},
	{"sql", "/api/2.0/sql/warehouses", "GET", "/api/2.1/clusters/list"},
	{"all", "/api/2.0/sql/warehouses", "GET", accountPath},
}

// What may become of a trick, besides the reasons of refusals.
const (
	scope     = "missing_scope"
	malformed = "malformed_path"
	home      = "passes or missing_scope" // it stays below base, whatever the token is for there
)

// pathTricks are ways to write a target: {base}, {target} and {TARGET} are those of
// the disguise, {path:x} is the target without its first slash and with x for the
// others, {up:x} is x as often as it takes to climb out of base.
var pathTricks = []struct{ name, form, want string }{
	{"as it is", "{target}", scope},
	{"query", "{target}?a=b", scope},
	{"empty query", "{target}?", scope},
	{"two question marks", "{target}??", scope},
	{"query that looks like home", "{target}?/../../{base}", scope},
	{"path in the query of home", "{base}?/../../..{target}", home},
	{"fragment", "{target}#x", scope},
	{"fragment after home", "{base}#/../../../../../..{target}", scope},
	{"capitals", "{TARGET}", scope},
	{"trailing slash", "{target}/", scope},
	{"trailing slashes", "{target}//", scope},
	{"trailing dot", "{target}.", scope},
	{"trailing dot segment", "{target}/.", scope},
	{"trailing escaped dot", "{target}%2e", scope},
	{"trailing space", "{target}%20", scope},
	{"trailing plus", "{target}+", scope},
	{"session", "{target};jsessionid=0A", scope},
	{"escaped session", "{target}%3bjsessionid=0A", scope},
	{"session escaped twice", "{target}%253Bjsessionid=0A", scope},
	{"session of home", "{base};jsessionid=0A/..{up:/..}{target}", scope},
	{"empty parameter", "{target};", scope},
	{"escaped query", "{target}%3fa", scope},
	{"escaped fragment", "{target}%23a", scope},
	{"doubled first slash", "/{target}", scope},
	{"doubled slashes", "//{path://}", scope},
	{"first backslash", `\{target}`, badRequest},
	{"slash and backslash", `/\{target}`, scope},
	{"backslashes", `/{path:\}`, scope},
	{"escaped backslashes", "/{path:%5c}", scope},
	{"backslashes escaped twice", "/{path:%255C}", scope},
	{"escaped slashes", "/{path:%2f}", scope},
	{"escaped first slash", "%2f{path:/}", badRequest},
	{"slashes escaped twice", "/{path:%252f}", scope},
	{"authority in the path", "//other.example{target}", scope},
	{"authority with a user", "//a:b@other.example{target}", scope},
	{"first dot segment", "/.{target}", scope},
	{"first parent segment", "/..{target}", scope},
	{"dot segments", "/./{path:/./}", scope},
	{"parameters everywhere", "/{path:;a=b/}", scope},

	{"up", "{base}{up:/..}{target}", scope},
	{"up too far", "{base}/../../../../../../../../../../..{target}", scope},
	{"up, then capitals", "{base}{up:/..}{TARGET}", scope},
	{"up, doubled slashes", "{base}{up://..}/{target}", scope},
	{"up, escaped dots", "{base}{up:/%2e%2e}{target}", scope},
	{"up, escaped capitals", "{base}{up:/%2E%2E}{target}", scope},
	{"up, one dot escaped", "{base}{up:/.%2e}{target}", scope},
	{"up, escaped slashes", "{base}{up:%2f..}%2f{path:%2f}", scope},
	{"up, all escaped", "{base}{up:%2f%2e%2e}%2f{path:%2f}", scope},
	{"up, dots escaped twice", "{base}{up:/%252e%252e}{target}", scope},
	{"up, slashes escaped twice", "{base}{up:%252f..}%252f{path:%252f}", scope},
	{"up, all escaped twice", "{base}{up:%252f%252e%252e}%252f{path:%252f}", scope},
	{"up, nested escapes", "{base}{up:/%25%32%65%25%32%65}{target}", scope},
	{"up, escaped thrice", "{base}{up:/%25252e%25252e}{target}", home},
	{"up, backslashes", `{base}{up:\..}\{path:\}`, scope},
	{"up, backslashes and slashes", `{base}{up:/..\.}{target}`, home},
	{"up, escaped backslashes", "{base}{up:%5c..}%5c{path:%5c}", scope},
	{"up, backslashes escaped twice", "{base}{up:%255c..}%255c{path:%255c}", scope},
	{"up, parameters", "{base}{up:/..;a}{target}", scope},
	{"up, empty parameters", "{base}{up:/..;}{target}", scope},
	{"up, escaped parameters", "{base}{up:/..%3b}{target}", scope},
	{"up, parameters and escapes", "{base}{up:/%2e%2e;a=%2f}{target}", home},
	{"up, parameters before dots", "{base};x{up:/..}{target}", scope},
	{"up, spaces", "{base}{up:/..%20}{target}", scope},
	{"up from a file", "{base}/x.csv/..{up:/..}{target}", scope},
	{"up to a neighbour and down", "{base}{up:/..}/oidc/..{target}", scope},
	{"up to a public place", "{base}{up:/..}/oidc/v1/token", home},
	{"up to the root", "{base}{up:/..}/", scope},
	{"up, three dots", "{base}{up:/...}{target}", home},
	{"fullwidth slash", "{base}{up:..%ef%bc%8f}{target}", home},
	{"fullwidth dots", "{base}{up:/%ef%bc%8e%ef%bc%8e}{target}", home},

	{"public way", "/oidc/..{target}", scope},
	{"public way, escaped", "/oidc/%2e%2e{target}", scope},
	{"public way, escaped twice", "/oidc/%252e%252e{target}", scope},
	{"public way, escaped slashes", "/oidc%2f..%2f{path:%2f}", scope},
	{"public way, backslashes", `/oidc/..\{path:\}`, scope},
	{"public way, parameter", "/oidc/..;/{path:/}", scope},
	{"public file", "/.well-known/databricks-config/../..{target}", scope},
	{"public file, escaped", "/.well-known/databricks-config%2f%2e%2e%2f%2e%2e{target}", scope},
	{"public file, parameter", "/.well-known;{target}", scope},
	{"public way in the query", "{target}?/oidc/", scope},
	{"public way as a fragment", "{target}#/oidc/", scope},
	{"public way as a parameter", "{target};/oidc/v1/token", scope},
	{"public way after home", "/oidc/..{base}", home},

	{"NUL", "{target}%00", malformed},
	{"NUL after home", "{base}%00{up:/..}{target}", malformed},
	{"NUL escaped twice", "{target}%2500", malformed},
	{"raw NUL", "{target}\x00", badRequest},
	{"raw NUL after home", "{base}\x00{up:/..}{target}", badRequest},
	{"raw tab", "{target}\t", badRequest},
	{"raw delete", "{target}\x7f", badRequest},
	{"raw escape", "{base}\x1b[2J{up:/..}{target}", badRequest},
	{"line feed", "{target}%0a", malformed},
	{"carriage return", "{base}%0d{up:/..}{target}", malformed},
	{"header injection", "{base}%0d%0aX-Original-URL:%20{target}", malformed},
	{"header injection escaped twice", "{base}%250d%250aX-Original-URL:%2520{target}", malformed},
	{"request injection", "{base}%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20{target}", malformed},
	{"next line", "{target}%c2%85", malformed},
	{"line separator", "{target}%e2%80%a8", scope},
	{"overlong slash", "{base}{up:%c0%af..}%c0%af{path:%c0%af}", malformed},
	{"overlong slash in three", "{base}{up:%e0%80%af..}{target}", malformed},
	{"overlong slash in four", "{base}{up:%f0%80%80%af..}{target}", malformed},
	{"overlong dots", "{base}{up:/%c0%ae%c0%ae}{target}", malformed},
	{"overlong backslash", "{base}{up:%c1%9c..}{target}", malformed},
	{"overlong dots escaped twice", "{base}{up:/%25c0%25ae%25c0%25ae}{target}", malformed},
	{"overlong dots, raw", "{base}{up:/\xc0\xae\xc0\xae}{target}", malformed},
	{"no UTF-8", "{base}/%ff{up:/..}{target}", malformed},
	{"no UTF-8, raw", "{base}/\xff{up:/..}{target}", malformed},
	{"surrogates", "{base}{up:/%ed%a0%80..}{target}", malformed},
	{"raw letters outside ASCII", "{base}/\u00e9{up:/..}/..{target}", scope},
	{"raw letters and escaped slashes", "{base}/\u00e9{up:%2f..}%2f..%2f{path:%2f}", scope},
	{"quotes and escaped slashes", `{base}/"{up:%2f..}%2f..%2f{path:%2f}`, scope},
	{"bar and escaped dots", "{base}/|{up:/%2e%2e}/..{target}", scope},
	{"Kelvin sign", "/api/2.0/to%e2%84%aaen/create", scope},
	{"long s", "/api/2.0/%c5%bfecrets/list", scope},

	{"lone percent", "{target}%", badRequest},
	{"short escape", "{target}%2", badRequest},
	{"no escape", "{base}{up:/..%zz}{target}", badRequest},
	{"IIS escape", "{base}{up:%u002f..}{target}", badRequest},
	{"escaped percent only", "{target}%25", scope},
	{"escape after an escape", "{base}{up:/%%32%65}{target}", badRequest},
	{"raw space", "{target} x", badRequest},
	{"second version", "{target} HTTP/1.1", badRequest},
	{"no slash", "{path:/}", badRequest},
	{"dots without a slash", "..{target}", badRequest},
	{"empty", "", badRequest},
	{"only a query", "?x={target}", badRequest},
}

// TestPaths tries every trick with every disguise.
func TestPaths(t *testing.T) {
	r := startRig(t, "")
	for _, d := range pathDisguises {
		t.Run(d.token+" "+d.base+" to "+d.target, func(t *testing.T) {
			for _, trick := range pathTricks {
				target := disguise(trick.form, d.base, d.target)
				t.Run(trick.name, func(t *testing.T) {
					text := request(d.method, target, d.token)
					if trick.want == home || d.token == "all" && trick.want == scope {
						r.tryEither(t, text)
					} else {
						r.try(t, text, trick.want)
					}
				})
			}
		})
	}
}

// tryEither is for requests that may well pass, as long as they are harmless.
func (r *rig) tryEither(t *testing.T, text string) {
	t.Helper()
	c := r.Dial(t)
	c.WriteText(t, r.fill.Replace(text))
	a := c.Answer(t, "GET")
	arrived := r.arrivals(t)
	if got := outcomeOf(a.Response); got != scope && got != malformed && (got != passes || len(arrived) != 1) || got != passes && len(arrived) > 0 {
		t.Errorf("came to %q, and %d arrived", got, len(arrived))
	}
}

// disguise fills in the form of a trick.
func disguise(form, base, target string) string {
	var b strings.Builder
	for form != "" {
		before, rest, found := strings.Cut(form, "{")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		name, with, _ := strings.Cut(name, ":")
		switch form = after; name {
		case "base":
			b.WriteString(base)
		case "target":
			b.WriteString(target)
		case "TARGET":
			b.WriteString(strings.ToUpper(target))
		case "path":
			b.WriteString(strings.ReplaceAll(target[1:], "/", with))
		case "up":
			b.WriteString(strings.Repeat(with, strings.Count(base, "/")))
		default:
			panic("no such placeholder: " + name)
		}
	}
	return b.String()
}
