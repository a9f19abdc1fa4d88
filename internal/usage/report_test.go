package usage

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// goodReport has a token of every kind, by what its comment says.
func goodReport(t testing.TB) Report {
	t.Helper()
	now := noon.Add(10 * day)
	state := State{Since: noon, Cut: Cut{Entries: 3, Calls: 40, Since: noon.Add(day), Last: noon.Add(day)}}
	see := func(name string, texts ...string) {
		k := seenToken(texts...)
		k.ID, k.OwnerID, k.Creator = id(name), 7, "admin@example.com"
		state.Tokens = append(state.Tokens, k)
	}
	see("narrow", "a: jobs", "b: jobs")
	see("legacy", "a: jobs", "u: unmapped", "would c: sql")
	see("revoked", "a: sql")
	short := seenToken("a: jobs", "would b: sql", "refused c: scim")
	short.ID, short.First, short.Cut = id("short"), short.Last, Cut{Entries: 1, Calls: 2, Since: noon}
	state.Tokens = append(state.Tokens, short)
	sortTokens(state.Tokens)
	token := func(name, owner string, held string, change func(*ListedToken)) ListedToken {
		l := ListedToken{ID: id(name), OwnerID: int64(len(name)), OwnerName: owner, Creator: "admin@example.com", Comment: name}
		l.Scopes, l.Created, l.Expires = strings.Fields(held), now.Add(-100*day), now.Add(90*day)
		if change != nil {
			change(&l)
		}
		return l
	}
	return NewReport(state, []ListedToken{
		token("narrow", "etl@example.com", "jobs sql", nil),
		token("legacy", "bi@example.com", "", func(l *ListedToken) { l.Expires, l.NeverExpires = time.Time{}, true }),
		token("short", "", "jobs", func(l *ListedToken) { l.Expires, l.AutoscopeState = now.Add(10*day), "RUNNING" }),
		token("idle", "etl@example.com", "all-apis", func(l *ListedToken) { l.LastUsed = now.Add(-60 * day) }),
		token("elsewhere", "etl@example.com", "sql", func(l *ListedToken) { l.LastUsed = now.Add(-29 * day).Truncate(day) }),
		token("new", "", "sql", func(l *ListedToken) { l.Created = now.Add(-day) }),
		token("expired", "Old@example.com", "sql", func(l *ListedToken) { l.Expires = now.Add(-day) }),
	}, now)
}

// TestReportOptional: what clients go on without is noted, and no denial.
func TestReportOptional(t *testing.T) {
	t.Parallel()
	seen := seenToken("a: jobs", "refused b: optional all-apis")
	r := NewReport(State{Since: noon, Tokens: []Token{seen}}, []ListedToken{{ID: seen.ID, TokenFacts: TokenFacts{Scopes: []string{"jobs"}}}}, noon)
	row := r.Rows[0]
	if notes := strings.Join(row.notes(noon), ", "); notes != "30 optional calls refused" || row.Seen.Denied != 0 || row.uses() != "jobs" {
		t.Errorf("got %s, %+v", notes, row)
	}
}

