package findings

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func shownBook(t *testing.T) *Book {
	t.Helper()
	b := NewBook(Options{Workspace: workspaceURL, Now: func() time.Time { return now.Add(2 * time.Hour) }})
	s, _ := saved(t)
	for key, f := range s.findings {
		f.Owner, f.OwnerID, f.Workspace = "=etl@example.com", 7, workspaceURL
		s.findings[key] = f
	}
	b.keep(s)
	return b
}

func TestFilter(t *testing.T) {
	t.Parallel()
	b := shownBook(t)
	for _, test := range []struct {
		name   string
		filter Filter
		want   int
	}{
		{"what holds", Filter{}, 2},
		{"new", Filter{State: New}, 1},
		{"resolved", Filter{State: Resolved}, 2},
		{"a kind", Filter{State: Resolved, Kind: MapDisagreement}, 1},
		{"another kind", Filter{Kind: Unused}, 0},
		{"an owner", Filter{Owner: "*ETL@*"}, 2},
		{"an owner's number", Filter{Owner: "7"}, 2},
		{"another owner", Filter{Owner: "bob"}, 0},
		{"a token", Filter{TokenID: strings.ToUpper(idOf(1)[:8])}, 1},
	} {
		report := b.Report(test.filter)
		if len(report.Findings) != test.want || report.Counts[New] != 1 || report.Counts[Acknowledged] != 1 || report.Counts[Resolved] != 2 {
			t.Errorf("%s: %d findings, counts %v", test.name, len(report.Findings), report.Counts)
		}
	}
	if _, err := ParseKind("unscopd"); err == nil || !strings.Contains(err.Error(), "did you mean unscoped?") {
		t.Error(err)
	}
	if _, err := ParseState("knew"); err == nil || !strings.Contains(err.Error(), "did you mean new?") {
		t.Error(err)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	b := shownBook(t)
	report := b.Report(Filter{})
	var out bytes.Buffer
	if err := report.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"1 new, 1 acknowledged, 2 resolved within 30 days; not evaluated yet.\n",
		"unscoped:" + idOf(1)[:12] + "  high      new ", "2026-03-01", "text (acknowledged by ops until 2026-03-02: why)",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the table lacks %q:\n%s", part, out.String())
		}
	}
	out.Reset()
	if err := report.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 || !slices.Equal(rows[0], columns) || rows[1][6] != "'=etl@example.com" || rows[2][15] != "why" {
		t.Errorf("%v, %q", err, rows)
	}
	out.Reset()
	if err := report.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(out.Bytes(), &again); err != nil || len(again.Findings) != 2 || again.Findings[0].Key != report.Findings[0].Key {
		t.Errorf("%v, %+v", err, again)
	}
}

// TestListIsACopy: who reads cannot change what others see.
func TestListIsACopy(t *testing.T) {
	t.Parallel()
	b := shownBook(t)
	for _, f := range b.List() {
		if f.Acknowledged != nil {
			f.Acknowledged.Note = "changed"
		}
	}
	for _, f := range b.List() {
		if f.Acknowledged != nil && f.Acknowledged.Note != "why" {
			t.Errorf("the note is %q", f.Acknowledged.Note)
		}
	}
}
