package scopes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// smallCatalog has every kind of row in a small number, for the slow reference.
var smallCatalog = []string{
	"GET /api/2.0/list a",
	"POST /api/2.0/list b",
	"GET /api/2.0/things/{id} a",
	"GET /api/2.0/things/special b",
	"GET /api/2.0/things/{id}/parts c",
	"GET /api/2.0/things/special/parts p",
	"GET /api/2.0/things/{id}:run d",
	"GET /api/2.0/things/{a}.{b} e",
	"* /api/2.0/files/{path...} f",
	"HEAD /api/2.0/files/{path...} f",
	"POST /api/2.0/token/create t",
	"GET /api/2.1/list g",
	"GET /api/2.1/tables/{name} h",
	"GET /api/2.0/tables/{name} h",
	"GET /api/2.0/tables/{name}/rows h",
	"GET /api/2.1/tables/{name}/rows i",
	"GET /api/3/tables/{name}/rows h,i",
	"GET /api/2.0/Users u",
	"GET /api/2.0/Users/{id}/Keys u",
	"GET /api/2.0/me *",
	"* /public/{path...} public",
	"* /api/2.0/accounts/{id}/{path...} account",
	"GET /{one} z",
	"GET /{one}/{two} y",
	"GET /api/{version}/odd o",
	"GET / r",
}

