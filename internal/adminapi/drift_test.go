package adminapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// learned adds lessons to what a gateway has seen: about jobs.List, which the workspace
// refused, and about what it confirmed.
func learned(seen *fakeUsage) {
	row := func(path string) scopes.Operation {
		readings, err := scopes.Default().Read("GET", path, nil)
		if err != nil {
			panic(err)
		}
		return *readings[0].Operation
	}
	seen.state.Lessons = []usage.Lesson{
		{Operation: row("/api/2.2/jobs/list"), Disagreed: 2, First: now, Last: now, Refused: []usage.Refusal{{Named: []string{"sql"}, Held: []string{"jobs"}, Count: 2, First: now, Last: now}}},
		{Operation: row("/api/2.0/sql/warehouses"), Agreed: 1204, First: now, Last: now},
	}
}

func TestDrift(t *testing.T) {
	g, _, seen := newFake()
	learned(seen)
	server := serve(t, g)
	for _, test := range []struct {
		target          string
		status          int
		contains, lacks string
	}{
		{"drift", 200, `"correction": "sql"`, "sql.Warehouses.List"},
		{"drift?format=json&all=true", 200, `"sql.Warehouses.List"`, "\x00"},
		{"drift?format=table", 200, "To correct 1 row here: scopegate scopes drift --write", "sql.Warehouses.List"},
		{"drift?format=csv&workspace=" + workspaceURL, 200, "wrong,jobs.List,GET,/api/2.2/jobs/list,jobs,", "confirmed"},
		{"drift?format=xml", 400, "json, csv or table, not", "\x00"},
		{"drift?all=maybe", 400, "all must be true or false", "\x00"},
		{"drift?al=true", 400, "unknown parameter", "\x00"},
		{"drift?workspace=https://other.example.com", 404, "no databricks_scopes handler for that workspace", "\x00"},
		{"explain?method=GET&path=/api/2.0/sql/warehouses&scopes=sql", 200, `"confirmed_here":1204`, "\x00"},
		{"explain?method=GET&path=/api/2.2/jobs/get&scopes=sql", 200, `"jobs.Get"`, "confirmed_here"},
		{"usage?format=table", 200, "The workspace's answers confirm the map for 1 operation, and contradict it for 1", "\x00"},
	} {
		status, body := do(t, server, http.MethodGet, test.target)
		if status != test.status || !strings.Contains(body, test.contains) || strings.Contains(body, test.lacks) {
			t.Errorf("%s: %d %s", test.target, status, body)
		}
	}
	if status, _ := do(t, server, http.MethodPost, "drift"); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", status)
	}
}

// TestDriftInPart: the report says what it does not rest on.
func TestDriftInPart(t *testing.T) {
	g, _, seen := newFake()
	learned(seen)
	seen.err = errors.New("the disk is gone")
	other := *g.judges[0].Judge
	catalog, err := scopes.Default().With([]scopes.Operation{{Method: "GET", Template: "/api/2.2/jobs/list", AnyOf: []string{"sql"}, Evidence: scopes.Observed, Name: "x", Source: "y"}})
	if err != nil {
		t.Fatal(err)
	}
	other.Catalog = catalog
	for _, test := range []struct {
		judges []Judge
		state  usage.DriftState
		notes  int
	}{
		{g.judges, usage.DriftWrong, 1},
		{[]Judge{{Judge: &other, Key: "same"}}, usage.DriftCorrected, 1},
		{[]Judge{g.judges[0], {Judge: &other, Key: "other"}}, usage.DriftWrong, 2},
	} {
		g.judges = test.judges
		_, body := do(t, serve(t, g), http.MethodGet, "drift?all=true")
		var drift usage.Drift
		if err := json.Unmarshal([]byte(body), &drift); err != nil || len(drift.Notes) != test.notes || !strings.Contains(drift.Notes[0], "the disk is gone") || drift.Rows[0].State != test.state && drift.Rows[1].State != test.state {
			t.Errorf("%v %s", err, body)
		}
	}
}
