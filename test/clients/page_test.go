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
		keepOld(rows, old)
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

// slug is the anchor of a heading on GitHub.
func slug(heading string) string {
	heading = strings.ReplaceAll(strings.ToLower(heading), " ", "-")
	return regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(heading, "")
}

var duration = regexp.MustCompile(`\b(after|nothing for|silent for) (\d+) s\b`)

// keepOld replaces what is the same as in the old table except for how long it took: waits
// vary, and a run without -patient does not see the end of the longest ones.
func keepOld(rows []row, old string) {
	texts := make(map[string]string)
	for line := range strings.Lines(old) {
		if name, text, found := strings.Cut(strings.TrimPrefix(line, "| "), " | "); found {
			// An advice may be there for more than one case.
			texts[name] = strings.TrimSuffix(text, " |\n")
		}
	}
	for i, r := range rows {
		was, known := texts[r.name]
		if !known || !alike(was, r.text) {
			continue
		}
		rows[i].text = was
		if wait := duration.FindString(was); wait != "" && r.verdict != "" {
			rows[i].verdict = duration.ReplaceAllString(r.verdict, strings.Replace(wait, "nothing", "silent", 1))
		}
	}
}

// alike reports whether two texts differ only in how long the user waited, and not by much.
func alike(was, is string) bool {
	a, b := duration.FindStringSubmatch(was), duration.FindStringSubmatch(is)
	if a == nil || b == nil {
		return was == is
	}
	long, _ := strconv.Atoi(a[2])
	now, _ := strconv.Atoi(b[2])
	if b[1] == "nothing for" { // the suite did not wait for the end
		return long >= now && duration.FindStringIndex(was)[0] == 0 && duration.FindStringIndex(is)[0] == 0
	}
	same := duration.ReplaceAllString(was, "") == duration.ReplaceAllString(is, "")
	return same && long <= 2*now && now <= 2*long
}