func rowsFrom(t testing.TB, lines []string) []Operation {
	t.Helper()
	var b strings.Builder
	for i, line := range lines {
		f := strings.Fields(line)
		fmt.Fprintf(&b, "%s\t%s\t%s\tinferred\top%d\ttest\n", f[0], f[1], f[2], i)
	}
	rows, err := Parse(strings.NewReader(b.String()), "test.tsv")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func newCatalog(t testing.TB, lines []string) *Catalog {
	t.Helper()
	c, err := New(rowsFrom(t, lines))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// toTheEnd stops at no reading.
func toTheEnd(*Reading, *Reading) bool { return false }

// rowsOnly makes c know no spellings, as the slow reference does not.
func rowsOnly(c *Catalog) *Catalog {
	c.normal = node{}
	return c
}

// allowed reports whether a gateway forwards the request.
func allowed(c *Catalog, held []string, method, path string) bool {
	ok, err := c.Permits(method, path, held)
	return ok && err == nil
}

func TestReadOrdinaryPathHasOneReading(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, bench := range benchmarkPaths {
		readings, err := c.Read(bench.method, bench.path, nil)
		if err != nil || len(readings) != 1 || readings[0].Path != bench.path {
			t.Errorf("%s: %v, %v", bench.path, readings, err)
		}
	}
	for _, path := range []string{
		"/api/2.1/unity-catalog/tables/Main.Sales.Orders_2026-01",
		"/api/2.0/fs/files/Volumes/a/b/c/.hidden",
		"/api/2.0/fs/files/Volumes/a/b/c/a..b",
		"/api/2.0/fs/files/Volumes/a/b/c/..a",
		"/api/2.0/fs/files/Volumes/a/b/c/a~b!c$d&e'f(g)h*i+j,k=l:m@n",
		"/api/2.0/fs/files/" + strings.Repeat("deep/", 60) + "file",
	} {
		readings, err := c.Read("GET", path, nil)
		if err != nil || len(readings) != 1 || readings[0].Operation.Unmapped() {
			t.Errorf("%s: %v, %v", path, readings, err)
		}
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	c := Default()
	buf := make([]Reading, 0, 4)
	for _, bench := range benchmarkPaths {
		if n := testing.AllocsPerRun(100, func() { buf, _ = c.Read(bench.method, bench.path, buf) }); n != 0 {
			t.Errorf("%s: %v allocations", bench.name, n)
		}
	}
	op := buf[0].Operation
	held := []string{"jobs", "sql"}
	if n := testing.AllocsPerRun(100, func() { op.Permits(held) }); n != 0 {
		t.Errorf("Operation.Permits: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Permits("GET", "/api/2.1/jobs/list", held) }); n != 0 {
		t.Errorf("Catalog.Permits: %v allocations", n)
	}
}

// TestReadLegalNames checks that the unusual names people give to files and tables
// work with the one scope that the operation needs.
func TestReadLegalNames(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, name := range []string{
		"report.csv", "100%25.csv", "100%25%25", "50%25off", "50%25ff.csv", "%25", "%2541", "%252F", "a%252fb", "a%252e%252e", "%25c3%25a9",
		"a;b.txt", "a;b;c", ";", "a%3Bb", "a;v=1", "a..b", "..a", "a..", "...", ".hidden", "..hidden", "a.", "a...", ".%20a", "%20a", "a%20", "a%20b%20c", "a.%20",
		"Gr%C3%BC%C3%9Fe.txt", "%E6%97%A5%E6%9C%AC%E8%AA%9E.csv", "%F0%9F%98%80.png", "dosyas%C4%B1.csv", "%C4%B0stanbul", "%E2%84%AAelvin",
		"UPPER.CSV", "CamelCase", "a+b", "a%2Bb", "a=b", "a&b", "a@b", "a:b", "a%3Ab", "a,b", "a!b", "a'b", "a(b)", "a*b", "a$b", "a~b", "a_b", "a-b", "a^b", "a%5Eb", "a|b", "a%7Cb",
		"a%3Fb", "a%23b", "%3F", "%23", "a%5Cb", "a%5C", "%5C%5Chost%5Cshare", "a%22b", "a%3Cb%3E", "a%60b", "a%7Bb%7D", "a%5Bb%5D", "a%2Fb", "%2F", "a%2F%2Fb",
		"%EF%BC%8E%EF%BC%8E%EF%BC%8Ffullwidth", "a%C2%A0b", "e%CC%81", "%E2%80%8F",
		"dt=2026-01-01/part-0.parquet", "a/", "a//b", "/a", "a;b/c;d/e%3Ff%23g%25h.%20/i%5Cj.",
	} {
		path := "/api/2.0/fs/files/Volumes/main/raw/landing/" + name
		for _, method := range []string{"GET", "PUT", "HEAD", "DELETE"} {
			readings, err := c.read(method, path, nil, toTheEnd)
			if err != nil {
				t.Errorf("%s %s: %v", method, name, err)
				continue
			}
			for _, r := range readings {
				if r.Operation != readings[0].Operation || r.Operation.Unmapped() || !r.Operation.Permits([]string{"files"}) {
					t.Errorf("%s %s: the reading %q is %s", method, name, r.Path, key(r.Operation))
				}
			}
		}
	}
	for _, path := range []string{
		"/api/2.1/unity-catalog/tables/main.sales%20eu.orders", "/api/2.1/unity-catalog/tables/main.%60a%3Bb%60.t", "/api/2.1/unity-catalog/tables/main.s.100%25",
		"/api/2.1/unity-catalog/volumes/main.default.Gr%C3%BC%C3%9Fe", "/api/2.1/unity-catalog/schemas/Main.Sales",
	} {
		if !allowed(c, []string{"unity-catalog"}, "GET", path) {
			t.Errorf("%s is refused", path)
		}
	}
}

func TestPermits(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, smallCatalog)
	disagree := &PathError{Reason: causeDots.reason()}
	for _, test := range []struct {
		name, method, path string
		held               []string
		want               bool
		err                error
	}{
		{"the scope", "GET", "/api/2.0/list", []string{"x", "a"}, true, nil},
		{"another scope", "GET", "/api/2.0/list", []string{"b"}, false, nil},
		{"another method", "POST", "/api/2.0/list", []string{"a"}, false, nil},
		{"no scopes", "GET", "/api/2.0/list", nil, false, nil},
		{"all-apis", "GET", "/api/2.0/list", []string{AllAPIs}, true, nil},
		{"public, no scopes", "GET", "/public/x", nil, true, nil},
		{"any scope, one held", "GET", "/api/2.0/me", []string{"x"}, true, nil},
		{"any scope, none held", "GET", "/api/2.0/me", nil, false, nil},
		{"account-level", "GET", "/api/2.0/accounts/1/x", []string{AllAPIs}, false, nil},
		{"unmapped", "GET", "/a/b/c", []string{"a"}, false, nil},
		{"unmapped, all-apis", "GET", "/a/b/c", []string{AllAPIs}, true, nil},
		{"only one of two readings", "GET", "/api/2.0/things/a%2Fparts", []string{"a"}, false, nil},
		{"the other of two readings", "GET", "/api/2.0/things/a%2Fparts", []string{"c"}, false, nil},
		{"both readings", "GET", "/api/2.0/things/a%2Fparts", []string{"a", "c"}, true, nil},
		{"many readings, public first", "POST", "/public/..%2f..;/%2e%2e/api/2.0/token/create", nil, false, disagree},
		{"malformed", "GET", "/public/%zz", []string{AllAPIs}, false, errEscape},
		{"query", "GET", "/public/x?a=b", []string{AllAPIs}, false, errQuery},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := c.Permits(test.method, test.path, test.held)
			if got != test.want || fmt.Sprint(err) != fmt.Sprint(test.err) {
				t.Fatalf("got %v, %v, want %v, %v", got, err, test.want, test.err)
			}
		})
	}
}

// TestPermitsAgreesWithRead checks that Permits takes every reading into account.
func TestPermitsAgreesWithRead(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, smallCatalog)
	for _, path := range seedPaths {
		for _, held := range [][]string{nil, {"a"}, {"f"}, {"a", "b", "f"}, {AllAPIs}} {
			for _, method := range []string{"GET", "POST", "HEAD"} {
				readings, err := c.Read(method, path, nil)
				want := err == nil && !slices.ContainsFunc(readings, func(r Reading) bool { return !r.Operation.Permits(held) })
				if got, gotErr := c.Permits(method, path, held); got != want || (gotErr == nil) != (err == nil) {
					t.Errorf("%s %s with %v: got %v, %v, want %v, %v", method, path, held, got, gotErr, want, err)
				}
			}
		}
	}
}