func names(r Report) string {
	known := map[string]string{id("revoked"): "revoked"}
	var s []string
	for _, row := range r.Rows {
		name := row.Comment
		if name == "" {
			name = known[row.ID]
		}
		s = append(s, name)
	}
	return strings.Join(s, " ")
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := goodReport(t)
	if r.Tokens != 8 || r.Days != 11 || r.Calls != 270 || !r.Listed || r.Cut.Entries != 3 {
		t.Errorf("got %+v", r)
	}
	for _, row := range r.Rows {
		got := fmt.Sprintf("%v %v %v / %s / %s / %s", row.Listed, row.Gone, row.Unscoped, row.holds(), row.uses(), strings.Join(row.notes(r.At), ", "))
		want := map[string]string{
			"narrow":    "true false false / jobs sql / jobs / ",
			"legacy":    "true false true / (everything) / all-apis / needs all-apis",
			"short":     "true false false / jobs / jobs +sql / little evidence, cut: 1 operation dropped since 2026-07-01; all evidence about 3 tokens was dropped since 2026-07-02, autoscope running",
			"idle":      "true false true / all-apis /  / evidence missing: not seen since 2026-07-02 12:00; before, all evidence about 3 tokens was dropped since 2026-07-02",
			"elsewhere": "true false false / sql /  / evidence missing: not seen since 2026-07-02 12:00; before, all evidence about 3 tokens was dropped since 2026-07-02",
			"new":       "true false false / sql /  / never seen",
			"expired":   "true false false / sql /  / expired, evidence missing: not seen since 2026-07-02 12:00; before, all evidence about 3 tokens was dropped since 2026-07-02",
			"":          "false true false / ? / sql / gone",
		}[row.Comment]
		if got != want {
			t.Errorf("%s: got %s, want %s", row.Comment, got, want)
		}
	}
}

