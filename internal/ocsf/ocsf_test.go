package ocsf

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/ocsftest"
)

var rewrite = flag.Bool("update", false, "rewrite testdata/*.json")

var at = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

// checkEvent validates an event and compares it with its golden file.
func checkEvent(t *testing.T, name string, line []byte) {
	t.Helper()
	if err := ocsftest.Validate(line); err != nil {
		t.Errorf("%v\n%s", err, line)
	}
	if !Is(line) {
		t.Error("it is not known to be an event")
	}
	var event map[string]any
	if err := json.Unmarshal(line, &event); err != nil {
		t.Fatal(err)
	}
	event["metadata"].(map[string]any)["product"].(map[string]any)["version"] = "(of the build)"
	got, err := json.MarshalIndent(event, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".json")
	if *rewrite {
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
		t.Errorf("run go test ./internal/ocsf -update\ngot\n%s\nwant\n%s", got, want)
	}
}

func finding(state FindingState) Finding {
	return Finding{
		Key: "unused_scopes:abababab", Workspace: "https://w.cloud.databricks.com", Kind: "unused_scopes", Text: "the token holds 4 scopes and uses 1", Do: "narrow it to jobs",
		TokenID: strings.Repeat("ab", 32), Owner: "etl@example.com", State: state, Severity: Medium, Since: at, Changed: at.Add(time.Hour),
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]Finding{
		"finding-new":          finding(FindingNew),
		"finding-acknowledged": finding(FindingAcknowledged),
		"finding-resolved":     finding(FindingResolved),
		"finding-map":          {Key: "map_disagreement:jobs.List", Kind: "map_disagreement", Text: "the map is wrong", Operation: "jobs.List", State: FindingNew, Severity: High, Since: at, Changed: at},
		"finding-least":        {State: FindingNew, Severity: Low, Changed: at, Kind: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkEvent(t, name, f.Append(nil))
		})
	}
}

// TestKinds: what a request does is told by its operation, or else by its method.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method, operation string
		reads             bool
		id                int
		caption           string
	}{
		{"GET", "jobs.List", true, 2, "Read"},
		{"POST", "sql.QueryHistory.List", true, 2, "Read"},
		{"GET", "", false, 2, "Read"},
		{"POST", "jobs.Create", false, 1, "Create"},
		{"POST", "jobs.RunNow", false, 99, "RunNow"},
		{"POST", "jobs.Delete", false, 4, "Delete"},
		{"DELETE", "", false, 4, "Delete"},
		{"PATCH", "sql.Alerts.Anything", false, 3, "Update"},
		{"POST", "compute.Clusters.Edit", false, 3, "Update"},
		{"POST", "", false, 99, "POST"},
		{"", "", false, 0, "Unknown"},
	} {
		c := Call{Method: test.method, Operation: test.operation, Reads: test.reads, Action: Allowed, Severity: Informational, Status: Success, Arrived: at}
		if got := c.kind(); got != (enum{test.id, test.caption}) {
			t.Errorf("%+v: got %+v", test, got)
		}
		if err := ocsftest.Validate(c.Append(nil)); err != nil {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestUnmappedIsNotValid: the event is written without it.
func TestUnmappedIsNotValid(t *testing.T) {
	t.Parallel()
	c := Call{Action: Denied, Severity: Medium, Status: Failure, Arrived: at, Unmapped: json.RawMessage(`{`)}
	before := []byte("a line\n")
	line := c.Append(before)[len(before):]
	if err := ocsftest.Validate(line); err != nil {
		t.Errorf("%v: %s", err, line)
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`{"type_uid":600302,"class_uid":6003}`:                     true,
		`{"msg":"decision","path":"/\"class_uid\":\"type_uid\":"}`: false,
		``: false,
	} {
		if got := Is([]byte(line)); got != want {
			t.Errorf("%s: %t", line, got)
		}
	}
}

// FuzzActivity: whatever texts are, an event is one line that the schema permits.
func FuzzActivity(f *testing.F) {
	f.Add("GET", "/api/2.1/jobs/list", "agent", "10.0.0.1", "jobs.List", int64(200))
	f.Add("\xff\n", "/\"\\\u2028<&>", "\x00", "fe80::1%eth0", "..", int64(-1))
	f.Add("", "", "", "::ffff:1.2.3.4", "", int64(0))
	f.Fuzz(func(t *testing.T, method, path, agent, address, operation string, n int64) {
		for _, action := range []Action{Allowed, Denied, Observed} {
			c := Call{
				Arrived: time.UnixMilli(n % (1 << 50)), RequestID: path, TraceID: agent, Method: method, Path: path, Host: address, UserAgent: agent, Address: address, Received: n,
				Operation: operation, TokenID: operation, UserID: n, User: agent, Action: action, Severity: High, Status: Unfinished, Reason: method, Detail: path, Error: agent,
				Policy: method, Asks: agent, PolicyVersion: path, Code: int(n), Sent: n, Took: time.Duration(n),
			}
			if err := ocsftest.Validate(c.Append(nil)); err != nil {
				t.Errorf("%v: %s", err, c.Append(nil))
			}
			found := Finding{Key: path, Kind: method, Text: agent, Do: operation, Workspace: operation, Operation: path, TokenID: address, Owner: method, State: FindingNew, Severity: Low, Since: time.UnixMilli(n % (1 << 50)), Changed: c.Arrived}
			if err := ocsftest.Validate(found.Append(nil)); err != nil {
				t.Errorf("%v: %s", err, found.Append(nil))
			}
		}
	})
}
