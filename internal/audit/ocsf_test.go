package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/ocsf"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/ocsftest"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// events are records of every kind, by the names of their golden files.
var events = map[string]func(r *Record){
	"allowed": func(*Record) {},
	"denied": func(r *Record) {
		r.Decision, r.Reason, r.Status, r.UpstreamStatus, r.Held = judge.Deny, policy.MissingScope, 403, 0, []string{"sql"}
	},
	"policy": func(r *Record) {
		r.Decision, r.Reason, r.Status, r.UpstreamStatus = judge.Deny, policy.PolicyDenied, 403, 0
		r.Policy, r.Requirement = "analysts", "permits only sql"
	},
	"rehearsed": func(r *Record) {
		r.Decision, r.Reason, r.Enforced = judge.Deny, policy.PolicyDenied, false
		r.Policy, r.Requirement = "analysts", "permits only sql"
	},
	"optional": func(r *Record) {
		o := *r.Operation
		o.Optional = true
		r.Decision, r.Reason, r.Status, r.Operation = judge.Deny, policy.MissingScope, 403, &o
	},
	"open": func(r *Record) {
		r.Outcome, r.Status, r.UpstreamStatus, r.BytesSent, r.Duration = Open, 0, 0, 0, 5*time.Second
	},
	"public": func(r *Record) {
		r.Decision, r.Reason, r.Operation = judge.Public, policy.PublicRoute, &scopes.Operation{Name: "discovery.OIDC", Template: "/oidc/.well-known/{path...}", Access: scopes.Public}
		r.Facts, r.TokenID, r.Owner, r.Creator, r.Comment, r.Held = tokens.Facts{}, "", "", "", "", nil
	},
	"aborted": func(r *Record) { r.Outcome, r.Detail = Aborted, "" },
	"unreachable": func(r *Record) {
		r.Outcome, r.Detail, r.Status, r.UpstreamStatus = UpstreamUnreachable, "connection_refused", 503, 0
	},
	"panicked":     func(r *Record) { r.Outcome, r.Status, r.UpstreamStatus = Panicked, 0, 0 },
	"client-left":  func(r *Record) { r.Outcome, r.Status, r.UpstreamStatus = ClientLeft, 0, 0 },
	"upgraded":     func(r *Record) { r.Outcome, r.Status = Upgraded, 101 },
	"upstream-403": func(r *Record) { r.Status, r.UpstreamStatus = 403, 403 },
	"unavailable": func(r *Record) {
		r.Decision, r.Reason, r.Status, r.Detail = judge.Deny, policy.DirectoryUnavailable, 503, "timeout"
	},
	"path-redacted": func(r *Record) { r.Path = "" },
	"no-credential": func(r *Record) {
		r.Decision, r.Reason, r.Status, r.Operation = judge.Deny, policy.MissingCredential, 401, nil
		r.Facts, r.TokenID, r.Owner, r.Creator, r.Comment, r.Held = tokens.Facts{}, "", "", "", "", nil
	},
	"traced": func(r *Record) {
		r.Caller = parseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	},
	"odd": func(r *Record) {
		r.Method, r.ClientAddress, r.RequestID, r.Dropped = "FROB", "@", "", []string{"Cookie"}
		r.Owner = tokens.Unknown
	},
	"empty": func(r *Record) { *r = Record{Time: r.Time} },
}

// eventRecord is a record with everything that does not depend on the time of the test.
func eventRecord() *Record {
	r := typicalRecord()
	r.Time = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)
	r.RequestID, r.Owner = "5d41402a-bc4b-4a76-b971-9d911017c592", "etl@example.com"
	o := *r.Operation
	o.Effect = scopes.Read
	r.Operation = &o
	return r
}

