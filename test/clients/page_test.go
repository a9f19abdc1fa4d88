package clients_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var pagePath = filepath.Join("..", "..", "docs", "clients.md")

// page is docs/clients.md. Each table stands between two lines of its own, so that a run
// without some clients keeps their tables.
type page struct{ text string }

func readPage(t *testing.T) *page {
	t.Helper()
	text, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	return &page{string(text)}
}

func begin(name string) string { return "<!-- generated: " + name + " -->\n" }

const end = "<!-- end -->\n"

// table returns what stands between the lines.
func (p *page) table(name string) (string, bool) {
	_, after, found := strings.Cut(p.text, begin(name))
	table, _, ended := strings.Cut(after, end)
	return table, found && ended
}

// put replaces a table, or appends it with a heading.
func (p *page) put(name, table string) {
	if old, found := p.table(name); found {
		p.text = strings.Replace(p.text, begin(name)+old+end, begin(name)+table+end, 1)
		return
	}
	p.text = strings.TrimRight(p.text, "\n") + "\n\n### " + name + "\n\n" + begin(name) + table + end
}

// compare compares what users saw with the page, and updates it if asked to.
func (p *page) compare(t *testing.T, results map[string][]row) {
	t.Helper()
	before := p.text
	for _, client := range clients {
		rows, ran := results[client.Name]
		if !ran {
			continue
		}
		old, _ := p.table(client.Name)
		keepOld(rows, old, p.verdicts(client.Name))
		table := client.table(rows)
		if table != old && !*update {
			t.Errorf("%s: users see something else than docs/clients.md says; run with -update if that is right.\nbefore:\n%s\nnow:\n%s", client.Name, old, table)
		}
		p.put(client.Name, table)
	}
	old, _ := p.table("overview")
	overview := overview(old, results)
	if overview != old && !*update {
		t.Errorf("the overview in docs/clients.md is out of date; run with -update.\nbefore:\n%s\nnow:\n%s", old, overview)
	}
	p.put("overview", overview)
	if *update && p.text != before {
		if err := os.WriteFile(pagePath, []byte(p.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// table is the Markdown of a client's table.
func (c Client) table(rows []row) string {
	var b strings.Builder
	b.WriteString("| case | what the user sees |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", r.name, r.text)
	}
	for _, a := range c.Advice {
		if a.Maker != "" {
			fmt.Fprintf(&b, "\nOnly the client's maker can mend: %s\n", a.Maker)
		}
	}
	return b.String()
}

// overview is the Markdown of the table of all clients. Clients that did not run keep their
// line.
func overview(old string, results map[string][]row) string {
	lines := make(map[string]string)
	for line := range strings.Lines(old) {
		if name, _, found := strings.Cut(strings.TrimPrefix(line, "| ["), "]"); found {
			lines[name] = line
		}
	}
	for _, client := range clients {
		if rows, ran := results[client.Name]; ran {
			lines[client.Name] = client.line(rows)
		}
	}
	var b strings.Builder
	b.WriteString("| client |")
	for _, c := range cases {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(cases)) + "\n")
	names := slices.SortedFunc(maps.Keys(lines), func(x, y string) int {
		return strings.Compare(strings.ToLower(x), strings.ToLower(y))
	})
	for _, name := range names {
		b.WriteString(lines[name])
	}
	return b.String()
}

func (c Client) line(rows []row) string {
	version := ""
	if c.Version != "" {
		version = " " + c.Version
	}
	line := fmt.Sprintf("| [%s](#%s)%s |", c.Name, slug(c.Name), version)
	for _, tried := range cases {
		cell := "–"
		if i := slices.IndexFunc(rows, func(r row) bool { return r.name == string(tried) }); i >= 0 {
			cell = rows[i].verdict
		}
		line += " " + cell + " |"
	}
	return line + "\n"
}

// verdicts returns a client's line of the overview.
func (p *page) verdicts(client string) map[string]string {
	table, _ := p.table("overview")
	_, line, _ := strings.Cut(table, "| ["+client+"]")
	line, _, _ = strings.Cut(line, "\n")
	verdicts := make(map[string]string)
	for i, cell := range strings.Split(line, " | ") {
		if i > 0 && i <= len(cases) {
			verdicts[string(cases[i-1])] = strings.TrimSuffix(cell, " |")
		}
	}
	return verdicts
}

// slug is the anchor of a heading on GitHub.
func slug(heading string) string {
	heading = strings.ReplaceAll(strings.ToLower(heading), " ", "-")
	return regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(heading, "")
}

// waiting is how a row says that the user waits. The first group is empty for a client that
// had something to say at the end.
var waiting = regexp.MustCompile(`(nothing for|after|for) (\d+) s[,:]? ?`)

// keepOld replaces what is the same as in the old table except for how long it took, which
// differs from run to run; and a run without -patient does not see the end of the longest
// waits.
func keepOld(rows []row, old string, verdicts map[string]string) {
	texts := make(map[string]string)
	above := ""
	for line := range strings.Lines(old) {
		if name, text, found := strings.Cut(strings.TrimPrefix(line, "| "), " | "); found {
			above = under(above, name)
			texts[above] = strings.TrimSuffix(text, " |\n")
		}
	}
	above = ""
	for i, r := range rows {
		above = under(above, r.name)
		was, known := texts[above]
		if !known || was == r.text || !alike(was, r.text) {
			continue
		}
		rows[i].text = was
		if verdict, known := verdicts[r.name]; known {
			rows[i].verdict = verdict
		}
	}
}

// under names a row: an advice by the case above it, too.
func under(above, name string) string {
	if strings.HasPrefix(name, "↳") {
		return strings.SplitN(above, "↳", 2)[0] + name
	}
	return name
}

// alike reports whether two texts differ only in how long the user waited. A wait of more
// than a minute is another matter than a shorter one, which the gateway's Retry-After
// decides.
func alike(was, is string) bool {
	before, now := waited(was), waited(is)
	if strings.Contains(is, "nothing for ") { // the suite did not wait for the end
		return before >= now && strings.Contains(was, " s")
	}
	return waiting.ReplaceAllString(was, "") == waiting.ReplaceAllString(is, "") && (before < 60) == (now < 60)
}

func waited(text string) int {
	if found := waiting.FindStringSubmatch(text); found != nil {
		seconds, _ := strconv.Atoi(found[2])
		return seconds
	}
	return 0
}
