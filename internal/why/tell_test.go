package why

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt")

const requestID = "5d41402a-bc4b-4a76-b971-9d911017c592"

var arrived = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

// catalog is a map of two rows.
var catalog = newCatalog("jobs")

func newCatalog(needs string) *scopes.Catalog {
	c, err := scopes.New([]scopes.Operation{
		{Method: "GET", Template: "/api/2.1/jobs/list", AnyOf: []string{needs}, Evidence: scopes.Documented, Name: "jobs.List", Source: "https://docs.databricks.com/api/workspace/jobs/list"},
		{Method: "GET", Template: "/api/2.0/sql/warehouses", AnyOf: []string{"sql"}, Evidence: scopes.Observed, Name: "sql.Warehouses.List", Source: "a refusal of the workspace"},
	})
	if err != nil {
		panic(err)
	}
	return c
}

// refusedFor is the record of a refusal of jobs.List, whatever the reason.
func refusedFor(reason policy.Reason, status int) *audit.Record {
	rows := catalog.Operations()
	jobs := &rows[0]
	if jobs.Name != "jobs.List" {
		jobs = &rows[1]
	}
	info := &tokens.Info{Owner: tokens.NewPrincipal(4711, "etl@example.com"), Scopes: []string{"sql"}, Expires: tokens.ExpiresAt(arrived.AddDate(0, 2, 0))}
	return &audit.Record{
		Time: arrived, Method: "GET", Path: "/api/2.1/jobs/list", ClientAddress: "10.0.0.7", Workspace: "w.cloud.databricks.com",
		RequestID: requestID, Outcome: audit.Answered, Status: status, Duration: 1200 * time.Microsecond,
		TokenID: strings.Repeat("4bf92f35", 8), Owner: "etl@example.com", Creator: "admin@example.com", Comment: "sha256:d7fdb5293230158b",
		Catalog: catalog.Version(), Rules: "ba9876543210",
		Judgement: judge.Judgement{
			Decision: judge.Deny, Enforced: true, Reason: reason, Operation: jobs, Held: info.Scopes,
			Facts: tokens.Facts{Info: info, Source: tokens.FromCache}, FactsAge: 12 * time.Second,
		},
	}
}

// records are the decisions of testdata, by name.
var records = map[string]func() *audit.Record{
	"missing-scope": func() *audit.Record { return refusedFor(policy.MissingScope, 403) },
	"policy-denied": func() *audit.Record {
		r := refusedFor(policy.PolicyDenied, 403)
		r.Policy, r.Requirement = "analysts", "permits only sql"
		return r
	},
	"policy-rehearsed": func() *audit.Record {
		r := refusedFor(policy.PolicyDenied, 200)
		r.Policy, r.Requirement, r.Enforced, r.UpstreamStatus = "analysts", "permits only sql", false, 200
		return r
	},
	"expired": func() *audit.Record {
		r := refusedFor(policy.TokenExpired, 403)
		r.Facts.Info.Expires = tokens.ExpiresAt(arrived.AddDate(0, 0, -1))
		return r
	},
	"unknown-token": func() *audit.Record {
		r := refusedFor(policy.UnknownToken, 403)
		r.Facts, r.Held, r.Owner, r.Creator, r.Comment, r.Operation = tokens.Facts{}, nil, "", "", "", nil
		r.Problem, r.Detail = "a personal access token of another kind", "pat"
		return r
	},
	"permitted": func() *audit.Record {
		r := refusedFor(policy.Permitted, 403)
		r.Decision, r.Held, r.UpstreamStatus = judge.Allow, []string{"jobs"}, 403
		r.Facts.Info.Scopes, r.Facts.Info.Expires = r.Held, tokens.NeverExpires
		return r
	},
	"upstream-unavailable": func() *audit.Record {
		r := refusedFor(policy.Permitted, 503)
		r.Decision, r.Held = judge.Allow, []string{"jobs"}
		r.Facts.Info.Scopes = r.Held
		r.Outcome, r.Detail = audit.UpstreamUnreachable, "connection_refused"
		return r
	},
	"open": func() *audit.Record {
		r := refusedFor(policy.Permitted, 0)
		r.Decision, r.Held, r.Outcome, r.Duration = judge.Allow, []string{"jobs"}, audit.Open, 5*time.Second
		r.Facts.Info.Scopes = r.Held
		return r
	},
	"path-redacted": func() *audit.Record {
		r := refusedFor(policy.MissingScope, 403)
		r.Path = ""
		return r
	},
	"other-map": func() *audit.Record {
		r := refusedFor(policy.MissingScope, 403)
		r.Catalog = "0123456789ab"
		return r
	},
	"no-credential": func() *audit.Record {
		r := refusedFor(policy.MissingCredential, 401)
		r.Facts, r.Held, r.TokenID, r.Owner, r.Creator, r.Comment, r.Operation = tokens.Facts{}, nil, "", "", "", "", nil
		r.Problem, r.Instead = "a key in the header x-api-key", "Send a personal access token as Bearer."
		return r
	},
}

