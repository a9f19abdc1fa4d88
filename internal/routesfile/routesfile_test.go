package routesfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/scopes"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	many := func(n int, row string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, row+"\n", i)
		}
		return b.String()
	}
	for _, test := range []struct {
		name, content string
		want          string // part of the error
		opened        int
	}{
		{"empty", "", "", 0},
		{"a row", "GET\t/api/2.0/x\tsql\n", "", 0},
		{"without a line break", "GET\t/api/2.0/x\tsql", "", 0},
		{"with a byte order mark, and lines of Windows", "\ufeffGET\t/api/2.0/x\tsql\r\n", "", 0},
		{"many rows", many(20_000, "GET\t/api/2.0/x/%d\tsql"), "", 0},
		{"rows that shadow all paths", "*\t/{path...}\tsql\nGET\t/api/2.1/{path...}\tsql\n", "", 0},

		{"UTF-16", "\xff\xfeG\x00E\x00T\x00", "it is UTF-16: save it as UTF-8", 0},
		{"UTF-16, big-endian", "\xfe\xff\x00G\x00E\x00T", "it is UTF-16", 0},
		{"UTF-16 without a mark", "G\x00E\x00T\x00\t\x00", ":1: it has a NUL byte", 0},
		{"binary", "\x7fELF\x02\x01\x01\x00", ":1: it has a NUL byte", 0},
		{"Latin-1", "# f\xfcr\n", ":1: it is not valid UTF-8", 0},
		{"an endless line", "# ok\nGET\t/api/2.0/x\t" + strings.Repeat("a", 2<<20), ":2: the line has 2097167 bytes", 0},
		{"an endless comment", "#" + strings.Repeat("a", 2<<20), ":1: the line has", 0},
		{"lines of old Macs", strings.Repeat("GET\t/api/2.0/x\tsql\r", 1000), "is a line break missing?", 0},
		{"a million rows", many(500_000, "GET\t/api/2.0/%d\tsql"), ":50001: the file has more than 50000 lines", 0},
		{"a million empty lines", strings.Repeat("\n", 1_000_000), "more than 50000 lines", 0},
		{"mistakes that quote a lot", many(30, "GET\t/"+strings.Repeat("a{", 3000)+"%d\tsql"), ":1: ", 0},
		{"JSON", `{"a":1}`, ":1: no tab found", 0},
		{"terminal escapes", "GET\x1b[31m\t/api/2.0/x\tsql", ":1: the method is none", 0},

		{"an escape in a template", "GET\t/api/{\x1b[31m}\tsql", `the parameter name "\x1b[31m"`, 0},

		{"public", "GET\t/api/2.0/x\tpublic\n", "", 1},
		{"any scope", "GET\t/api/2.2/jobs/list\t*\n", "", 1},
		{"public as it is", "*\t/oidc/{path...}\tpublic\n", "", 0},
		{"any scope for all", "*\t/{path...}\t*\n", "", 1},
		{"public for all", "*\t/{path...}\tpublic\n", "* /{path...} is public: it would let everything pass", 0},
		{"public for all of the API", "GET\t/api/2.0/{path...}\tpublic\n", "is public", 0},
		{"public for all of the other API", "POST\t/ajax-api/{path...}\tpublic\n", "is public", 0},
		{"public without a name", "GET\t/api/{version}/{a}/{b}\tpublic\n", "is public", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "routes.tsv")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			routes, err := Load(path, scopes.Default())
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if (err == nil) != (test.want == "") {
				t.Fatalf("%v, want %q", err, test.want)
			}
			if err == nil {
				if len(routes.Opened) != test.opened || routes.Catalog == nil {
					t.Errorf("opened %+v", routes.Opened)
				}
				return
			}
			if text := err.Error(); !strings.Contains(text, test.want) || !strings.Contains(text, path) || len(text) > maxError+100 || strings.ContainsRune(text, '\x1b') {
				t.Errorf("%.400q, want %q", text, test.want)
			}
		})
	}
}

