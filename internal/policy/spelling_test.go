package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// transformations write a path in another way, which some server could take for the same.
// One that does not apply returns the path unchanged.
var transformations = []struct {
	name string
	do   func(string) string
}{
	{"another version", version("2.0")},
	{"a later version", version("2.9")},
	{"a major version", version("3")},
	{"a version with a letter", version("v2")},
	{"no version", func(path string) string { return edit(path, func(string) []string { return nil }) }},
	{"a second version", func(path string) string { return edit(path, func(v string) []string { return []string{v, v} }) }},
	{"preview", func(path string) string { return edit(path, func(v string) []string { return []string{v, "preview"} }) }},
	{"no preview", func(path string) string { return strings.Replace(path, "/preview/", "/", 1) }},
	{"no SCIM version", func(path string) string { return strings.Replace(path, "/scim/v2/", "/scim/", 1) }},
	{"SCIM 1", func(path string) string { return strings.Replace(path, "/scim/v2/", "/scim/v1/", 1) }},
	{"the web application's API", func(path string) string { return replacePrefix(path, "/api/", "/ajax-api/") }},
	{"below the organization", func(path string) string { return replacePrefix(path, "/api/", "/o/123/api/") }},
	{"without api", func(path string) string { return replacePrefix(path, "/api/", "/") }},
	{"warehouses are endpoints", func(path string) string { return strings.Replace(path, "/sql/warehouses", "/sql/endpoints", 1) }},
	{"endpoints are warehouses", func(path string) string { return strings.Replace(path, "/sql/endpoints", "/sql/warehouses", 1) }},
	{"permissions of SQL objects", func(path string) string {
		return strings.Replace(path, "/permissions/warehouses/", "/permissions/sql/endpoints/", 1)
	}},
	{"the browser's driver proxy", func(path string) string { return replacePrefix(path, "/driver-proxy-api/", "/driver-proxy/") }},
	{"the driver proxy's API", func(path string) string { return replacePrefix(path, "/driver-proxy/", "/driver-proxy-api/") }},
	{"serving by the API", func(path string) string {
		return replacePrefix(path, "/serving-endpoints/", "/api/2.0/serving-endpoints/")
	}},
	{"serving at the root", func(path string) string {
		return replacePrefix(path, "/api/2.0/serving-endpoints/", "/serving-endpoints/")
	}},
	{"capitals", strings.ToUpper},
	{"a capital", func(path string) string { return path[:1] + strings.ToUpper(path[1:2]) + path[2:] }},
	{"slash at the end", func(path string) string { return path + "/" }},
	{"slashes at the end", func(path string) string { return path + "//" }},
	{"dot at the end", func(path string) string { return path + "." }},
	{"space at the end", func(path string) string { return path + "%20" }},
	{"dot segment at the end", func(path string) string { return path + "/." }},
	{"parameters", func(path string) string { return path + ";a=b" }},
	{"encoded question mark", func(path string) string { return path + "%3Fa" }},
	{"two slashes", func(path string) string { return "/" + path }},
	{"doubled slashes", func(path string) string { return strings.ReplaceAll(path, "/", "//") }},
	{"dot segments", func(path string) string { return strings.ReplaceAll(path, "/", "/./") }},
	{"there and back", func(path string) string { return "/x/.." + path }},
	{"encoded there and back", func(path string) string { return "/api/2.0/fs/files/..%2f..%2f..%2f.." + path }},
	{"backslashes", func(path string) string { return "/" + strings.ReplaceAll(path[1:], "/", `\`) }},
	{"encoded slashes", func(path string) string { return "/" + strings.ReplaceAll(path[1:], "/", "%2F") }},
	{"encoded letter", func(path string) string { return escapeLast(path, "%") }},
	{"letter encoded twice", func(path string) string { return escapeLast(path, "%25") }},
}

// edit replaces the version of an API path, by a version and preview/ for example.
func edit(path string, by func(version string) []string) string {
	parts := strings.Split(path[1:], "/")
	if parts[0] != "api" && parts[0] != "ajax-api" {
		return path
	}
	for at := 1; at < min(3, len(parts)-1); at++ {
		if written.MatchString(parts[at]) {
			edited := append(append([]string{}, parts[:at]...), by(parts[at])...)
			return "/" + strings.Join(append(edited, parts[at+1:]...), "/")
		}
	}
	return path
}

var written = regexp.MustCompile(`^v?[0-9]+(\.[0-9]+)?$`)

func version(v string) func(string) string {
	return func(path string) string { return edit(path, func(string) []string { return []string{v} }) }
}

func replacePrefix(path, from, to string) string {
	if rest, ok := strings.CutPrefix(path, from); ok {
		return to + rest
	}
	return path
}

func escapeLast(path, by string) string {
	return fmt.Sprintf("%s%s%02x", path[:len(path)-1], by, path[len(path)-1])
}

// TestDenyHoldsForEverySpelling: no row that a policy denies can be reached by a token that
// no scope restricts, however its path is written. Every transformation is tried on every
// row, alone and with every other.
func TestDenyHoldsForEverySpelling(t *testing.T) {
	t.Parallel()
	catalog := scopes.Default()
	rows := catalog.Operations()
	every := 1
	if race.Enabled {
		every = 16
	}
	var tried atomic.Int64
	t.Run("rows", func(t *testing.T) {
		const parts = 8
		for part := range parts {
			t.Run(strconv.Itoa(part), func(t *testing.T) {
				t.Parallel()
				for i := part; i < len(rows); i += parts {
					s := speller{t: t, catalog: catalog, row: &rows[i], tried: &tried}
					s.policy = Policy{Name: "p", Deny: []Route{route(t, s.row.Method+" "+s.row.Template)}}
					s.tryAll(func(a, b int) bool { return (i+3*a+5*b)%every == 0 })
				}
			})
		}
	})
	t.Logf("%d paths", tried.Load())
	if tried.Load() < 20_000 {
		t.Errorf("only %d paths tried", tried.Load())
	}
}

// TestDoubtHoldsForEverySpelling: where it is not known which of several scopes an operation
// needs, a policy that lists one of them permits no spelling of it.
func TestDoubtHoldsForEverySpelling(t *testing.T) {
	t.Parallel()
	catalog := scopes.Default()
	rows := catalog.Operations()
	var tried atomic.Int64
	for i := range rows {
		row := &rows[i]
		if !row.Doubtful() {
			continue
		}
		for k, scope := range row.AnyOf {
			s := speller{t: t, catalog: catalog, row: row, tried: &tried, sameName: true, policy: Policy{Name: "p", Ceiling: []string{scope}}}
			s.tryAll(func(a, b int) bool { return !race.Enabled || (i+k+3*a+5*b)%16 == 0 })
		}
	}
	if tried.Load() < 5000 {
		t.Errorf("only %d paths tried", tried.Load())
	}
}

// speller writes the path of a row in every way, under a policy that does not permit the row.
type speller struct {
	t       *testing.T
	catalog *scopes.Catalog
	row     *scopes.Operation
	tried   *atomic.Int64
	policy  Policy
	// sameName is for policies that may permit other operations, which a spelling may name.
	sameName bool

	method string
	rules  Rules
}

func (s *speller) tryAll(pair func(first, second int) bool) {
	if s.row.Access == scopes.Public {
		return // policies are for tokens
	}
	s.policy.Bind(s.catalog)
	s.rules = Rules{AllowUnscoped: true, Policies: []Policy{s.policy}}
	s.method = s.row.Method
	if s.method == "*" {
		s.method = "POST"
	}
	plain := fill(s.row.Template)
	for a, first := range transformations {
		once := first.do(plain)
		if s.passes(once) {
			s.t.Errorf("%s %s, %s: %s passes", s.method, s.row.Template, first.name, once)
		}
		if once == plain {
			continue
		}
		for b, second := range transformations {
			twice := second.do(once)
			if twice == once || strings.HasSuffix(twice, "/..") { // another path
				continue
			}
			if pair(a, b) && s.passes(twice) {
				s.t.Errorf("%s %s, %s, %s: %s passes", s.method, s.row.Template, first.name, second.name, twice)
			}
		}
	}
}

func (s *speller) passes(path string) bool {
	readings, err := s.catalog.Read(s.method, path, nil)
	if err != nil {
		return false
	}
	s.tried.Add(1)
	named := func(r scopes.Reading) bool { return r.Row().Name == s.row.Name }
	if s.sameName && !slices.ContainsFunc(readings, named) {
		return false
	}
	unscoped := Subject{Info: &tokens.Info{}}
	return Decide(unscoped, Request{Method: s.method, Readings: readings}, s.rules, noon).Allowed
}

// fill writes a path of a template.
func fill(template string) string {
	return strings.NewReplacer("{", "x", "}", "y", "...", "/z", "*", "z").Replace(template)
}

// TestDenyInAnySpelling: a route that denies an operation may itself spell the path in any
// way.
func TestDenyInAnySpelling(t *testing.T) {
	t.Parallel()
	catalog := scopes.Default()
	rows := catalog.Operations()
	tried := 0
	for i := range rows {
		row := &rows[i]
		if row.Access == scopes.Public {
			continue
		}
		for _, how := range transformations {
			written := how.do(row.Template)
			template, err := scopes.ParseTemplate(written)
			if err != nil || written == row.Template || strings.Contains(written, "%") || strings.HasSuffix(written, ".") {
				continue // a name that ends with a dot is another
			}
			s := speller{t: t, catalog: catalog, row: row, tried: new(atomic.Int64), method: row.Method}
			if s.method == "*" {
				s.method = "POST"
			}
			// It may be a path of another operation.
			readings, err := catalog.Read(s.method, fill(written), nil)
			if err != nil || readings[0].Row().Name != row.Name {
				continue
			}
			tried++
			p := Policy{Name: "p", Deny: []Route{route(t, s.method+" "+template.String())}}
			p.Bind(catalog)
			s.rules = Rules{AllowUnscoped: true, Policies: []Policy{p}}
			if path := fill(row.Template); s.passes(path) {
				t.Errorf("%s, %s: deny %s %s lets %s pass", row.Name, how.name, s.method, written, path)
			}
		}
	}
	if tried < 5000 {
		t.Errorf("only %d routes tried", tried)
	}
}
