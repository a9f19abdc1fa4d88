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
	return strings.Trim(table, "\n") + "\n", found && ended
}

// put replaces a table, or appends it with a heading.
func (p *page) put(name, table string) {
	before, rest, found := strings.Cut(p.text, begin(name))
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		before, after = strings.TrimRight(p.text, "\n")+"\n\n### "+name+"\n\n", ""
	}
	p.text = before + begin(name) + "\n" + table + "\n" + end + after
}

// compare compares what users saw with the page, and updates it if asked to.
func (p *page) compare(t *testing.T, results map[string][]row) {
	t.Helper()
	tables := p.tables(results)
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		old, _ := p.table(name)
		if tables[name] != old && !*update {
			t.Errorf("%s: docs/clients.md says something else than what users see; run with -update if that is right.\nbefore:\n%s\nnow:\n%s",
				name, old, tables[name])
		}
	}
	if !*update {
		return
	}
	for _, name := range slices.SortedFunc(maps.Keys(tables), byName) {
		p.put(name, tables[name])
	}
	if err := os.WriteFile(pagePath, []byte(p.text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	overview = "overview"
	gaps     = "gaps"
)

// tables makes the tables that the results change.
func (p *page) tables(results map[string][]row) map[string]string {
	tables := make(map[string]string)
	for _, client := range clients {
		if rows, ran := results[client.Name]; ran {
			old, _ := p.table(client.Name)
			keepOld(rows, old, p.verdicts(client.Name))
			tables[client.Name] = client.table(rows)
		}
	}
	head := "| client |"
	for _, c := range cases {
		head += " " + string(c) + " |"
	}
	old, _ := p.table(overview)
	tables[overview] = head + "\n|---|" + strings.Repeat("---|", len(cases)) + "\n" + mergeLines(old, results, Client.line)
	old, _ = p.table(gaps)
	tables[gaps] = "| client | cases | what its maker could do |\n|---|---|---|\n" + mergeLines(old, results, Client.gap)
	return tables
}

// table is the Markdown of a client's table.
func (c Client) table(rows []row) string {
	var b strings.Builder
	b.WriteString("| case | what the user sees |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", r.name, r.text)
	}
	return b.String()
}

// mergeLines replaces the lines of clients that ran, and keeps those of others.
func mergeLines(old string, results map[string][]row, make func(Client, []row) string) string {
	lines := map[string]string{}
	for line := range strings.Lines(old) {
		if rest, found := strings.CutPrefix(line, "| ["); found {
			name, _, _ := strings.Cut(rest, "](")
			lines[name] = line
		}
	}
	for _, client := range clients {
		if rows, ran := results[client.Name]; ran {
			lines[client.Name] = make(client, rows)
		}
	}
	var b strings.Builder
	for _, name := range slices.SortedFunc(maps.Keys(lines), byName) {
		b.WriteString(lines[name])
	}
	return b.String()
}

func byName(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

func (c Client) link() string { return "[" + c.Name + "](#" + slug(c.Name) + ")" }

// line is the client's line of the overview.
func (c Client) line(rows []row) string {
	line := "| " + c.link()
	if c.Version != "" {
		line += " " + c.Version
	}
	for _, tried := range cases {
		cell := "–"
		if i := slices.IndexFunc(rows, func(r row) bool { return r.name == string(tried) }); i >= 0 {
			cell = rows[i].verdict
		}
		line += " | " + cell
	}
	return line + " |\n"
}

// lacking is the verdict of a case in which the user is not told, or told too late.
var lacking = regexp.MustCompile(`^hides|^silent|after \d{3,} s`)

// gap is the client's line in the list of what only makers can mend, or empty.
func (c Client) gap(rows []row) string {
	var hidden, makers []string
	for _, r := range rows {
		if !lacking.MatchString(r.verdict) {
			continue
		}
		hidden = append(hidden, r.name)
		for _, a := range c.advice(Case(r.name)) {
			if a.Maker != "" && !slices.Contains(makers, a.Maker) {
				makers = append(makers, a.Maker)
			}
		}
	}
	if len(hidden) == 0 {
		return ""
	}
	return fmt.Sprintf("| %s | %s | %s |\n", c.link(), strings.Join(hidden, ", "), strings.Join(makers, " "))
}

// verdicts returns a client's line of the overview.
func (p *page) verdicts(client string) map[string]string {
	table, _ := p.table(overview)
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
		if *update && waited(r.text) == 0 {
			continue // what was slow once no longer is
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
		return 2*before >= now
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