// TestSecretsStayOut: a file of secrets in place of routes is in no error and no warning,
// whichever column they are in.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	token := "dapi" + strings.Repeat("0123456789abcdef", 2)
	for _, secret := range []string{token, "hunter2-Geheim!"} {
		for _, line := range []string{"%s\tprod\tx", "%s\t/prod\tx", "PROD\t%s\tx", "*\t%s\tx\ty\tz\tw", "%s\tx", "%s", "%s\t%[1]s\t%[1]s", "%s\t1\t2\t3\t4\t5\t6"} {
			content := strings.Repeat(fmt.Sprintf(line, secret)+"\n", 2)
			if _, err := Parse([]byte(content), "routes", scopes.Default()); err == nil || strings.Contains(err.Error(), secret[4:]) || !strings.HasPrefix(err.Error(), "routes:1: ") {
				t.Errorf("%q: %v", content, err)
			}
		}
	}
	// What can only be told by its look, where a row may have it.
	for _, line := range []string{"GET\t/%s\tx", "GET\t/{%s\tx", "GET\t/x\t%s", "GET\t/x\t%s!", "GET\t/x\tsql\t%s", "GET\t/x\tsql\t\t %s", "*\t/{x...}\tpublic\t\t%s", "CONNECT\t/%s\tpublic",
		"GET\t/x\tsql\t\t%[1]s\nGET\t/y\tjobs\t\t%[1]s"} {
		routes, err := Parse(fmt.Appendf(nil, line, token), "routes", scopes.Default())
		if err == nil {
			err = fmt.Errorf("%v", routes.Warnings)
		}
		if strings.Contains(err.Error(), token[4:]) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestLinear: a file of many rows is read in about the time of its lines, whatever they need.
func TestLinear(t *testing.T) {
	if race.Enabled {
		t.Skip("times are of the race detector")
	}
	for name, row := range map[string]string{
		"any scope":          "GET\t/api/2.0/zz%d\t*\n",
		"a name that exists": "GET\t/api/2.0/zz%d\tsql\toperator\tjobs.List\n",
	} {
		var content strings.Builder
		for i := range maxRows {
			fmt.Fprintf(&content, row, i)
		}
		began := time.Now()
		if _, err := Parse([]byte(content.String()), "routes", scopes.Default()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 30*time.Second { // squared, it would be minutes
			t.Errorf("%s: it took %s", name, took)
		}
	}
}

// TestShadowing: rows of the file win over built-in ones of the same path only, so that a
// row for everything cannot loosen what the built-in catalog knows.
func TestShadowing(t *testing.T) {
	t.Parallel()
	routes, err := Parse([]byte("*\t/{path...}\t*\nGET\t/api/2.2/jobs/list\tsql\n"), "routes", scopes.Default())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/api/2.2/jobs/list": "sql", "/api/2.1/clusters/list": "clusters", "/not/there": ""} {
		readings, err := routes.Catalog.Read("GET", path, nil)
		if err != nil || len(readings) == 0 || strings.Join(readings[0].Operation.AnyOf, " ") != want {
			t.Errorf("%s: %+v, %v", path, readings, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	const (
		unknown   = "rows name unknown scopes; they may be misspelled"
		unmatched = "rows can never match a request; remove them, or correct their paths"
		taken     = "rows have the name of an operation that needs other scopes, and go by their path instead; give them names of their own, or the scopes of that operation"
		opened    = "rows need no scope, or no token at all"
	)
	for _, test := range []struct {
		name, content string
		want          map[string][]string
	}{
		{"nothing", "# c\n\nGET\t/api/2.0/a\tsql\nGET\t/api/2.0/b\tall-apis\nPOST\t/api/2.0/c\tjobs+sql\n", nil},
		{"unknown scopes, each once", "# c\r\n\r\nGET\t/api/2.0/a\tjobz,sql\nGET\t/api/2.0/b\tjobz\nGET\t/api/2.0/c\tsql+things\n",
			map[string][]string{unknown: {`line 3: GET /api/2.0/a: unknown scope "jobz"; did you mean jobs?`, `line 5: GET /api/2.0/c: unknown scope "things"`}}},
		{"scopes in another case are no scopes of tokens", "GET\t/api/2.0/a\tunity_catalog\n",
			map[string][]string{unknown: {`line 1: GET /api/2.0/a: unknown scope "unity_catalog"; did you mean unity-catalog?`}}},
		{"a method that is refused", "CONNECT\t/api/2.0/a\tsql\n", map[string][]string{unmatched: {"line 1: CONNECT /api/2.0/a: requests with this method are refused"}}},
		{"all methods have rows of their own", "GET\t/a/b\tsql\nPOST\t/a/b\tsql\n*\t/a/b\tjobs\n", nil},
		{"a path of a row beside it", "GET\t/a/{x}\tsql\nGET\t/a/{y...}\tjobs\n", nil},
		{"a pattern behind a literal", "GET\t/a/x\tsql\nGET\t/a/{y}\tjobs\n", nil},
		{"odd characters", "GET\t/\tsql\nGET\t/a/~user+x@y:z!$&'(),=\tsql\n", nil},
		{"characters that clients encode", "GET\t/a/b c\tsql\nGET\t/a/ü\tsql\n", map[string][]string{unmatched: {
			"line 1: GET /a/b c: the path percent-encodes characters that need no encoding: send them as they are, so requests with it are refused",
			"line 2: GET /a/ü: the path percent-encodes characters that need no encoding: send them as they are, so requests with it are refused"}}},
		{"a name of the catalog", "GET\t/api/2.0/a\tsql\toperator\tjobs.List\tx\n# c\n*\t/api/{path...}\tall-apis\toperator\tjobs.RunNow\n", map[string][]string{taken: {
			"line 1: GET /api/2.0/a: jobs.List is the name of GET /api/2.2/jobs/list, which needs jobs",
			"line 3: * /api/{path...}: jobs.RunNow is the name of POST /api/2.2/jobs/run-now, which needs jobs"}}},
		{"opened", "GET\t/api/2.0/x\tpublic\n", map[string][]string{opened: {"line 1: GET /api/2.0/x"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			routes, err := Parse([]byte(test.content), "routes", scopes.Default())
			if err != nil {
				t.Fatal(err)
			}
			readings, err := routes.Catalog.Read("GET", "/api/2.0/a", nil)
			if err != nil || strings.HasPrefix(readings[0].Operation.Name, "jobs.") {
				t.Errorf("a row takes the name of an operation that needs other scopes: %+v, %v", readings, err)
			}
			got := make(map[string][]string)
			for _, w := range routes.Warnings {
				got[w.Text] = w.Details
			}
			if len(got) != len(test.want) {
				t.Errorf("%q", got)
			}
			for text, details := range test.want {
				if !slices.Equal(got[text], details) {
					t.Errorf("%s:\n%q, want\n%q", text, got[text], details)
				}
			}
		})
	}
}

// TestNames: a name is one operation, for policies too.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, content, want string }{
		{"two rows of the file", "GET\t/api/2.0/a\tsql\toperator\tours.Get\tx\n\nGET\t/api/2.0/b\tjobs\toperator\tours.Get\tx\n", "line 3: GET /api/2.0/b needs jobs, but line 1: GET /api/2.0/a, which has the operation name ours.Get too, needs sql"},
		{"account and not", "GET\t/api/2.0/a\taccount\toperator\tours.Get\tx\nGET\t/api/2.0/b\tjobs\toperator\tours.Get\tx\n", "needs account"},
		{"paths of one operation", "GET\t/api/2.1/jobs/list\tsql\nGET\t/api/2.2/jobs/list\tjobs\n", "which has the operation name jobs.List too"},
		{"another path of an operation", "GET\t/api/2.0/a\tjobs\toperator\tjobs.List\tx\n", ""},
		{"other scopes for an operation", "GET\t/api/2.1/jobs/list\tsql\n", ""},
		{"one path needs no scope", "GET\t/api/2.1/jobs/list\t*\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(test.content), "routes", scopes.Default())
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "routes: ")):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestShippedRows: the checks hold for the catalog that ships.
func TestShippedRows(t *testing.T) {
	t.Parallel()
	rows := scopes.Default().Operations()
	routes, err := Over(scopes.Default(), rows, nil, "catalog")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range routes.Warnings {
		t.Errorf("%s: %q", w.Text, w.Details)
	}
}

func TestLoadMistakes(t *testing.T) {
	t.Parallel()
	if routes, err := Load("", scopes.Default()); err != nil || routes.Catalog != scopes.Default() {
		t.Errorf("without a file: %+v, %v", routes, err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "nowhere"), scopes.Default()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Load(t.TempDir(), scopes.Default()); !errors.Is(err, regularfile.ErrNotRegular) {
		t.Error(err)
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, 400<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(large, scopes.Default()); !errors.Is(err, regularfile.ErrTooLarge) {
		t.Error(err)
	}
}

// FuzzParse: whatever a file has, it is an error of bounded size or a catalog that answers.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"GET\t/api/2.0/x\tsql\n", "# c\n\n*\t/{path...}\t*\t\tx\ty\n", "\xff\xfe", "POST\t/api/{v}/{a}\tpublic", "GET\t/a/{b}-{c}\tpublic",
		"GET\t/api/2.1/jobs/list\tsql\n", "*\t/api/2.0/jobs/list\tsql\toperator\tjobs.RunNow\nGET\t/api/2.0/preview/jobs/list\tfiles\n", "GET\t/api/2.2/jobs/list\tsql,files\nGET\t/api/2.1/jobs/list\tsql,files\toperator\tjobs.RunNow\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		routes, err := Parse(content, "routes", scopes.Default())
		if err != nil {
			if len(err.Error()) > 2*maxError {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if readings, err := routes.Catalog.Read("GET", "/api/2.2/jobs/list", nil); err != nil || len(readings) == 0 {
			t.Errorf("%+v, %v", readings, err)
		}
		if readings, err := routes.Catalog.Read("GET", "/no/such/path/anywhere", nil); err != nil || readings[0].Operation.Access == scopes.Public {
			t.Errorf("an unmapped path is public: %+v, %v", readings, err)
		}
		var whole bytes.Buffer
		if err := scopes.Format(&whole, routes.Catalog.Operations()); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseMap(whole.Bytes(), "map"); err != nil {
			t.Errorf("what is in force cannot be exported: %v", err)
		}
	})
}
