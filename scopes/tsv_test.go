package scopes

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const text = "\ufeff# method\ttemplate\tany_of\tevidence\toperation\tsource\r\n" +
		"\n" +
		"GET\t/a\tsql\tdocumented\tx.A\ta page\r\n" +
		"  \n" +
		"*\t/b/{c}\tsql, jobs\tinferred\tx.B\ta guess\n" +
		"POST\t/d\t*\tsibling\tx.D\ts\n" +
		"GET\t/e\tpublic\tobserved\tx.E\ts\n" +
		"GET\t/f\taccount\tdocumented\tx.F\ts\n" +
		"PUT\t/g/*\tjobs\n" +
		"GET\t/h\tc,b + a\tdocumented\tx.H\ts\n" +
		"GET\t/i\toptional\tinferred\tx.I\ts\n" +
		"GET\t/j\toptional,sql\tinferred\tx.J\ts\n" +
		"GET\t/k\tsql\tinferred\tx.K\ts\tread\r\n" +
		"POST\t/l\tsql\tinferred\tx.L\ts\tread: it only searches: nothing else\n" +
		"GET\t/m\tsql\tinferred\tx.M\ts\twrite: it changes something\n" +
		"GET\t/n\tsql\tinferred\tx.N\ts\t\n"
	got, err := Parse(strings.NewReader(text), "routes.tsv")
	want := []Operation{
		{Method: "GET", Template: "/a", AnyOf: []string{"sql"}, Evidence: Documented, Name: "x.A", Source: "a page"},
		{Method: "*", Template: "/b/{c}", AnyOf: []string{"jobs", "sql"}, Evidence: Inferred, Name: "x.B", Source: "a guess"},
		{Method: "POST", Template: "/d", Access: AnyScope, Evidence: Sibling, Name: "x.D", Source: "s"},
		{Method: "GET", Template: "/e", Access: Public, Evidence: Observed, Name: "x.E", Source: "s"},
		{Method: "GET", Template: "/f", Access: AccountOnly, Evidence: Documented, Name: "x.F", Source: "s"},
		{Method: "PUT", Template: "/g/*", AnyOf: []string{"jobs"}, Evidence: Operator, Name: "PUT /g/*", Source: "routes.tsv:9"},
		{Method: "GET", Template: "/h", AnyOf: []string{"a+b", "c"}, Evidence: Documented, Name: "x.H", Source: "s"},
		{Method: "GET", Template: "/i", AnyOf: []string{AllAPIs}, Optional: true, Evidence: Inferred, Name: "x.I", Source: "s"},
		{Method: "GET", Template: "/j", AnyOf: []string{"sql"}, Optional: true, Evidence: Inferred, Name: "x.J", Source: "s"},
		{Method: "GET", Template: "/k", AnyOf: []string{"sql"}, Evidence: Inferred, Name: "x.K", Source: "s", Effect: Read},
		{Method: "POST", Template: "/l", AnyOf: []string{"sql"}, Evidence: Inferred, Name: "x.L", Source: "s", Effect: Read, EffectReason: "it only searches: nothing else"},
		{Method: "GET", Template: "/m", AnyOf: []string{"sql"}, Evidence: Inferred, Name: "x.M", Source: "s", Effect: Write, EffectReason: "it changes something"},
		{Method: "GET", Template: "/n", AnyOf: []string{"sql"}, Evidence: Inferred, Name: "x.N", Source: "s"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, %v", got, err)
	}
	checkRoundTrip(t, got)
}

