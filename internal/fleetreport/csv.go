package fleetreport

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/usage"
)

// columns are those of the CSV form. Add new ones at the end.
var columns = []string{"workspace", "kind", "name", "state", "generation", "behind_seconds", "since", "seen", "version", "authority", "edges", "error"}

// WriteCSV writes the report as CSV: a header, and a line for each store, authority, gateway
// and edge. Times are in RFC 3339. Text that a spreadsheet would run as a formula gets a
// leading apostrophe.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write(columns) // Error has the first error
	for i := range r.Fleets {
		f := &r.Fleets[i]
		line := func(kind, name, state string, at fleet.Generation, since, seen time.Time, rest ...string) {
			number, seconds := "", ""
			if at > 0 {
				number = strconv.FormatUint(uint64(at), 10)
				seconds = strconv.FormatFloat(lag(f.Generation, at).Seconds(), 'f', 3, 64)
			}
			row := []string{usage.CleanCSV(f.Workspace), kind, usage.CleanCSV(name), state, number, seconds, stamp(since), stamp(seen), "", "", "", ""}
			for j, text := range rest {
				row[len(columns)-4+j] = usage.CleanCSV(text)
			}
			_ = out.Write(row)
		}
		line("this", f.Role, "", f.Generation, time.Time{}, time.Time{})
		if s := f.Store; s != nil {
			state, problem := upWord(s.Up), s.Error
			if s.Up && s.Refused != "" {
				state, problem = "refusing", s.Refused
			}
			line("store", "", state, 0, s.Since, time.Time{}, "", "", "", problem)
			for _, d := range s.Disbelieved {
				line("disbelieved", d.Kind, "", 0, time.Time{}, d.Last)
			}
		}
		if u := f.Upstream; u != nil {
			line("authority", u.URL, upWord(u.Up), 0, u.Since, time.Time{}, "", "", "", u.Error)
		}
		for _, m := range f.Members {
			state := ""
			if m.Self {
				state = "this"
			}
			line("gateway", m.Name, state, m.Generation, time.Time{}, m.Seen, m.Version, "", strconv.Itoa(m.Edges))
		}
		for j := range f.Edges {
			e := &f.Edges[j]
			line("edge", e.Name, State(e), e.Generation, e.Since, e.Seen, e.Version, e.Authority)
		}
	}
	out.Flush()
	return out.Error()
}

func upWord(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