func TestReportWithoutList(t *testing.T) {
	t.Parallel()
	state := State{Since: noon, Tokens: []Token{seenToken("a: jobs")}}
	r := NewReport(state, nil, noon)
	if r.Listed || len(r.Rows) != 1 || r.Rows[0].Gone || r.Rows[0].Listed || r.Rows[0].Unscoped {
		t.Errorf("got %+v", r)
	}
	if r := NewReport(state, []ListedToken{}, noon); !r.Listed || !r.Rows[0].Gone {
		t.Errorf("got %+v", r)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	r := goodReport(t)
	for _, test := range []struct {
		name   string
		filter Filter
		want   string
	}{
		{"all", Filter{}, "elsewhere expired idle legacy narrow new revoked short"},
		{"unscoped", Filter{Unscoped: true}, "idle legacy"},
		{"no expiry", Filter{NoExpiry: true}, "legacy"},
		{"unused", Filter{Unused: 30 * day}, "idle"}, // expired may have been used,
		{"unused for less", Filter{Unused: 27 * day}, "elsewhere idle"},
		{"unused for a moment", Filter{Unused: 1}, "elsewhere expired idle new"},
		{"expiring", Filter{Expiring: 14 * day}, "short"},
		{"expiring some day", Filter{Expiring: 1000 * day}, "elsewhere idle narrow new short"},
		{"owner", Filter{Owner: "etl@*"}, "elsewhere idle narrow"},
		{"owner in another letter case", Filter{Owner: "old@EXAMPLE.com"}, "expired"},
		{"owner by number", Filter{Owner: "7"}, "expired revoked"},
		{"unknown owner", Filter{Owner: "etl"}, ""},
		{"both", Filter{Unscoped: true, Owner: "?i@*"}, "legacy"},
		{"text in the owner's name", Filter{Text: "OLD@"}, "expired"},
		{"text in the comment", Filter{Text: "egac"}, "legacy"},
		{"text in the id", Filter{Text: id("revoked")[:10]}, "revoked"},
		{"text that is nowhere", Filter{Text: "*"}, ""},
		{"refused", Filter{Refused: true}, "legacy short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := r.Filter(test.filter)
			picked := strings.Fields(names(got))
			if got := strings.Join(without(picked), " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got.Tokens != 8 || len(r.Rows) != 8 {
				t.Error("the filter changed what is counted")
			}
		})
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "a", true}, {"*", "", false}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c*e", "abcde", true},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"ü", "Ü", true}, {"a.c", "abc", false}, {"a*b*c", "acb", false}, {"abc", "abcd", false},
	} {
		if got := glob(test.pattern, test.text); got != test.want {
			t.Errorf("%s matches %s: %v", test.pattern, test.text, got)
		}
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	r := goodReport(t)
	for order, want := range map[Order]string{
		ByCalls:   "legacy short narrow revoked",
		ByDenials: "short legacy",
		ByLast:    "new expired idle",
		ByExpiry:  "expired short",
		ByAge:     "", // by id, for most
		ByOwner:   "",
		ByUnmap:   "legacy",
	} {
		parsed, err := ParseOrder(string(order))
		if err != nil {
			t.Fatal(err)
		}
		r.Sort(parsed)
		got := names(r)
		if order == ByLast { // those that were never used are sorted by id
			got = strings.Replace(got, "expired new", "new expired", 1)
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("by %s: got %s", order, got)
		}
		again := goodReport(t)
		again.Sort(order)
		if !reflect.DeepEqual(again, r) {
			t.Errorf("by %s: another order the second time", order)
		}
	}
	if _, err := ParseOrder("size"); err == nil || !strings.Contains(err.Error(), "calls, denials") {
		t.Errorf("got %v", err)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := goodReport(t)
	r.Rows[0].Comment = "red \x1b[31m\ttab\nline \u202egnp"
	var out strings.Builder
	if err := r.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if lines[0] != "8 tokens; 270 calls recorded since 2026-07-01 (11 days)." ||
		lines[1] != "Cut: 3 tokens with 40 calls, the least recently used, dropped since 2026-07-02." || len(lines) != 3+1+8 {
		t.Errorf("got\n%s", &out)
	}
	at := strings.Index(lines[3], "CALLS")
	for _, line := range lines[4:] {
		if cells := []rune(line); len(cells) <= at || cells[at-1] != ' ' || cells[at] == ' ' {
			t.Errorf("not aligned: %s", line)
		}
		if strings.ContainsAny(line, "\x1b\t\u202e") {
			t.Errorf("%q has what a terminal obeys", line)
		}
	}
	filtered := r.Filter(Filter{Owner: "unknown"})
	filtered.Listed, filtered.Since = false, time.Time{}
	out.Reset()
	if err := filtered.WriteTable(&out); err != nil || !strings.HasPrefix(out.String(), "0 of 8 tokens; nothing recorded yet.\n") || !strings.Contains(out.String(), "is unavailable") {
		t.Errorf("got %s, %v", &out, err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r := goodReport(t)
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil || strings.Contains(out.String(), "null") {
		t.Errorf("got %s, %v", &out, err)
	}
	var back Report
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, r) {
		t.Errorf("got  %+v\nwant %+v", back, r)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	r := goodReport(t)
	for i, comment := range []string{`=HYPERLINK("http://x")`, "+1", "-2", "@SUM(1)", "\t=1", " =1", "＝1", "a=b, \"c\"\n=d"} {
		r.Rows[i].Comment = comment
	}
	r.Rows[0].OwnerName, r.Rows[0].Scopes = "=1", []string{"=1"}
	var out bytes.Buffer
	if err := r.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 9 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	var comments []string
	for _, row := range rows[1:] {
		for i, value := range row {
			if value != "" && strings.ContainsAny(strings.TrimSpace(value)[:1], "=+-@\t\r\n") {
				t.Errorf("%s is the formula %q", rows[0][i], value)
			}
		}
		comments = append(comments, row[4])
	}
	want := []string{`'=HYPERLINK("http://x")`, "'+1", "'-2", "'@SUM(1)", `\t=1`, "' =1", "'＝1", `a=b, "c"\n=d`}
	if !reflect.DeepEqual(comments, want) {
		t.Errorf("got %q", comments)
	}
}

func BenchmarkReport(b *testing.B) {
	state, listed := State{Since: noon}, []ListedToken{}
	for i := range 1000 {
		k := seenToken("a: jobs", "b: sql dashboards", "c: access-management sql", "d: unity-catalog mlflow", "e: *", "f: secrets")
		k.ID = id(i)
		state.Tokens = append(state.Tokens, k)
		listed = append(listed, ListedToken{ID: id(i)})
	}
	sortTokens(state.Tokens)
	for b.Loop() {
		NewReport(state, listed, noon)
	}
}