func checkRoundTrip(t *testing.T, rows []Operation) {
	t.Helper()
	var b bytes.Buffer
	if err := Format(&b, rows); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(&b, "again.tsv")
	if err != nil || len(rows) > 0 && !reflect.DeepEqual(again, rows) {
		t.Fatalf("read back as %v, %v", again, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, line, says string }{
		{"spaces for tabs", "GET /a sql documented x s", "no tab found"},
		{"two columns", "GET\t/a", "only two columns"},
		{"eight columns", "GET\t/a\tsql\tdocumented\tx\ts\tread\tmore", "8 columns"},
		{"unknown access", "GET\t/a\tsql\tdocumented\tx\ts\treads", `access "reads": write read or write`},
		{"a reason alone", "GET\t/a\tsql\tdocumented\tx\ts\t: it searches", "write read or write"},
		{"a reason without a space", "GET\t/a\tsql\tdocumented\tx\ts\tread:it searches", "write read or write"},
		{"lower-case method", "get\t/a\tsql", "the method is none"},
		{"no method", "\t/a\tsql", "the method is none"},
		{"bad template", "GET\ta\tsql", "begin with a slash"},
		{"no scopes", "GET\t/a\t", "any_of is empty"},
		{"empty scope", "GET\t/a\tsql,", `any_of has ""`},
		{"capital scope", "GET\t/a\tSQL", `any_of has "SQL"`},
		{"scope twice", "GET\t/a\tsql,sql", "twice"},
		{"reserved word among scopes", "GET\t/a\tsql,public", "stand alone"},
		{"star among scopes", "GET\t/a\t*,sql", "stand alone"},
		{"star joined to a scope", "GET\t/a\tsql+*", "stand alone"},
		{"all-apis joined to a scope", "GET\t/a\tall-apis+sql", "write it alone"},
		{"nothing joined", "GET\t/a\tsql+", `any_of has ""`},
		{"joined to itself", "GET\t/a\tsql+sql", `"sql" twice in "sql+sql"`},
		{"the same joined twice", "GET\t/a\tjobs+sql,sql+jobs", `"jobs+sql" twice`},
		{"more than enough", "GET\t/a\tjobs+sql,sql", `"jobs+sql" beside "sql", which is enough`},
		{"too many joined", "GET\t/a\ta+b+c+d+e+f+g+h+i", "joins 9 scopes"},
		{"optional twice", "GET\t/a\toptional,optional,sql", `"optional"`},
		{"optional joined", "GET\t/a\toptional+sql", `"optional"`},
		{"optional and public", "GET\t/a\toptional,public", "stand alone"},
		{"unknown evidence", "GET\t/a\tsql\tdocs", `evidence "docs"`},
		{"unmapped evidence", "GET\t/a\tsql\tunmapped", `evidence "unmapped"`},
		{"control character", "GET\t/a\tsql\tinferred\tx\ta\x01b", "source"},
		{"surrounding spaces", "GET\t/a\tsql\tinferred\t x \ts", "operation"},
		{"the same route twice", "GET\t/x/{b}\tjobs", "already on line 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rows, err := Parse(strings.NewReader("GET\t/x/{a}\tsql\n"+test.line+"\n"), "routes.tsv")
			if err == nil || !strings.HasPrefix(err.Error(), "routes.tsv:2: ") || !strings.Contains(err.Error(), test.says) || rows != nil {
				t.Fatalf("got %v, %v, want %q", rows, err, test.says)
			}
		})
	}
	t.Run("several lines", func(t *testing.T) {
		_, err := Parse(strings.NewReader(strings.Repeat("wrong\n", 50)), "routes.tsv")
		if err == nil || strings.Count(err.Error(), "routes.tsv:") != maxProblems {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("endless line", func(t *testing.T) {
		_, err := Parse(strings.NewReader(strings.Repeat("x", 2<<20)), "routes.tsv")
		if err == nil || !strings.HasPrefix(err.Error(), "routes.tsv:1: ") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestFormatRefuses(t *testing.T) {
	t.Parallel()
	good := Operation{Method: "GET", Template: "/a", AnyOf: []string{"sql"}, Evidence: Documented, Name: "x.A", Source: "s"}
	if err := Format(&bytes.Buffer{}, []Operation{good}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Operation){
		"tab in the source":  func(o *Operation) { o.Source = "a\tb" },
		"newline in a name":  func(o *Operation) { o.Name = "a\nb" },
		"unsorted scopes":    func(o *Operation) { o.AnyOf = []string{"sql", "jobs"} },
		"scopes and public":  func(o *Operation) { o.Access = Public },
		"optional public":    func(o *Operation) { o.Access, o.AnyOf, o.Optional = Public, nil, true },
		"unsorted together":  func(o *Operation) { o.AnyOf = []string{"sql+jobs"} },
		"no scopes":          func(o *Operation) { o.AnyOf = nil },
		"comma in a scope":   func(o *Operation) { o.AnyOf = []string{"a,b"} },
		"unknown access":     func(o *Operation) { o.Access = 9 },
		"no source":          func(o *Operation) { o.Source = "" },
		"unmapped":           func(o *Operation) { *o = *unmapped },
		"comment for method": func(o *Operation) { o.Method = "#GET" },
	} {
		t.Run(name, func(t *testing.T) {
			row := good
			change(&row)
			if err := Format(&bytes.Buffer{}, []Operation{row}); err == nil {
				t.Fatal("no error")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("GET\t/a\tsql\tdocumented\tx.A\ta page\n*\t/b/{c...}\tjobs,sql\n")
	f.Add("# x\n\nPOST\t/d\t*\tsibling\tx.D\ts\r\nGET\t/e\tpublic\n")
	f.Add("\ufeffGET\t/a/{b}.{c}:d\taccount\tobserved\n")
	f.Add("GET\t/a\tsql\t\t\t\n")
	f.Add("GET\t/a\tb+a,optional , c\nGET\t/b\toptional\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		rows, err := Parse(strings.NewReader(text), "fuzz.tsv")
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "fuzz.tsv:") {
					t.Fatalf("the error %q has no file and line", line)
				}
			}
			return
		}
		checkRoundTrip(t, rows)
		c, err := New(rows)
		if err != nil {
			t.Fatalf("parsed rows do not compile: %v", err)
		}
		if len(c.Operations()) != len(rows) {
			t.Fatalf("%d of %d rows compiled", len(c.Operations()), len(rows))
		}
	})
}
