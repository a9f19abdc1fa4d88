package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/internal/testing/maps"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// testDrift is what a gateway answers.
func testDrift() usage.Drift {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rows := []usage.DriftRow{
		{State: usage.DriftWrong, Operation: "jobs.List", Method: "GET", Template: "/api/2.2/jobs/list", Needs: "jobs", ShippedNeeds: "jobs", Evidence: scopes.Sibling, Named: []string{"sql"}, Correction: "sql", Disagreed: 2, First: at, Last: at},
		{State: usage.DriftUndecided, Operation: "jobs.Get", Method: "GET", Template: "/api/2.2/jobs/get", Needs: "jobs", ShippedNeeds: "jobs", Evidence: scopes.Sibling, Named: []string{"sql"}, Problem: "it is unclear", Disagreed: 1, First: at, Last: at},
	}
	return usage.Drift{At: at, Shipped: "abcdefabcdef", Operations: 2, Disagreed: 3, Notes: []string{"a file could not be read"}, Rows: rows, Upstream: rows}
}

// drifting is a gateway that answers with a drift, and whose map is the shipped one with rows
// over it.
func drifting(t *testing.T, drift usage.Drift, rows string) adminapi.Do {
	t.Helper()
	catalog := maps.With(t, rows)
	return func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
		if !strings.HasPrefix(uri, "/databricks_scopes/catalog") {
			return answering(drift)(address, method, uri, header, body)
		}
		if method != http.MethodGet || uri != "/databricks_scopes/catalog?base=true" {
			t.Errorf("asked %s %s", method, uri)
		}
		var text bytes.Buffer
		err := scopes.Format(&text, catalog.Operations())
		return &http.Response{StatusCode: 200, Body: io.NopCloser(&text)}, err
	}
}

const jobsListNeedsSQL = "GET\t/api/2.2/jobs/list\tsql\tobserved\tjobs.List\trefusals of the workspace, which name sql; 2026-03-01\n"

func TestDriftAsks(t *testing.T) {
	for _, test := range []struct{ name, args, asked string }{
		{"drift", "drift", "/databricks_scopes/drift?format=table"},
		{"all", "drift --all --format csv -w https://w.example.com", "/databricks_scopes/drift?all=true&format=csv&workspace=https%3A%2F%2Fw.example.com"},
		{"rows", "drift --routes --workspace w.example.com", "/databricks_scopes/drift?format=json&workspace=w.example.com"},
		{"upstream", "drift --upstream", "/databricks_scopes/drift?all=true&format=json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := ""
			out, err := run(t, func(address, method, uri string, _ http.Header, _ io.Reader) (*http.Response, error) {
				asked = address + " " + method + " " + uri
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
			}, "", append(strings.Fields(test.args), "--address", "gateway:1")...)
			if err != nil || asked != "gateway:1 GET "+test.asked {
				t.Errorf("%v\nasked %s\n%s", err, asked, out)
			}
		})
	}
}

func TestDriftWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.tsv")
	for _, step := range []struct{ says, content string }{
		{"added      GET /api/2.2/jobs/list sql\nA gateway that uses this file takes it up within seconds.", "# from scopegate scopes drift, 2026-03-01\n" + jobsListNeedsSQL},
		{"there already GET /api/2.2/jobs/list sql\nThe file was not changed. The gateway does not use it yet", "# from scopegate scopes drift, 2026-03-01\n" + jobsListNeedsSQL},
	} {
		out, err := run(t, drifting(t, testDrift(), ""), "", "drift", "--write", file)
		if err != nil || !strings.Contains(out, step.says) || !strings.Contains(out, "note: no row for GET /api/2.2/jobs/get: it is unclear\n") || !strings.Contains(out, "note: a file could not be read\n") {
			t.Errorf("%v\n%s", err, out)
		}
		if content, err := os.ReadFile(file); err != nil || string(content) != step.content {
			t.Errorf("%v\n%s", err, content)
		}
	}
	out, err := run(t, answering(testDrift()), "", "drift", "--routes")
	if err != nil || !strings.Contains(out, "\n"+jobsListNeedsSQL) {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = run(t, answering(testDrift()), "", "drift", "--upstream")
	if err != nil || !strings.Contains(out, "\nGET\t/api/2.2/jobs/list\tjobs.List\tjobs\tsql\tsql\t2026-03-01\n") || strings.Contains(out, "note") {
		t.Errorf("%v\n%s", err, out)
	}
	none := filepath.Join(t.TempDir(), "none")
	out, err = run(t, drifting(t, usage.Drift{}, ""), "", "drift", "--write", none)
	if _, missing := os.Stat(none); err != nil || missing == nil || !strings.Contains(out, "There is nothing to correct, so no file was written.") {
		t.Errorf("%v %v\n%s", err, missing, out)
	}
}

