package clients_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// row is one line of a client's table.
type row struct {
	// name is a case, or what to do about one, in Markdown. text is what the user sees.
	name, text string
	// verdict is the case's cell in the overview; empty for advice.
	verdict string
}

// rows puts a client into every case that it has. Whole is false if something failed that
// should have worked.
func (r *rig) rows(t *testing.T, client Client) (rows []row, whole bool) {
	t.Helper()
	whole = true
	for _, c := range cases {
		if !client.has(c) {
			continue
		}
		o := r.try(t, client, c, client.Run)
		t.Logf("%s: exit code %d after %.1f s, %s\n%s", c, o.ExitCode, o.took.Seconds(), o.problem, o.Output)
		if !c.refused() {
			if o.problem != "" {
				t.Errorf("%s: %s\n%s", c, o.problem, o.Output)
				whole = false
			}
			rows = append(rows, row{name: string(c), text: "works", verdict: "works"})
			continue
		}
		told := r.tells(client, c, o)
		if o.ExitCode == 0 && !told {
			t.Errorf("%s: the client says that it worked\n%s", c, o.Output)
		}
		rows = append(rows, row{name: string(c), text: o.text(), verdict: verdict(o, told)})
		advice := client.advice(c)
		switch {
		case told && (c != adminOutage || len(advice) == 0):
			// The advice for an outage is how not to wait for its message.
		case len(advice) > 0:
			rows = append(rows, r.advised(t, client, c, advice)...)
		default:
			t.Errorf("%s: the user cannot tell what to do, and there is no advice for this case\n%s", c, o.Output)
		}
	}
	return rows, whole
}

// advice returns what helps in a case.
func (c Client) advice(in Case) []Advice {
	return slices.DeleteFunc(slices.Clone(c.Advice), func(a Advice) bool { return !slices.Contains(a.Cases, in) })
}

// advised follows each advice and looks whether it helps.
func (r *rig) advised(t *testing.T, client Client, c Case, advice []Advice) (rows []row) {
	t.Helper()
	mended := false
	for _, a := range advice {
		mended = mended || a.Maker != ""
		if a.Run == nil {
			continue
		}
		o := r.try(t, client, c, a.Run)
		t.Logf("%s, with %s: exit code %d after %.1f s\n%s", c, a.Do, o.ExitCode, o.took.Seconds(), o.Output)
		if !r.tells(client, c, o) {
			t.Errorf("%s: the advice does not help: %s\n%s", c, a.Do, o.Output)
		}
		rows = append(rows, row{name: "↳ " + a.Do, text: o.text()})
	}
	if !mended && c != adminOutage { // not all clients retry for long
		t.Errorf("%s: the client hides why, and nothing says what its maker could do", c)
	}
	return rows
}

// tells reports whether the user sees what the gateway says about a case.
func (r *rig) tells(client Client, c Case, o outcome) bool {
	if o.cut {
		return false
	}
	wanted := r.said[c]
	if c == wrongScope { // the gateway was asked about jobs
		var found bool
		wanted, _, found = strings.Cut(wanted, "jobs")
		if !found || !strings.Contains(o.Output, client.Scope) {
			return false
		}
	}
	return strings.Contains(squeeze(o.Output), strings.TrimSpace(squeeze(wanted)))
}

var space = regexp.MustCompile(`\s+`)

// squeeze undoes a client's line breaks.
func squeeze(text string) string { return space.ReplaceAllString(text, " ") }

func verdict(o outcome, told bool) string {
	word := "hides why"
	if told {
		word = "says why"
	}
	switch wait := o.wait(); {
	case o.cut:
		return "silent " + wait
	case wait != "":
		return word + " " + wait
	default:
		return word
	}
}

// wait says how long the user waited, if it was long.
func (o outcome) wait() string {
	seconds := o.took.Seconds()
	switch {
	case o.cut:
		return fmt.Sprintf("for %.0f s", o.took.Round(time.Second).Seconds())
	case seconds <= o.quick.Seconds():
		return ""
	case seconds < 60:
		return fmt.Sprintf("after %.0f s", max(5, 5*float64(int(seconds/5+0.5))))
	default:
		return fmt.Sprintf("after %.0f s", 10*float64(int(seconds/10+0.5)))
	}
}

// text is the Markdown of what the user sees, the same in every run.
func (o outcome) text() string {
	var before []string
	if wait := o.wait(); wait != "" && !o.cut {
		before = append(before, wait)
	}
	if o.Command && !o.cut {
		before = append(before, fmt.Sprintf("exit code %d", o.ExitCode))
	}
	text := strings.Join(before, ", ")
	shown := code(normal(o.Output))
	switch {
	case o.cut && shown == "":
		return "nothing " + o.wait()
	case o.cut:
		return shown + "<br>then nothing " + o.wait()
	case shown == "":
		shown = "nothing"
	}
	if text != "" {
		text += ": "
	}
	return text + shown
}

// code shows lines as code in a cell of a table.
func code(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.ReplaceAll(line, "|", `\|`))
		if line == "" {
			continue
		}
		if strings.Contains(line, "`") {
			lines = append(lines, "`` "+line+" ``")
		} else {
			lines = append(lines, "`"+line+"`")
		}
	}
	return strings.Join(lines, "<br>")
}

var varying = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`), ""},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "…"},
	{regexp.MustCompile(`\b[0-9a-f]{32,64}\b`), "…"},
	{regexp.MustCompile(`(https?)://(localhost|127\.0\.0\.1)(:\d+)?`), "$1://gateway"},
	{regexp.MustCompile(`\b(localhost|127\.0\.0\.1|\[::1\]):\d+`), "gateway"},
	{regexp.MustCompile(`\bport=\d+`), "port=…"},
	{regexp.MustCompile(`databricks_cli_path: \S+`), "databricks_cli_path: …"},
	{regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`), "(time)"},
	{regexp.MustCompile(`/tmp/[^\s"':,)]*`), "(folder)"},
}

// normal replaces what differs from run to run.
func normal(text string) string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.instead)
	}
	return text
}