func TestReadRefusesBrokenPaths(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, test := range []struct {
		name, path string
		want       *PathError
	}{
		{"empty", "", errNoSlash},
		{"asterisk", "*", errNoSlash},
		{"absolute URL", "http://host/api/2.1/jobs/list", errNoSlash},
		{"relative", "api/2.1/jobs/list", errNoSlash},
		{"NUL", "/api/2.1/jobs/list\x00", errControl},
		{"newline", "/api/2.1/jobs\n/list", errControl},
		{"carriage return", "/api/2.1/jobs/list\r", errControl},
		{"delete", "/api/2.1/jobs/\x7flist", errControl},
		{"tab", "/api/2.1/jobs/list\t", errControl},
		{"escaped NUL", "/api/2.1/jobs/list%00", errControl},
		{"escaped newline", "/api/2.1/jobs/list%0A", errControl},
		{"escaped carriage return", "/api/2.1/jobs%0d%0aX-A:b/list", errControl},
		{"escaped unit separator", "/api/2.1/jobs/list%1f", errControl},
		{"escaped delete", "/api/2.1/jobs/list%7f", errControl},
		{"escaped next line", "/api/2.1/jobs/list%C2%85", errControl},
		{"NUL escaped twice", "/api/2.1/jobs/list%2500", errControl},
		{"newline escaped twice", "/api/2.1/jobs/list%250a", errControl},
		{"NUL after partial escape", "/api/2.1/jobs/list%25%30%30", errControl},
		{"space", "/api/2.1/jobs/ list", errSpace},
		{"query", "/api/2.1/jobs/list?a=b", errQuery},
		{"fragment", "/api/2.1/jobs/list#a", errQuery},
		{"lone percent", "/api/2.1/jobs/%", errEscape},
		{"short escape", "/api/2.1/jobs/%2", errEscape},
		{"not hexadecimal", "/api/2.1/jobs/%zz", errEscape},
		{"one hexadecimal digit", "/api/2.1/jobs/%2g", errEscape},
		{"unicode escape", "/api/2.1/jobs/%u002f", errEscape},
		{"overlong slash", "/api/2.1/jobs/..%c0%af", errEncoding},
		{"overlong slash, three bytes", "/api/2.1/jobs/..%e0%80%af", errEncoding},
		{"overlong slash, four bytes", "/api/2.1/jobs/..%f0%80%80%af", errEncoding},
		{"overlong dot", "/api/2.1/jobs/%c0%ae%c0%ae/", errEncoding},
		{"overlong backslash", "/api/2.1/jobs/%c1%9c", errEncoding},
		{"overlong NUL", "/api/2.1/jobs/list%c0%80", errEncoding},
		{"overlong slash escaped twice", "/api/2.1/jobs/..%25c0%25af", errEncoding},
		{"overlong dot escaped twice", "/api/2.1/jobs/%25e0%2580%25ae", errEncoding},
		{"lone continuation byte", "/api/2.1/jobs/%af", errEncoding},
		{"truncated sequence", "/api/2.1/jobs/%e2%82", errEncoding},
		{"Latin-1", "/api/2.1/jobs/%e9", errEncoding},
		{"surrogate", "/api/2.1/jobs/%ed%a0%80", errEncoding},
		{"raw invalid byte", "/api/2.1/jobs/\xff", errEncoding},
		{"raw overlong slash", "/api/2.1/jobs/\xc0\xaf", errEncoding},
		{"too many readings", "/api/2.0/fs/files/" + strings.Repeat("//a;b%252fc%5cd./e%20/./%3f", 3), errAmbiguous},
		{"too much text", "/" + strings.Repeat("a;b%2f./", 1000), errAmbiguous},
		{"too long", "/" + strings.Repeat("%20", 3000), errLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			readings, err := c.Read("GET", test.path, nil)
			var got *PathError
			if !errors.As(err, &got) || got != test.want || readings != nil {
				t.Fatalf("got %v, %v, want %v", readings, err, test.want)
			}
		})
	}
}