// logOf writes records as a gateway does.
func logOf(t testing.TB, all ...*audit.Record) []byte {
	t.Helper()
	var log bytes.Buffer
	counter, err := metrics.Register(nil)
	if err != nil {
		t.Fatal(err)
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&log), zap.InfoLevel)
	logger := audit.NewLogger(zap.New(core), audit.NewLosses(audit.SinkLog, counter, nil))
	for _, r := range all {
		logger.Write(r)
	}
	return log.Bytes()
}

// TestGolden tells each decision from memory and from its line.
func TestGolden(t *testing.T) {
	t.Parallel()
	maps := Maps{Catalogs: []*scopes.Catalog{catalog}, Name: "the map in force"}
	for name, record := range records {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			if err := throughJSON(t, Tell(record(), maps)).WriteText(&got); err != nil {
				t.Fatal(err)
			}
			search := NewSearch(requestID[:8])
			if err := search.Read(bytes.NewReader(logOf(t, record()))); err != nil {
				t.Fatal(err)
			}
			found := search.Found()
			if len(found) != 1 {
				t.Fatalf("found %d of %d lines", len(found), search.Lines)
			}
			got.WriteString("\nfrom the audit log\n\n")
			if err := found[0].Tell(maps).WriteText(&got); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("run go test ./internal/why -update\ngot\n%swant\n%s", got.String(), want)
			}
		})
	}
}

// throughJSON returns a story as a client of the admin API gets it.
func throughJSON(t *testing.T, s *Story) *Story {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	got := new(Story)
	if err := json.Unmarshal(text, got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestChangedMap says what the map in force has for the operation.
func TestChangedMap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		maps  []*scopes.Catalog
		about string
	}{
		"the same":             {[]*scopes.Catalog{newCatalog("sql"), catalog}, "of the map in force"},
		"another":              {[]*scopes.Catalog{newCatalog("sql")}, "not of the map in force, in which it needs sql (documented)"},
		"others that agree":    {[]*scopes.Catalog{newCatalog("sql"), newCatalog("sql")}, "not of the map in force, in which it needs sql (documented)"},
		"others that disagree": {[]*scopes.Catalog{newCatalog("sql"), newCatalog("files")}, "not of the map in force"},
		"none":                 {nil, "of a map that cannot be compared now"},
	} {
		if got := Tell(refusedFor(policy.MissingScope, 403), Maps{test.maps, "the map in force"}).Operation.About; got != test.about {
			t.Errorf("%s: %q, want %q", name, got, test.about)
		}
	}
}

// TestReasons: every reason code has a sentence, and every refusal something to do.
func TestReasons(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../policy/reason.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Reason = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) != len(meanings) {
		t.Errorf("%d reasons have a sentence, of %d", len(meanings), len(codes))
	}
	for _, code := range codes {
		reason := policy.Reason(code[1])
		if meanings[reason] == "" {
			t.Errorf("%s has no sentence", reason)
		}
		r := refusedFor(reason, 403)
		switch reason {
		case policy.Permitted, policy.PublicRoute, policy.PassedOAuth, policy.CORSPreflight:
			r.Decision = judge.Allow
		case policy.PolicyDenied, policy.PolicyLifetime:
			r.Policy, r.Requirement = "p", "asks"
		}
		if s := Tell(r, Maps{}); s.Permit == "" {
			t.Errorf("%s: nothing to do", reason)
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		requestID: requestID, strings.ToUpper(requestID): requestID, " 5d41402a ": "5d41402a", "5d41402a…": "5d41402a", "[ReqId: " + requestID + "]": requestID,
		"5d41402": "", "": "", requestID + "0": "", "dapi0123456789abcdef0123456789abcdef": "", "../tokens": "",
	} {
		got, err := ParseID(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		if err != nil && len(text) > 7 && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats the text: %v", err)
		}
	}
}
