package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
)

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		name, args, input string
		says              []string
		lacks             string
		fails             bool
	}{
		{name: "refused", args: "GET /api/2.1/jobs/list --scopes sql", says: []string{
			"request    GET /api/2.1/jobs/list\n", "operation  jobs.List\n", "needs      jobs\n", "verdict    deny (missing_scope)\n", "to permit  add the scope jobs\n",
		}},
		{name: "by the method", args: "GET /api/2.1/jobs/list", says: []string{"access     read (by the method GET)\n"}},
		{name: "a POST that reads", args: "POST /api/2.0/mlflow/runs/search", says: []string{"access     read (searches runs, with the filter in the body)\n"}},
		{name: "a write", args: "POST /api/2.0/sql/statements", says: []string{"access     write (a statement can change anything)\n"}},
		{name: "a path that the map lacks", args: "GET /api/2.0/nothing", says: []string{"access     write (not in the catalog, so nothing is known of it)\n"}},
		{name: "access in JSON", args: "POST /api/2.0/mlflow/runs/search --json", says: []string{`"access":"read","access_reason":"searches runs`}},
		{name: "permitted", args: "GET /api/2.1/jobs/list --scopes jobs", says: []string{"verdict    allow (permitted)\n"}, lacks: "to permit"},
		{name: "no scopes", args: "GET /api/2.1/jobs/list", says: []string{"verdict    allow"}},
		{name: "no scopes by the rules of a file", args: "GET /api/2.1/jobs/list --config good", says: []string{"verdict    deny (missing_scope)"}},
		{name: "a row of a file", args: "GET /api/2.0/internal/things --scopes things --config good", says: []string{"source     the owners", "note: unknown scope \"things\"\n", "verdict    allow"}},
		{name: "several readings", args: "GET /api/2.0/sql/..%2f../2.1/jobs/list --scopes sql", says: []string{"readings   /api/2.0/sql/", "\n           /api/2.1/jobs/list: jobs.List (jobs)\n"}},
		{name: "malformed", args: "GET /api/2.0/%00", says: []string{"problem    the path contains a control character\n"}, lacks: "operation"},
		{name: "misspelled scope", args: "GET /api/2.1/jobs/list --scopes jbos", says: []string{`note: unknown scope "jbos"; did you mean jobs?`}},
		{name: "JSON", args: "GET /api/2.1/jobs/list --scopes sql --json", says: []string{`{"method":"GET"`, `"source":`, `"change":"add the scope jobs"}`}},
		{name: "batch", args: "--batch", input: "{\"method\":\"GET\",\"path\":\"/api/2.1/jobs/list\",\"scopes\":[\"sql\"]}\n\n{\"method\":\"get\",\"path\":\"/oidc/x\"}\n", says: []string{
			`"decision":"deny","reason":"missing_scope"}` + "\n", `"decision":"public","reason":"public_route"}` + "\n",
		}, lacks: "source"},
		{name: "batch with an argument", args: "--batch GET", says: []string{"takes no arguments"}, fails: true},
		{name: "batch with an unknown field", args: "--batch", input: "{\"method\":\"GET\",\"path\":\"/\"}\n{\"methd\":\"GET\"}\n", says: []string{"line 2: reading a request: ", `write {"method"`}, fails: true},
		{name: "batch without a path", args: "--batch", input: "\n{\"method\":\"GET\"}\n", says: []string{"line 2: the path must begin with a slash"}, fails: true},
		{name: "batch with a long line", args: "--batch", input: strings.Repeat("x", maxBatchLine+1), says: []string{"line 1: "}, fails: true},
		{name: "no path", args: "GET", says: []string{"explain needs a method and a path"}, fails: true},
		{name: "URL", args: "GET https://example.com/api", says: []string{"the path must begin with a slash; leave out scheme and host"}, fails: true},
		{name: "unknown file", args: "GET / --config bad --adapter yaml", says: []string{`no file bad for adapter "yaml"`}, fails: true},
		{name: "unknown property", args: "GET / --as color=red", says: []string{"--as color: write kind=, owner="}, fails: true},
		{name: "unknown kind", args: "GET / --as kind=jwt", says: []string{"write kind=pat or kind=oauth"}, fails: true},
		{name: "an alias", args: "POST /api/2.0/sql/statements --scopes sql.statement-execution --as kind=oauth", says: []string{
			"needs      sql\n", "by alias   sql.statement-execution stands for sql here: the API reference", "verdict    allow (permitted)\n",
		}, lacks: "note:"},
		{name: "an alias of another operation", args: "GET /api/2.0/sql/warehouses --scopes sql.statement-execution --as kind=oauth", says: []string{
			"verdict    deny (missing_scope)\n", "to permit  add the scope sql\n",
		}, lacks: "by alias"},
		{name: "no alias for a personal access token", args: "POST /api/2.0/sql/statements --scopes sql.statement-execution", says: []string{
			"verdict    deny (missing_scope)\n", "to permit  add the scope sql\n",
		}, lacks: "by alias"},
		{name: "an OAuth token without scopes", args: "GET /api/2.1/jobs/list --as kind=oauth", says: []string{"verdict    deny (missing_scope)"}},
		{name: "an OAuth token where none are taken", args: "GET /api/2.1/jobs/list --scopes jobs --as kind=oauth --config good", says: []string{
			"verdict    deny (unsupported_credential)\n", "to permit  set oauth verify in the gateway's configuration",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := run(t, unreachable, test.input, append([]string{"explain"}, strings.Fields(test.args)...)...)
			if (err != nil) != test.fails {
				t.Errorf("%v", err)
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%s", part, out)
				}
			}
			if test.lacks != "" && strings.Contains(out, test.lacks) {
				t.Errorf("it says %q:\n%s", test.lacks, out)
			}
		})
	}
}

func TestParseSubject(t *testing.T) {
	id := strings.Repeat("ab", 32)
	subject, err := parseSubject([]string{"owner=123", "creator=c", "comment=a=b", "token=" + id, "lifetime=90d"})
	info := subject.Info
	switch {
	case err != nil:
		t.Fatal(err)
	case subject.Owner != tokens.NewPrincipal(123, ""), info.Owner != subject.Owner, info.Creator != tokens.NewPrincipal(0, "c"), info.Comment != "a=b", info.ID.String() != id, info.Expires.Never():
		t.Errorf("got %+v", subject)
	case lifetime(info) != 90*24*time.Hour:
		t.Errorf("it lives for %s", lifetime(info))
	}
	if subject, err := parseSubject([]string{"lifetime=never"}); err != nil || !subject.Info.Expires.Never() {
		t.Errorf("never: %+v, %v", subject, err)
	}
	for _, wrong := range []string{"lifetime=long", "lifetime", "token=x", "", "name=x"} {
		if subject, err := parseSubject([]string{"owner=o", wrong}); err == nil || subject.Info != nil {
			t.Errorf("%q: %+v, %v", wrong, subject, err)
		}
	}
}

func lifetime(info *tokens.Info) time.Duration {
	life, _ := info.Lifetime()
	return life
}
