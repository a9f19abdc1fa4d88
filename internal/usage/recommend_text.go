package usage

import (
	"fmt"
	"io"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// maxListed is how many operations a text lists under one heading.
const maxListed = 10

// WriteText writes the recommendation as text that can be pasted into a ticket.
func (r *Recommendation) WriteText(w io.Writer) error {
	t := &textWriter{w: w}
	r.writeSummary(t)
	r.writeScopes(t)
	r.writeFindings(t)
	return t.err
}

// writeSummary says whose token it is, what it holds and what is recommended.
func (r *Recommendation) writeSummary(t *textWriter) {
	t.about("workspace", r.Workspace)
	t.line("token      %s", r.TokenID)
	t.about("owner", r.Owner)
	t.about("comment", r.Comment)
	switch {
	case r.Window.IsZero():
		t.line("evidence   %s", r.Evidence)
	case r.Evidence.Days == 0 && r.Evidence.Doubt != "":
		t.line("evidence   none since %s, but %s", moment(r.Window), Clean(r.Evidence.Doubt))
	case r.Evidence.Days == 0:
		t.line("evidence   not used since %s", moment(r.Window))
	default:
		t.line("evidence   since %s: %s", moment(r.Window), r.Evidence)
	}
	t.cut(&r.Evidence.Cut)
	switch {
	case len(r.Facts.Scopes) == 0:
		t.line("holds      everything: it was never narrowed")
	default:
		t.line("holds      %s", join(r.Facts.Scopes))
	}
	switch {
	case len(r.Scopes) == 0 && r.Evidence.Days == 0:
		t.line("recommend  nothing: there is no evidence")
	case len(r.Scopes) == 0:
		t.line("recommend  nothing: no call that passed needs a scope")
	case r.Change == nil:
		t.line("recommend  no change: %s", join(r.Scopes))
	default:
		t.line("recommend  %s", join(r.Scopes))
	}
}

// writeScopes lists scopes with the operations that need them.
func (r *Recommendation) writeScopes(t *textWriter) {
	t.scopes("  keep     ", r.Keep)
	t.scopes("  drop     ", r.Drop)
	for _, need := range r.Needs {
		if len(need.Operations) > 0 {
			t.line("  %s, for", Clean(need.Scope))
			t.uses(need.Operations)
		}
	}
	for _, need := range r.Add {
		t.line("  add      %s, which the token does not hold, for", Clean(need.Scope))
		t.uses(need.Operations)
	}
	if r.AllAPIs != nil {
		if r.Facts.Unscoped() {
			t.line("all-apis   cannot be avoided because of")
		} else {
			t.line("all-apis   would be needed, and the token does not hold it, for")
		}
		t.uses(r.AllAPIs.Because)
		if r.Facts.Unscoped() && len(r.AllAPIs.Otherwise) > 0 {
			t.line("           without these: %s", join(r.AllAPIs.Otherwise))
		}
	}
}

// writeFindings lists what else to know before applying the recommendation, and how to.
func (r *Recommendation) writeFindings(t *textWriter) {
	if len(r.WouldBreak) > 0 {
		t.line("would break if enforced, as of these calls")
		t.each(r.WouldBreak, func(u *Use) string {
			return fmt.Sprintf("%d of %s, %s to %s: %s", u.WouldDeny, count(u.Calls, "call"), date(u.First), date(u.Last), Clean(u.Why()))
		})
	}
	if len(r.Refused) > 0 {
		t.line("refused    always, and not counted")
		t.uses(r.Refused)
		t.scopes("           with ", r.RefusedNeed)
	}
	if len(r.Optional) > 0 {
		t.line("optional   clients go on without these, so no scope is recommended for them")
		t.uses(r.Optional)
	}
	if len(r.Older) > 0 {
		t.line("older      not used since %s, and not counted", moment(r.Window))
		t.uses(r.Older)
	}
	t.agreement("inferred", r.Inferred)
	t.agreement("backfill", r.Backfill)
	t.forecast(r.Forecast)
	for _, note := range r.Notes {
		t.line("note       %s", Clean(note))
	}
	if r.Change != nil {
		t.change("to apply", r.Change)
	}
	if r.ChangeWithAdd != nil {
		t.change("to apply with the added scopes", r.ChangeWithAdd)
	}
}

// textWriter writes lines until one fails.
type textWriter struct {
	w   io.Writer
	err error
}

func (t *textWriter) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// about writes a line with a value, if there is one.
func (t *textWriter) about(label, value string) {
	if value != "" {
		t.line("%-10s %s", label, Clean(value))
	}
}

func (t *textWriter) scopes(label string, scopes []string) {
	if len(scopes) > 0 {
		t.line("%s%s", label, join(scopes))
	}
}

func (t *textWriter) uses(uses []Use) {
	t.each(uses, func(u *Use) string {
		calls := fmt.Sprintf("%s, %s to %s", count(u.Calls, "call"), date(u.First), date(u.Last))
		if u.Confirmed > 0 {
			calls += "; " + u.evidence()
		}
		return calls
	})
}

// each writes a line for each operation, up to maxListed.
func (t *textWriter) each(uses []Use, say func(*Use) string) {
	for i := range uses {
		if i == maxListed {
			t.line("             and %d more", len(uses)-i)
			return
		}
		o := &uses[i].Operation
		if uses[i].Calls == 0 {
			t.line("             operations that were dropped, used %s to %s", date(uses[i].First), date(uses[i].Last))
			continue
		}
		t.line("             %s %s  %s", Clean(o.Method), Clean(o.Template), say(&uses[i]))
	}
}

func (t *textWriter) agreement(name string, a *Agreement) {
	switch {
	case a == nil:
	case a.Agree:
		t.line("%s   Databricks agrees", name)
	default:
		t.line("%s   Databricks says %s", name, join(a.Scopes))
		t.scopes("             more ", a.More)
		t.scopes("             less ", a.Less)
		if a.Covers {
			t.line("             it also permits all that was seen here")
		}
	}
}

func (t *textWriter) forecast(f *Forecast) {
	switch {
	case f == nil:
	case !f.Known:
		t.line("autoscope  running; Databricks has inferred nothing yet")
	case len(f.Breaks) == 0:
		t.line("autoscope  running; when it completes, nothing that was seen here breaks")
	default:
		t.line("autoscope  running; when it completes, these break")
		t.uses(f.Breaks)
	}
}

func (t *textWriter) change(title string, c *Change) {
	t.line("\n%s:\n  %s", title, Clean(c.CLI))
	t.line("or %s %s\n  %s", c.Method, Clean(c.Path), Clean(string(c.Body)))
}

// cut says what was dropped, when it was used, and what it needed.
func (t *textWriter) cut(c *Cut) {
	if c.Entries == 0 {
		return
	}
	used := ""
	if !c.Last.IsZero() {
		used = fmt.Sprintf(", last used %s", moment(c.Last))
	}
	t.line("cut        %s with %s%s, dropped since %s to stay within limits", count(c.Entries, "operation"), count(c.Calls, "call"), used, moment(c.Since))
	var all []string
	for _, need := range c.Needs {
		text := strings.ReplaceAll(strings.Join(need, " or "), scopes.And, " and ")
		if text == anyScope {
			text = "any scope"
		}
		all = append(all, text)
	}
	switch {
	case c.NeedsUnknown && len(all) == 0:
		t.line("           which scopes they needed is not known")
	case c.NeedsUnknown:
		t.line("           they needed %s, and more that is not known", join(all))
	case len(all) > 0:
		t.line("           they needed %s", join(all))
	}
}

// join formats a list of scopes.
func join(names []string) string { return Clean(strings.Join(names, ", ")) }