func TestReadings(t *testing.T) {
	t.Parallel()
	c := rowsOnly(newCatalog(t, smallCatalog))
	for _, test := range []struct {
		name, path string
		want       []string
	}{
		{"encoded slash is data or not", "/api/2.0/things/a%2Fparts", []string{"/api/2.0/things/a%2Fparts", "/api/2.0/things/a/parts"}},
		{"trailing slash", "/api/2.0/list/", []string{"/api/2.0/list/"}},
		{"trailing slashes", "/api/2.0/list//", []string{"/api/2.0/list//", "/api/2.0/list/", "/api/2.0/list"}},
		{"trailing dot", "/api/2.0/list.", []string{"/api/2.0/list.", "/api/2.0/list"}},
		{"letter case", "/api/2.0/LIST", []string{"/api/2.0/LIST", "/api/2.0/list"}},
		{"letter case in a parameter", "/api/2.0/things/ABC", []string{"/api/2.0/things/ABC"}},
		{"letter case of a literal with capitals", "/api/2.0/users", []string{"/api/2.0/users", "/api/2.0/users"}},
		{"doubled slash", "/api/2.0//list", []string{"/api/2.0//list", "/api/2.0/list"}},
		{"dot segment", "/api/2.0/./list", []string{"/api/2.0/./list", "/api/2.0/list"}},
		{"parent segment", "/api/2.0/x/../list", []string{"/api/2.0/x/../list", "/api/2.0/list"}},
		{"parameters", "/api/2.0/list;v=1", []string{"/api/2.0/list;v=1", "/api/2.0/list"}},
		{"backslash", `/api\2.0\list`, []string{`/api\2.0\list`, "/api/2.0/list"}},
		{"encoded once", "/api/2.0/%6cist", []string{"/api/2.0/list", "/api/2.0/%6cist"}},
		{"encoded twice", "/api/2.0/%256cist", []string{"/api/2.0/%6cist", "/api/2.0/list"}},
		{"space", "/api/2.0/things/a%20b", []string{"/api/2.0/things/a b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			readings, err := c.read("GET", test.path, nil, toTheEnd)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range readings {
				got = append(got, r.Path)
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if !slices.Equal(got, test.want) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestReadingsCoverServers compares the readings with the servers of
// servers_test.go: the operation that any of them serves is among the readings.
func TestReadingsCoverServers(t *testing.T) {
	t.Parallel()
	rows := rowsFrom(t, smallCatalog)
	c, err := New(rows)
	if err != nil {
		t.Fatal(err)
	}
	rowsOnly(c)
	slow := newSlowCatalog(rows)
	for _, path := range seedPaths {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			checkServers(t, c, slow, method, path, nil)
		}
	}
}

// seedPaths are paths that servers interpret differently.
var seedPaths = []string{
	"/", "//", "/list", "/api/2.0/list", "/api/2.0/list/", "/api/2.0//list", "/api/2.0/list;x", "/api/2.0/LIST", "/API/2.0/list/.", "/api/2.0/list%2f",
	"/api/2.0/files/..%2f..%2f2.0/token/create", "/api/2.0/files/%2e%2e/token/create", "/api/2.0/files/%252e%252e/token/create",
	"/api/2.0/files/..;/token/create", "/api/2.0/files/..%3b/token/create", "/api/2.0/files/..\\token\\create", "/api/2.0/files/%5c..%5c..%5ctoken/create",
	"/api/2.0/files/a%252f..%252f..%252ftoken%252fcreate", "/public/../api/2.0/token/create", "/public/..;a=b/api/2.0/token/create",
	"/public/%2e%2e%2fapi/2.0/token/create", "//public/api/2.0/token/create", "/public//..//api/2.0/token/create", "/public/.%20./x", "/public/..%20/api/2.0/list",
	"/api/2.0/things/special", "/api/2.0/things/SPECIAL", "/api/2.0/things/%73pecial", "/api/2.0/things/special.", "/api/2.0/things/special%20", "/api/2.0/things/a%3arun",
	"/api/2.0/things/a:RUN", "/api/2.0/things/a%2eb", "/api/2.0/things/x/%70arts", "/api/2.0/things/x%2Fparts", "/api/2.0/things/%2e/parts", "/api/2.0/users/1/keys",
	"/api/2.0/U%C5%BFers", "/api/2.9/tables/x/rows", "/api/2.0/%2e%2e/2.1/list", "/api/2.0/list%3fx", "/api/2.0/list%23x", "/api/2.0/files/a%3f/../../list",
	"/api/2.0/accounts/1/x/../../../list", "/api/2.0/me;/list", "/api;x/2.0;y/list;z", "/api;x/2.0/list", "/%61pi/2%2e0/list", "/api/2%2E0/list", "/x/..%252f..%2fapi/2.0/list",
	"/api/2.0/things/special;x/parts;y", "/api/2.0/x%2fy/..%5cthings/a%2fparts", "/api/2.0/things/%73pecial%2fparts", "/x/%2e%2e/api/2.0/things/a%3arun",
}

func checkServers(t *testing.T, c *Catalog, slow *slowCatalog, method, path string, own []sloppyStep) {
	t.Helper()
	readings, err := c.read(method, path, nil, toTheEnd)
	if err != nil {
		return
	}
	keys := make(map[string]bool)
	for _, r := range readings {
		keys[key(r.Operation)] = true
	}
	check := func(name string, steps []sloppyStep) {
		parts, ok := serve(path, steps)
		if !ok {
			return
		}
		for _, fold := range []bool{false, true} {
			if fold {
				for i := range parts {
					parts[i] = foldLikeJava(parts[i])
				}
			}
			if got := slow.match(method, parts, fold); !keys[got] {
				t.Errorf("%s %q: %s (fold %v) reads %q as %s, which is not among the readings %v", method, path, name, fold, parts, got, readings)
			}
		}
	}
	if own != nil {
		names := make([]string, len(own))
		for i, s := range own {
			names[i] = s.name
		}
		check(strings.Join(names, ", "), own)
		return
	}
	for _, server := range servers {
		check(server.name, stepsNamed(server.steps))
	}
}

// foldLikeJava replaces the non-ASCII letters that Java's equalsIgnoreCase treats
// as ASCII letters.
func foldLikeJava(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 'K':
			return 'k'
		case 'ſ':
			return 's'
		case 'ı', 'İ':
			return 'i'
		}
		return r
	}, s)
}