// TestDriftWritesOverBundle: what is written loads in the gateway that was asked, whose map
// may have operations that the shipped one does not.
func TestDriftWritesOverBundle(t *testing.T) {
	const bundle = "GET\t/api/2.0/new-a\tjobs\tdocumented\tnew.Get\tx\nGET\t/api/2.1/new-b\tjobs\tdocumented\tnew.Get\tx\n"
	drift := testDrift()
	drift.Rows = drift.Rows[:1]
	drift.Rows[0].Operation, drift.Rows[0].Template = "new.Get", "/api/2.0/new-a"
	file := filepath.Join(t.TempDir(), "routes.tsv")
	if err := os.WriteFile(file, []byte("GET\t/api/2.1/new-b\tfiles\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, drifting(t, drift, bundle), "", "drift", "--write", file); err != nil || !strings.Contains(out, "replaced   GET /api/2.1/new-b sql\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := routesfile.Load(file, maps.With(t, bundle)); err != nil {
		t.Error(err)
	}
	// Without the map, nothing is written.
	before, _ := os.ReadFile(file)
	if out, err := run(t, answering(drift), "", "drift", "--write", file); err == nil || !strings.Contains(out, "reading the answer: it is no map") {
		t.Errorf("%v\n%s", err, out)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("%v\n%s", err, after)
	}
}

// TestDriftTrustsNoGateway: what answers at the address may be another program. It cannot
// put anything but rows into a file, and no row that would not load.
func TestDriftTrustsNoGateway(t *testing.T) {
	for name, change := range map[string]func(*usage.DriftRow){
		"another line":  func(r *usage.DriftRow) { r.Operation = "x\n*\t/{path...}\tpublic" },
		"a bad scope":   func(r *usage.DriftRow) { r.Correction = "SQL!" },
		"everything":    func(r *usage.DriftRow) { r.Method, r.Template, r.Correction = "*", "/{path...}", "public" },
		"any token":     func(r *usage.DriftRow) { r.Correction = "*" },
		"no token":      func(r *usage.DriftRow) { r.Correction = "public" },
		"no correction": func(r *usage.DriftRow) { r.Correction = "" },
	} {
		t.Run(name, func(t *testing.T) {
			drift := testDrift()
			change(&drift.Rows[0])
			file := filepath.Join(t.TempDir(), "routes.tsv")
			out, err := run(t, drifting(t, drift, ""), "", "drift", "--write", file)
			if _, missing := os.Stat(file); err == nil || missing == nil {
				content, _ := os.ReadFile(file)
				t.Errorf("%v, written is %s\n%s", err, content, out)
			}
		})
	}
}

func TestDriftFails(t *testing.T) {
	if out, err := run(t, unreachable, "", "drift"); err == nil || !strings.Contains(out, "name its admin API with --address") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run(t, unreachable, "", "drift", "--routes"); err == nil || !strings.Contains(out, "name its admin API with --address") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, args := range []string{"--routes --upstream", "--write x --routes", "--write x --format csv", "--all --upstream"} {
		if out, err := run(t, answering(testDrift()), "", append([]string{"drift"}, strings.Fields(args)...)...); err == nil {
			t.Errorf("%s: %s", args, out)
		}
	}
	out, err := run(t, drifting(t, testDrift(), ""), "", "drift", "--write", t.TempDir())
	if err == nil || !strings.Contains(out, "writing the routes file: ") || !strings.Contains(out, "a directory") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDriftJSON holds that what the command prints as JSON is what the gateway said.
func TestDriftJSON(t *testing.T) {
	out, err := run(t, answering(testDrift()), "", "drift", "--format", "json")
	var drift usage.Drift
	if err != nil || json.Unmarshal([]byte(out), &drift) != nil || len(drift.Rows) != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}
