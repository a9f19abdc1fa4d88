package policy

import (
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

const statements = "/api/2.0/sql/statements"

// TestAliases: the names of OAuth tokens open what they are known to open, and never on a
// personal access token. A ceiling is judged by the operation, as for any token.
func TestAliases(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		oauth        bool
		held         []string
		method, path string
		ceiling      []string
		want         Reason
	}{
		{"an alias", true, []string{"sql.statement-execution"}, "POST", statements, nil, Permitted},
		{"on a personal access token", false, []string{"sql.statement-execution"}, "POST", statements, nil, MissingScope},
		{"beside what suffices", false, []string{"sql.statement-execution", "sql"}, "POST", statements, nil, Permitted},
		{"of another operation", true, []string{"sql.statement-execution"}, "GET", warehouse, nil, MissingScope},
		{"under a ceiling", true, []string{"sql.statement-execution"}, "POST", statements, []string{"sql"}, Permitted},
		{"under another ceiling", true, []string{"sql.statement-execution"}, "POST", statements, []string{"jobs"}, PolicyDenied},
		{"a ceiling of an alias permits nothing", true, []string{"sql.statement-execution"}, "POST", statements, []string{"sql.statement-execution"}, PolicyDenied},
		{"a ceiling does not widen", true, []string{"dashboards.genie"}, "POST", statements, []string{"sql"}, MissingScope},
		{"one that opens nothing", true, []string{"catalog.catalogs:read"}, "GET", catalogs, nil, MissingScope},
		{"any scope", true, []string{"iam.current-user:read"}, "GET", me, nil, Permitted},
		{"no scopes", true, nil, "POST", statements, nil, MissingScope},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			info := goodToken()
			info.OAuth, info.Scopes = test.oauth, test.held
			rules := Rules{AllowUnscoped: true}
			if test.ceiling != nil {
				rules.Policies = []Policy{{Name: "p", Ceiling: test.ceiling}}
			}
			ruling := Decide(Subject{Info: info}, ask(t, test.method, test.path), rules, noon)
			if ruling.Reason != test.want {
				t.Errorf("%s; want %s", ruling.Reason, test.want)
			}
		})
	}
}

// BenchmarkPermits is the question that each request asks for each reading. An alias is
// only looked for where an OAuth token would be refused.
func BenchmarkPermits(b *testing.B) {
	readings, err := scopes.Default().Read("POST", statements, nil)
	if err != nil {
		b.Fatal(err)
	}
	operation := readings[0].Operation
	for _, test := range []struct {
		name  string
		oauth bool
		held  []string
	}{{"pat", false, []string{"jobs", "sql"}}, {"alias", true, []string{"iam.current-user:read", "sql.statement-execution"}}} {
		b.Run(test.name, func(b *testing.B) {
			info := goodToken()
			info.OAuth, info.Scopes = test.oauth, test.held
			b.ReportAllocs()
			for b.Loop() {
				if !Permits(operation, info, info.Scopes) {
					b.Fatal("refused")
				}
			}
		})
	}
}
