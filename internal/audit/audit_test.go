package audit

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

func TestEveryRecordHasEveryField(t *testing.T) {
	for _, test := range []struct {
		name   string
		record Record
	}{
		{"nothing known", Record{}},
		{"refused", Record{Judgement: judge.Judgement{Decision: judge.Deny, Reason: policy.MissingScope, Operation: &scopes.Operation{Name: "jobs.List"}}}},
		{"everything", Record{
			Time: time.Now(), Method: "GET", Path: "/x", TokenID: "id", Dropped: []string{"Cookie"}, Status: 200,
			Judgement: judge.Judgement{
				Held: []string{"jobs"}, FactsAge: time.Second, Facts: tokens.Facts{Source: tokens.FromCache},
				Decision: judge.Allow, Enforced: true, Reason: policy.Permitted, Operation: &scopes.Operation{AnyOf: []string{"jobs"}},
			},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			core, lines := observer.New(zapcore.InfoLevel)
			NewLogSink(zap.New(core), testLosses(t, SinkLog)).Write(&test.record)
			if lines.Len() != 1 {
				t.Fatalf("%d lines", lines.Len())
			}
			fields := lines.All()[0].ContextMap()
			for _, name := range FieldNames() {
				if _, ok := fields[name]; !ok {
					t.Errorf("the line lacks %s", name)
				}
			}
			if len(fields) != len(FieldNames()) {
				t.Errorf("%d fields, want %d", len(fields), len(FieldNames()))
			}
		})
	}
}

