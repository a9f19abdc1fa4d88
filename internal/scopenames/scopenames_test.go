package scopenames

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestProblem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		scope string
		place Place
		want  string
	}{
		{"known", "jobs", OnPAT, ""},
		{"everything", "all-apis", InPolicy, ""},
		{"misspelled", "jbos", InPolicy, `unknown scope "jbos"; did you mean jobs?`},
		{"separators", "unity_catalog", InRoutes, `unknown scope "unity_catalog"; did you mean unity-catalog?`},
		{"letter case counts", "SQL", OnPAT, `unknown scope "SQL"; did you mean sql?`},
		{"new", "teleportation", OnPAT, `unknown scope "teleportation"`},
		{"several", "sql,jobs", InPolicy, `unknown scope "sql,jobs"; separate the names of scopes, in a Caddyfile by spaces`},
		{"empty", "", InPolicy, `unknown scope ""`},
		{"dotted on an OAuth token", "sql.statement-execution", OnOAuth, ""},
		{"flat on an OAuth token", "sql", OnOAuth, ""},
		{"signing in", "openid", OnOAuth, ""},
		{"signing in on a personal access token", "openid", OnPAT, `the scope "openid" is about signing in: it opens nothing`},
		{"dotted in a row", "sql.statement-execution", InRoutes, ""},
		{"dotted on a personal access token", "sql.statement-execution", OnPAT, `only OAuth access tokens carry the scope "sql.statement-execution": on a personal access token it opens nothing`},
		{"dotted in a policy", "dashboards.genie", InPolicy, `only OAuth access tokens carry the scope "dashboards.genie": in a policy it permits nothing; write genie`},
		{"dotted for reads in a policy", "sql.warehouses:read", InPolicy, `only OAuth access tokens carry the scope "sql.warehouses:read": in a policy it permits nothing; write sql:read`},
		{"dotted in a policy, for nothing", "mcp.genie", InPolicy, `only OAuth access tokens carry the scope "mcp.genie": in a policy it permits nothing`},
		{"dotted and misspelled", "sql.statement_execution", OnOAuth, `unknown scope "sql.statement_execution"; did you mean sql.statement-execution?`},
		{"dotted and unknown", "jobs.jobs", OnOAuth, `unknown scope "jobs.jobs"`},
		{"a part", "clusters:read", OnPAT, ""},
		{"a part on an OAuth token", "sql:read:restricted-query", OnOAuth, ""},
		{"a part that its scope does not have", "jobs:restricted-query", OnPAT, `unknown scope "jobs:restricted-query"`},
		{"a part in a row", "jobs:read", InRoutes, `unknown scope "jobs:read"`},
		{"control characters", "a\x1b[31mb", OnPAT, `unknown scope "a\u{1b}[31mb"`},
		{"long", strings.Repeat("x", 1<<20), OnPAT, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := Problem(test.scope, test.place)
			if test.name == "long" {
				if len(got) > 2*MaxName || !strings.HasPrefix(got, `unknown scope "xxx`) {
					t.Errorf("%d bytes", len(got))
				}
				return
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if Fine(test.scope, test.place) != (test.want == "") {
				t.Error("Fine disagrees")
			}
		})
	}
}

func TestWarn(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	names := []string{"jobs", "jbos"}
	for i := range 100 {
		names = append(names, fmt.Sprint("unknown-name-", i))
	}
	Warn(zap.New(core), names, InPolicy, zap.String("policy", "p"))
	if logs.Len() != maxTold+1 {
		t.Fatalf("%d lines", logs.Len())
	}
	first := logs.All()[0].ContextMap()
	if first["scope"] != "jbos" || first["policy"] != "p" || first["problem"] != `unknown scope "jbos"; did you mean jobs?` {
		t.Errorf("got %v", first)
	}
}

// TestNotices: names on tokens are told once each, in any number of tokens and requests,
// and not more than there is room for.
func TestNotices(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	logger := func() *zap.Logger { return zap.New(core) }
	made := 0
	fields := func() []zap.Field { made++; return []zap.Field{zap.String("token_id", "abc")} }
	var notices Notices
	for range 1000 {
		notices.See(logger, []string{"jobs", "jbos", "openid"}, OnPAT, fields)
		notices.See(logger, []string{"sql.statement-execution", "openid", "jobs"}, OnOAuth, fields)
	}
	if logs.Len() != 2 || made != 2 || logs.All()[0].ContextMap()["token_id"] != "abc" {
		t.Fatalf("%d lines, fields made %d times: %v", logs.Len(), made, logs.All())
	}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for k := range 1000 {
				notices.See(logger, []string{fmt.Sprintf("%s-%d-%d", strings.Repeat("long", 1000), i, k), fmt.Sprintf("n-%d-%d", i, k)}, OnPAT, func() []zap.Field { return nil })
			}
		})
	}
	wait.Wait()
	if logs.Len() != maxNotices+1 || len(notices.told) != maxNotices {
		t.Errorf("%d lines, %d names kept", logs.Len(), len(notices.told))
	}
	if more := logs.FilterMessageSnippet("more names").Len(); more != 1 {
		t.Errorf("%d times it is said that there are more", more)
	}
	for name := range notices.told {
		if len(name) > 2*MaxName {
			t.Errorf("a name of %d bytes is kept", len(name))
		}
	}
}

// BenchmarkFine is what each scope of a token costs when it is looked up.
func BenchmarkFine(b *testing.B) {
	for b.Loop() {
		Fine("unity-catalog", OnPAT)
	}
}
