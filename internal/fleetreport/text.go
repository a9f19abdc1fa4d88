package fleetreport

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/usage"
)

// WriteTable writes the report as text: for each workspace what this gateway is, and tables
// of members and edges.
func (r *Report) WriteTable(w io.Writer) error {
	var out bytes.Buffer
	for i := range r.Fleets {
		if i > 0 {
			out.WriteString("\n")
		}
		if err := r.table(&out, &r.Fleets[i]); err != nil {
			return err
		}
	}
	// Every cell is padded, including the last of a line.
	for line := range bytes.Lines(out.Bytes()) {
		if _, err := fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) table(out *bytes.Buffer, f *fleet.Status) error {
	fmt.Fprintf(out, "%s: %s.", usage.Clean(f.Workspace), role(f.Role))
	if f.Generation > 0 {
		fmt.Fprintf(out, " Last change %s ago.", r.sinceChange(f.Generation))
	}
	out.WriteString("\n")
	if s := f.Store; s != nil {
		fmt.Fprintf(out, "The store is %s.\n", r.upOrDown(s.Up, s.Since, s.Error))
		if s.Up && s.Refused != "" {
			fmt.Fprintf(out, "It refuses operations, so that other gateways may not hear of changes: %s.\n", usage.Clean(strings.TrimRight(s.Refused, ".")))
		}
	}
	if f.Store != nil && len(f.Store.Disbelieved) > 0 {
		out.WriteString(r.disbelieved(f.Store.Disbelieved) + "\n")
	}
	if u := f.Upstream; u != nil {
		fmt.Fprintf(out, "The authority %s is %s.\n", usage.Clean(u.URL), r.upOrDown(u.Up, u.Since, u.Error))
	}
	if len(f.Edges) > 0 {
		out.WriteString(edgesInWords(f.Edges) + "\n")
	}
	if r.OnlyBehind && len(f.Edges) == 0 && f.Role != "edge" { // which knows of no other
		out.WriteString("No edge is behind.\n")
	}
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if len(f.Members) > 0 {
		fmt.Fprintln(t, "\nGATEWAY\tVERSION\tBEHIND\tEDGES\tSEEN")
		for _, m := range f.Members {
			called := name(m.Name)
			if m.Self {
				called += " (this one)"
			}
			fmt.Fprintln(t, strings.Join([]string{
				called, name(m.Version), behind(lag(f.Generation, m.Generation)), strconv.Itoa(m.Edges), r.ago(m.Seen),
			}, "\t"))
		}
	}
	if len(f.Edges) > 0 {
		fmt.Fprintln(t, "\nEDGE\tSTATE\tBEHIND\tFOR\tSEEN\tVERSION\tAUTHORITY")
		for i := range f.Edges {
			e := &f.Edges[i]
			lagging := "-"
			if e.Behind {
				lagging = seconds(lag(f.Generation, e.Generation))
			}
			if e.Behind && e.Generation == 0 {
				lagging = "?"
			}
			fmt.Fprintln(t, strings.Join([]string{name(e.Name), State(e), lagging, span(r.At, e.Since), r.ago(e.Seen), name(e.Version), name(e.Authority)}, "\t"))
		}
	}
	return t.Flush()
}

// State is the state of an edge in one word: connected, behind or gone.
func State(e *fleet.Edge) string {
	switch {
	case !e.Connected:
		return "gone"
	case e.Behind:
		return "behind"
	}
	return "connected"
}

func role(name string) string {
	switch name {
	case "single", "":
		return "this gateway is on its own"
	case "shared":
		return "this gateway shares facts through a store"
	case "authority":
		return "this gateway is an authority"
	case "edge":
		return "this gateway is an edge"
	}
	return "the role of this gateway is " + usage.Clean(name)
}

func edgesInWords(edges []fleet.Edge) string {
	connected, lagging, gone := 0, 0, 0
	for i := range edges {
		switch State(&edges[i]) {
		case "gone":
			gone++
		case "behind":
			lagging++
			connected++
		default:
			connected++
		}
	}
	return fmt.Sprintf("Edges: %d connected, %d of them behind; %d gone.", connected, lagging, gone)
}

// disbelieved says what in the store was not believed. What cannot be opened has one cause that
// is far more likely than others.
func (r *Report) disbelieved(all []fleet.Disbelieved) string {
	parts, hint := make([]string, len(all)), ""
	for i, d := range all {
		parts[i] = fmt.Sprintf("%d %s, the last %s", d.Count, usage.Clean(d.Kind), r.ago(d.Last))
		if d.Kind == "foreign" {
			hint = " Foreign ones are sealed with another key: " + fleet.SameKey + "."
		}
	}
	return "It has entries that this gateway does not believe: " + strings.Join(parts, "; ") + "." + hint
}

func (r *Report) upOrDown(up bool, since time.Time, problem string) string {
	word := "up"
	if !up {
		word = "down"
	}
	if !since.IsZero() {
		word += " for " + span(r.At, since)
	}
	if !up && problem != "" {
		word += ": " + usage.Clean(strings.TrimRight(problem, "."))
	}
	return word
}

// nameWidth is the widest a name is shown, in characters.
const nameWidth = 48

func name(text string) string {
	text = usage.Clean(text)
	if runes := []rune(text); len(runes) > nameWidth {
		return string(runes[:nameWidth-1]) + "…"
	}
	return cmp.Or(text, "-")
}

// sinceChange is how long ago a change was, by the log's clock.
func (r *Report) sinceChange(g fleet.Generation) string {
	milliseconds, _ := g.Parts()
	return span(r.At, time.UnixMilli(int64(milliseconds)))
}

func (r *Report) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return span(r.At, t) + " ago"
}

// span formats the time between two times. Clocks may differ a little, so that one that has
// passed is in the future.
func span(now, then time.Time) string {
	if then.IsZero() {
		return "?"
	}
	return inWords(max(0, now.Sub(then)))
}

// inWords formats a duration in its largest unit: 34d, 5h, 12m, 3s.
func inWords(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

func behind(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return seconds(d)
}

func seconds(d time.Duration) string {
	if d >= time.Minute {
		return inWords(d)
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}