// TestEvents: every kind of record is an event that the schema permits.
func TestEvents(t *testing.T) {
	t.Parallel()
	for name, change := range events {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := eventRecord()
			change(r)
			line := appendEvent(nil, r)
			if err := ocsftest.Validate(line); err != nil {
				t.Errorf("%v\n%s", err, line)
			}
			compareEvent(t, filepath.Join("testdata", "ocsf", name+".json"), line)
		})
	}
}

func compareEvent(t *testing.T, file string, line []byte) {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal(line, &event); err != nil {
		t.Fatal(err)
	}
	event["metadata"].(map[string]any)["product"].(map[string]any)["version"] = "(of the build)"
	got, err := json.MarshalIndent(event, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.TrimSuffix(string(want), "\n") {
		t.Errorf("run go test ./internal/audit -run Events -update\ngot\n%s\nwant\n%s", got, want)
	}
}

// TestEventsSayAll: every field of a record is in an event, in a place of its own or under
// its name.
func TestEventsSayAll(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for i := range fields {
		known[fields[i].name] = true
	}
	for name := range inEvents {
		if !known[name] {
			t.Errorf("no field is called %s", name)
		}
	}
	for i := range fields {
		if f := &fields[i]; f.key == "" && !f.inEvents {
			t.Errorf("%s is in no event", f.name)
		}
	}
}

// TestEventOutput: an output with this format has events only, and findings among them. One
// with the other format has no findings.
func TestEventOutput(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{"", FormatJSON, FormatOCSF} {
		out := newOutput()
		sinks := startOutput(out, Settings{Format: format, WhenFull: Drop}, new(told))
		r := eventRecord()
		sinks.Put(r, false)
		sinks.PutFinding(&ocsf.Finding{Key: "k", Kind: "excess_scopes", Text: "text", State: ocsf.FindingNew, Severity: ocsf.Low, Changed: r.Time})
		sinks.Close()
		sinks.Put(r, false) // late
		want := appendLine(nil, r)
		want = append(want, want...)
		if format == FormatOCSF {
			event := appendEvent(nil, r)
			found := ocsf.Finding{Key: "k", Kind: "excess_scopes", Text: "text", State: ocsf.FindingNew, Severity: ocsf.Low, Changed: r.Time}
			want = bytes.Join([][]byte{event, found.Append(nil), event}, nil)
		}
		if got := out.all.String(); got != string(want) {
			t.Errorf("format %q:\n%s\nwant\n%s", format, got, want)
		}
	}
}

// FuzzEvent: whatever clients and workspaces send, an event is one that the schema permits.
func FuzzEvent(f *testing.F) {
	f.Add("GET", "/api/2.1/jobs/list", "agent", "jobs", int64(200), int64(1))
	f.Add("FROB", "/%ff\"\\", "\xff\xfe\u2028", "\x00", int64(-1), int64(1e15+1))
	f.Fuzz(func(t *testing.T, method, path, agent, scope string, status, nanoseconds int64) {
		r := eventRecord()
		r.Method, r.Path, r.UserAgent, r.Creator, r.Owner, r.ClientAddress = method, path, agent, scope, scope, agent
		r.Held, r.Operations, r.Dropped = []string{scope, "", agent}, []string{path}, []string{agent}
		r.Status, r.BytesSent, r.FactsAge, r.Duration = int(status), status, time.Duration(nanoseconds), time.Duration(nanoseconds)
		r.Operation = &scopes.Operation{Name: agent, Template: path, AnyOf: []string{scope}}
		r.Policy, r.Requirement, r.Workspace = agent, path, scope
		if line := appendEvent(nil, r); ocsftest.Validate(line) != nil {
			t.Errorf("%v: %s", ocsftest.Validate(line), line)
		}
	})
}

// BenchmarkEventLine is BenchmarkOutputLine with format ocsf.
func BenchmarkEventLine(b *testing.B) {
	record := eventRecord()
	var lines []byte
	b.ReportAllocs()
	for b.Loop() {
		lines = appendEvent(lines[:0], record)
	}
	b.ReportMetric(float64(len(lines)), "bytes/line")
}