func TestClientsChooseNoLength(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, got := range map[string]string{"path": CutPath(long, long), "user agent": CutUserAgent(long)} {
		if len(got) > maxPath || !strings.HasSuffix(got, "…") {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
	if got := CutPath("/short", "/short"); got != "/short" {
		t.Errorf("a short path became %q", got)
	}
	names := CutNames(slices.Repeat([]string{long}, 1000))
	if len(names) != 17 || len(names[0]) > 64 || names[16] != "…" {
		t.Errorf("%d names of %d bytes", len(names), len(names[0]))
	}
}

// TestRecordsKeepNoRequest: what a record takes of a request line must not keep the
// rest of it in memory, while the record waits.
func TestRecordsKeepNoRequest(t *testing.T) {
	const records, query = 200, 1 << 20
	kept := make([]*Record, records)
	for i := range kept {
		line := "PATCH /api/2.0/jobs?" + strings.Repeat("x", query)
		kept[i] = &Record{Method: CutMethod(line[:5]), Path: CutPath(line[6:19], line[6:])}
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > records*query/10 {
		t.Errorf("%d records keep %d MiB", records, memory.HeapAlloc>>20)
	}
	if kept[0].Method != "PATCH" || kept[0].Path != "/api/2.0/jobs" {
		t.Errorf("%q %q", kept[0].Method, kept[0].Path)
	}
}

func TestTokensAreHidden(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 2)
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "/api/2.1/jobs/list", "/api/2.1/jobs/list"},
		{"a token", "/api/2.0/dapi" + hex, "/api/2.0/dapi…"},
		{"a token with a suffix", "/dapi" + hex + "-3/x", "/dapi…/x"},
		{"two", "dapi" + hex + "/dapi" + hex, "dapi…/dapi…"},
		{"a client secret", "dose" + hex, "dose…"},
		{"a JWT", "/eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "/eyJ…"},
		{"a word that begins so", "/api/2.0/dapifications/doses", "/api/2.0/dapifications/doses"},
		{"escaped separators", "/a%2Fdapi" + hex + "%2Fb", "/a%2Fdapi…%2Fb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := CutPath(test.in, test.in); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := CutNames([]string{"Cookie", "Dapi" + hex}); !slices.Equal(got, []string{"Cookie", "…"}) {
		t.Errorf("header names: %q", got)
	}
	if got := CutMethod("DAPI" + strings.Repeat("x", 100)); len(got) > maxMethod {
		t.Errorf("method: %q", got)
	}
}

func TestComments(t *testing.T) {
	for _, test := range []struct {
		name, comment string
		mode          CommentMode
		want          string
	}{
		{"hashed", "nightly export", CommentHash, "sha256:d7fdb5293230158b"},
		{"plain", "nightly export", CommentPlain, "nightly export"},
		{"off", "nightly export", CommentOff, ""},
		{"none", "", CommentHash, ""},
		{"a mode that nobody knows", "nightly export", "", "sha256:d7fdb5293230158b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Comment(test.comment, test.mode); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if got := Comment(strings.Repeat("é", 1000), CommentPlain); len(got) > maxComment || !utf8.ValidString(got) {
		t.Errorf("a long comment: %q", got)
	}
}

func TestRequestIDs(t *testing.T) {
	for id, kept := range map[string]bool{
		"6f1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c11":  true,
		"6F1C3E0A-3B1F-4D9E-8A43-6A2F0D6B7C11":  true,
		"{6f1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c1}": false,
		"6f1c3e0a3b1f4d9e8a436a2f0d6b7c11":      false,
		"dapi6f1c3e0a3b1f4d9e8a436a2f0d6b7c11":  false,
		"zf1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c11":  false,
		"":                                      false,
	} {
		if got := CutRequestID(id) != ""; got != kept {
			t.Errorf("%q: kept %v", id, got)
		}
	}
}

// TestRehearsedRefusalsAreNotCountedAsEnforced: a policy may be rehearsed by a handler
// that enforces the rest.
func TestRehearsedRefusalsAreNotCountedAsEnforced(t *testing.T) {
	for _, mode := range []string{"enforce", "observe"} {
		counter := metrics.decisions.WithLabelValues("deny", "policy_denied", mode)
		before := testutil.ToFloat64(counter)
		metrics.Count(&Record{Judgement: judge.Judgement{Decision: judge.Deny, Reason: policy.PolicyDenied, Enforced: mode == "enforce"}})
		if got := testutil.ToFloat64(counter) - before; got != 1 {
			t.Errorf("mode %s counted %g", mode, got)
		}
	}
}

func TestMetricsOutliveRegistries(t *testing.T) {
	record := Record{Judgement: judge.Judgement{Decision: judge.Allow, Enforced: true, Reason: policy.Permitted, Facts: tokens.Facts{Source: tokens.FromCache}, Operation: &scopes.Operation{}}}
	before := testutil.ToFloat64(metrics.decisions.WithLabelValues("allow", "permitted", "enforce"))
	lost := dropped(SinkTraces)
	for load := range 3 {
		registry := prometheus.NewPedanticRegistry()
		for range 2 { // two handlers of one configuration
			m, err := Register(registry)
			if err != nil {
				t.Fatal(err)
			}
			m.Count(&record)
			m.CacheUsed("hit")
			m.CacheUsed("no such event")
			m.LookedUp("found", time.Millisecond)
			m.Synced("listed", 3, time.Second)
			m.AuthorityUp(load%2 == 0)
			m.AuditDropped("traces", 2)
			m.AuditDropped("no such sink", 1)
		}
		got := testutil.ToFloat64(metrics.decisions.WithLabelValues("allow", "permitted", "enforce"))
		if got != before+2 {
			t.Errorf("load %d: counted %g, want %g", load, got, before+2)
		}
		if got := dropped(SinkTraces) - lost; got != 4*(load+1) {
			t.Errorf("load %d: %d losses counted", load, got)
		}
		if got := testutil.CollectAndCount(metrics.dropped); got != 4 {
			t.Errorf("load %d: losses of %d sinks", load, got)
		}
		before = got
		problems, err := testutil.GatherAndLint(registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v %v", problems, err)
		}
	}
	if _, err := Register(nil); err != nil {
		t.Errorf("without a registry: %v", err)
	}
}