// fragments are pieces from which the fuzzer builds paths.
var fragments = []string{
	"/", "/", "/", "/", "//", ".", "..", "/..", "/../", "/./", "%2e", "%2E", "%252e", "%2f", "%2F", "%252f", "%252F", "%25", "%5c", "\\", "%255c", ";", ";a=b", "%3b", "%253b",
	"%20", " ", "+", "%3f", "%23", "%253f", "%00", "%2500", "%c0%af", "%e2%84%aa", "%c5%bf", "api", "API", "2.0", "2.1", "2.9", "3", "/api/2.0/", "/api/2.1/", "list", "LIST", "%6cist",
	"things", "special", "Special", "parts", ":run", "a.b", "tables", "rows", "files", "token", "create", "Users", "users", "Keys", "keys", "me", "public", "accounts", "odd", "x", "a%2fb", "%3arun", "%73pecial",
}

func FuzzReadings(f *testing.F) {
	for i, path := range seedPaths {
		f.Add(uint8(i), path, []byte{}, []byte{byte(i), byte(3 * i), byte(7 * i)})
		f.Add(uint8(i), "", []byte{42, byte(i), byte(5 * i), byte(11 * i), byte(13 * i)}, []byte{byte(5 * i), byte(i), byte(i / 2)})
	}
	rows := rowsFrom(f, smallCatalog)
	c, err := New(rows)
	if err != nil {
		f.Fatal(err)
	}
	rowsOnly(c)
	slow := newSlowCatalog(rows)
	f.Fuzz(func(t *testing.T, verb uint8, path string, pieces, chain []byte) {
		if len(path) > 200 || len(pieces) > 30 {
			return
		}
		for _, piece := range pieces {
			path += fragments[int(piece)%len(fragments)]
		}
		method := []string{"GET", "POST", "HEAD", "DELETE"}[verb%4]
		readings, err := c.read(method, path, nil, toTheEnd)
		if err != nil {
			var bad *PathError
			if !errors.As(err, &bad) || readings != nil {
				t.Fatalf("%q: %v, %v", path, readings, err)
			}
			return
		}
		if len(readings) == 0 {
			t.Fatalf("%q: no reading", path)
		}
		for i, r := range readings {
			if r.Operation == nil || !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "\x00\x01\r\n") {
				t.Fatalf("%q: reading %q", path, r.Path)
			}
			if slices.Contains(readings[:i], r) {
				t.Fatalf("%q: reading %q twice", path, r.Path)
			}
		}
		// Any chain of steps, up to the number of decodings that Read covers.
		var steps []sloppyStep
		decodings := 0
		for _, b := range chain[:min(len(chain), 6)] {
			step := sloppySteps[int(b)%len(sloppySteps)]
			if decodings += step.decodes; decodings > maxDecodings {
				break
			}
			steps = append(steps, step)
		}
		checkServers(t, c, slow, method, path, append([]sloppyStep{}, steps...))
		checkServers(t, c, slow, method, path, nil)
	})
}
