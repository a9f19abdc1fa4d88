package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

// tokensPage lists the tokens of the workspace.
var tokensPage = page{
	pattern: "/tokens", template: "tokens", label: "Tokens", title: "Tokens", scripts: []string{"thirdparty/htmx.min.js"}, all: true,
	load: func(s *server, r *http.Request) (any, error) {
		q, err := parseTokensQuery(r.URL.Query())
		if err != nil {
			return nil, err
		}
		report, err := s.report(r.Context())
		if err != nil {
			return nil, err
		}
		return newTokensData(report, q, s.ownerless()), nil
	},
}

// tokensCSV answers with all tokens that a query selects.
func (s *server) tokensCSV(w http.ResponseWriter, r *http.Request) {
	q, err := parseTokensQuery(r.URL.Query())
	if err != nil {
		s.showError(w, r, err)
		return
	}
	report, err := s.report(r.Context())
	if err != nil {
		s.showError(w, r, err)
		return
	}
	found := q.selectFrom(report, s.ownerless())
	download(w, "text/csv; charset=utf-8", "tokens.csv")
	defer hurry(w)()
	_ = found.WriteCSV(w) // the browser may have left
}

// download sets the headers of a file to save.
func download(w http.ResponseWriter, contentType, name string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}

// tokensData is a page of tokens.
type tokensData struct {
	Query   tokensQuery
	Columns []column
	Rows    []tokenRow
	// Found is how many tokens match, and Total how many there are.
	Found, Total string
	From, To     int
	Page, Pages  int
	// Previous, Next and CSV are queries; Previous and Next are empty at the ends.
	Previous, Next, CSV string
	// Summary says how much data this rests on.
	Summary []string
	Notes   []string
	// At is when the report was made.
	At time.Time
}

// column is one of the table.
type column struct {
	ID, Label string
	// Order is what a click sorts by, as a query; empty if the table cannot be sorted by
	// it. Sort is the value of aria-sort while it is.
	Order, Sort string
	Class       string
}

// columnOrders are the columns, and what they sort by.
var columnOrders = []struct {
	label string
	order usage.Order
	sort  string // descending or ascending
	class string
}{
	{"Token", "", "", ""},
	{"Owner", usage.ByOwner, "ascending", ""},
	{"Comment", "", "", ""},
	{"Flags", "", "", ""},
	{"Holds", "", "", ""},
	{"Needs", "", "", ""},
	{"Calls", usage.ByCalls, "descending", "number"},
	{"Refused", usage.ByDenials, "descending", "number"},
	{"Would break", "", "", "number"},
	{"Last used", usage.ByLast, "ascending", ""},
	{"Expires", usage.ByExpiry, "ascending", ""},
}

// newTokensData returns the page of a report that a query asks for. The report stays as it
// is.
func newTokensData(report *usage.Report, q tokensQuery, ownerless map[string]bool) tokensData {
	found := q.selectFrom(report, ownerless)
	n := len(found.Rows)
	pages := max(1, (n+pageSize-1)/pageSize)
	q.Page = min(q.Page, pages)
	first := (q.Page - 1) * pageSize
	p := tokensData{
		Query: q, Found: usage.Thousands(uint64(n)), Total: usage.Thousands(uint64(report.Tokens)),
		From: first + 1, To: min(first+pageSize, n), Page: q.Page, Pages: pages,
		CSV: "/tokens.csv?" + q.encode(q.Order, 1), At: report.At, Notes: found.Notes,
	}
	if n == 0 {
		p.From = 0
	}
	if q.Page > 1 {
		p.Previous = "?" + q.encode(q.Order, q.Page-1)
	}
	if q.Page < pages {
		p.Next = "?" + q.encode(q.Order, q.Page+1)
	}
	for _, c := range columnOrders {
		col := column{ID: string(c.order), Label: c.label, Class: c.class}
		if c.order != "" {
			col.Order = "?" + q.encode(c.order, 1)
		}
		if c.order == q.Order {
			col.Sort = c.sort
		}
		p.Columns = append(p.Columns, col)
	}
	for i := first; i < p.To; i++ {
		row := newTokenRow(&found, &found.Rows[i], q.limits())
		row.ownerGone(ownerless[row.ID])
		p.Rows = append(p.Rows, row)
	}
	p.Summary = summary(report)
	return p
}

// summary says how much data a report rests on, and what is missing.
func summary(r *usage.Report) (lines []string) {
	if r.Since.IsZero() {
		lines = append(lines, "Nothing is recorded yet.")
	} else {
		lines = append(lines, fmt.Sprintf("%s calls recorded since %s.", usage.Thousands(r.Calls), r.Since.UTC().Format("2006-01-02")))
	}
	if r.Cut.Entries > 0 {
		lines = append(lines, fmt.Sprintf("%s tokens with %s calls, the least recently used, were dropped since %s.",
			usage.Thousands(r.Cut.Entries), usage.Thousands(r.Cut.Calls), r.Cut.Since.UTC().Format("2006-01-02")))
	}
	if r.Evicted > 0 {
		lines = append(lines, fmt.Sprintf("Of %s tokens, the least recently used, only a summary is kept.", usage.Thousands(uint64(r.Evicted))))
	}
	if len(r.Unread) > 0 {
		lines = append(lines, fmt.Sprintf("%s of saved usage could not be read and is not counted.", count(len(r.Unread), "file")))
	}
	if !r.Listed {
		lines = append(lines, "The workspace's list of tokens is unavailable: scopes, expiry and tokens that were never seen are missing.")
	}
	return lines
}
