package usage

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// testDrift has a row in each state, and one that the gateway does not ship with.
func testDrift() Drift {
	d := Drift{At: noon, Shipped: "abcdefabcdef", Operations: 6, Agreed: 1207, Disagreed: 43, Rows: []DriftRow{
		{State: DriftConfirmed, Operation: "jobs.Get", Method: "GET", Template: "/api/2.2/jobs/get", Needs: "jobs", ShippedNeeds: "jobs", Evidence: scopes.Sibling, Named: []string{}, Agreed: 1204, First: noon.Add(-9 * day), Last: noon},
		{State: DriftWrong, Operation: "jobs.List", Method: "GET", Template: "/api/2.2/jobs/list", Needs: "jobs", ShippedNeeds: "jobs", Evidence: scopes.Sibling, Named: []string{"reading"}, Correction: "jobs+reading,sql", Disagreed: 12, First: noon.Add(-2 * day), Last: noon},
		{State: DriftWrong, Operation: "internal.Secret", Method: "GET", Template: "/api/2.0/customer/thing", Needs: "jobs", Evidence: scopes.Operator, Named: []string{"reading"}, Correction: "reading", Disagreed: 17, First: noon, Last: noon},
		{State: DriftUndecided, Operation: "unmapped", Method: "*", Template: "/{path...}", Needs: "all-apis", Evidence: scopes.Unmapped, Named: []string{}, Problem: "no path is kept", Disagreed: 13, First: noon, Last: noon},
		{State: DriftCorrected, Operation: "iam.CurrentUser.Me", Method: "GET", Template: "/api/2.0/preview/scim/v2/Me", Needs: "scim", ShippedNeeds: "*", Evidence: scopes.Observed, Named: []string{"scim"}, Correction: "scim", Agreed: 3, Disagreed: 1, First: noon, Last: noon},
	}}
	d.Upstream = []DriftRow{
		{State: DriftWrong, Operation: "jobs.List", Method: "GET", Template: "/api/2.2/jobs/list", Needs: "jobs", ShippedNeeds: "jobs", Evidence: scopes.Sibling, Named: []string{"reading"}, Correction: "jobs+reading,sql", Disagreed: 12, First: noon.Add(-2 * day), Last: noon},
		{State: DriftUndecided, Operation: "iam.CurrentUser.Me", Method: "GET", Template: "/api/2.0/preview/scim/v2/Me", Needs: "*", ShippedNeeds: "*", Evidence: scopes.Documented, Named: []string{}, Problem: "x", Disagreed: 1, First: noon, Last: noon},
	}
	d.sort()
	return d
}

func TestDriftTable(t *testing.T) {
	d := testDrift()
	d.Notes = []string{"something is missing\x1b[31m"}
	var out strings.Builder
	if err := d.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	const want = `1250 answers of the workspace about 6 operations: 1207 agreed with the map, 43 disagreed.
Note: something is missing\u{1b}[31m

STATE      OPERATION           REQUEST                          MAP SAYS  WORKSPACE SAYS           AGREED  DISAGREED  FIRST       LAST
wrong      internal.Secret     GET /api/2.0/customer/thing      jobs      reading                  0       17         2026-07-01  2026-07-01
wrong      jobs.List           GET /api/2.2/jobs/list           jobs      jobs and reading or sql  0       12         2026-06-29  2026-07-01
undecided  unmapped            * /{path...}                     all-apis  ?                        0       13         2026-07-01  2026-07-01
corrected  iam.CurrentUser.Me  GET /api/2.0/preview/scim/v2/Me  scim      scim                     3       1          2026-07-01  2026-07-01
confirmed  jobs.Get            GET /api/2.2/jobs/get            jobs      the same                 1204    0          2026-06-22  2026-07-01

Undecided: * /{path...}: no path is kept.
To correct 2 rows here: scopegate scopes drift --write routes.tsv, the file that the option
routes names. To have the map corrected for all: scopegate scopes drift --upstream.
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestDriftWithoutDisagreement(t *testing.T) {
	for want, d := range map[string]Drift{
		"No answer of the workspace could be compared with the map yet.\n":                                                    {},
		"2 answers of the workspace about 1 operation: 2 agreed with the map, 0 disagreed.\n\nThere is nothing to correct.\n": {Operations: 1, Agreed: 2},
	} {
		var out strings.Builder
		if err := d.WriteTable(&out); err != nil || out.String() != want {
			t.Errorf("%v, got\n%s\nwant\n%s", err, out.String(), want)
		}
	}
}

func TestDriftCSVAndJSON(t *testing.T) {
	d := testDrift()
	d.Rows[0].Operation = "=cmd()"
	var csv, doc strings.Builder
	if err := d.WriteCSV(&csv); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(csv.String(), "\n")
	if len(lines) != 7 || lines[1] != "wrong,'=cmd(),GET,/api/2.0/customer/thing,jobs,operator,,reading,reading,,0,17,2026-07-01T12:00:00Z,2026-07-01T12:00:00Z" {
		t.Errorf("%q", lines)
	}
	if err := d.WriteJSON(&doc); err != nil {
		t.Fatal(err)
	}
	var read Drift
	if err := json.Unmarshal([]byte(doc.String()), &read); err != nil || !reflect.DeepEqual(read, d) {
		t.Errorf("%v, read %+v", err, read)
	}
	if open := d.Open(); len(open.Rows) != 3 || len(d.Rows) != 5 {
		t.Errorf("open are %+v", open.Rows)
	}
}

// TestDriftUpstream: what is sent to others has nothing of the customer's.
func TestDriftUpstream(t *testing.T) {
	d := testDrift()
	var out strings.Builder
	if err := d.WriteUpstream(&out); err != nil {
		t.Fatal(err)
	}
	const want = `# Rows of the scopegate map that a workspace's answers contradict.
# catalog abcdefabcdef, reported 2026-07-01
# method	template	operation	shipped	answers say	named in refusals	last seen
GET	/api/2.2/jobs/list	jobs.List	jobs	jobs+reading,sql	reading	2026-07-01
GET	/api/2.0/preview/scim/v2/Me	iam.CurrentUser.Me	*	?	-	2026-07-01
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestCorrections: corrected rows can be loaded. What a gateway says that cannot is an
// error.
func TestCorrections(t *testing.T) {
	d := testDrift()
	rows, err := d.Corrections()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v %+v", err, rows)
	}
	want := scopes.Operation{Method: "GET", Template: "/api/2.2/jobs/list", AnyOf: []string{"jobs+reading", "sql"}, Evidence: scopes.Observed, Name: "jobs.List",
		Source: "refusals of the workspace, which name reading; 2026-06-29 to 2026-07-01"}
	if !reflect.DeepEqual(rows[1], want) {
		t.Errorf("%+v", rows[1])
	}
	for _, hostile := range []DriftRow{
		{State: DriftWrong, Operation: "a\tb", Method: "GET", Template: "/a", Correction: "x"},
		{State: DriftWrong, Operation: "a\n*\t/{path...}\tpublic", Method: "GET", Template: "/a", Correction: "x"},
		{State: DriftWrong, Operation: "a", Method: "GET", Template: "a", Correction: "x"},
		{State: DriftWrong, Operation: "a", Method: "GET", Template: "/a", Correction: "X y"},
	} {
		d := Drift{Rows: []DriftRow{hostile}}
		if rows, err := d.Corrections(); err == nil {
			t.Errorf("%+v became %+v", hostile, rows)
		}
	}
}
