package clients_test

import (
	"strings"
	"testing"
	"time"
)

func TestAlike(t *testing.T) {
	for _, tt := range []struct {
		was, is string
		want    bool
	}{
		{"`a`", "`a`", true},
		{"`a`", "`b`", false},
		{"exit code 1: `a`", "exit code 2: `a`", false},
		{"after 25 s: `a`", "after 10 s: `a`", true},
		{"after 25 s: `a`", "`a`", true}, // Retry-After was short this time
		{"after 25 s, exit code 1: `a`", "exit code 1: `a`", true},
		{"after 25 s: `a`", "after 10 s: `b`", false},
		{"after 300 s: `a`", "after 10 s: `a`", false},
		{"`a`", "after 300 s: `a`", false},
		{"after 300 s, exit code 1: `a`", "nothing for 30 s", true},
		{"nothing for 30 s", "nothing for 30 s", true},
		{"after 25 s: `a`", "nothing for 30 s", true},
		{"after 5 s: `a`", "nothing for 30 s", false},
		{"`a`", "nothing for 30 s", false},
		{"nothing for 30 s", "after 300 s: `a`", false},
	} {
		if got := alike(tt.was, tt.is); got != tt.want {
			t.Errorf("%q and %q: %v", tt.was, tt.is, got)
		}
	}
}

func TestNormal(t *testing.T) {
	for given, want := range map[string]string{
		"[ReqId: 198a7ec5-64be-44b8-a3e8-b18833ca1faa]":     "[ReqId: …]",
		"Post \"https://localhost:28856/sql/1.0\": no":      "Post \"https://gateway/sql/1.0\": no",
		"dial tcp 127.0.0.1:443: refused":                   "dial tcp gateway: refused",
		"\x1b[31mError\x1b[0m":                              "Error",
		"at 2026-11-28T23:04:31.5Z it failed":               "at (time) it failed",
		"open /tmp/Test1/001/x: no":                         "open (folder): no",
		"id 0123456789abcdef0123456789abcdef":               "id …",
		"scopes: jobs, host=localhost port=28856, 403 seen": "scopes: jobs, host=localhost port=…, 403 seen",
	} {
		if got := normal(given); got != want {
			t.Errorf("%q became %q, not %q", given, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for want, o := range map[string]outcome{
		"`a`":                          {Seen: Seen{Output: "a\n", ExitCode: 1}},
		"exit code 1: `a`<br>`b`":      {Seen: Seen{Output: "a\n\n b\n", ExitCode: 1, Command: true}},
		"exit code 1: nothing":         {Seen: Seen{ExitCode: 1, Command: true}},
		"after 20 s: `a\\|b`":          {Seen: Seen{Output: "a|b"}, took: 19 * time.Second, quick: 4 * time.Second},
		"`quick`":                      {Seen: Seen{Output: "quick"}, took: 19 * time.Second, quick: 20 * time.Second},
		"nothing for 30 s":             {cut: true, took: 30 * time.Second},
		"`a`<br>then nothing for 30 s": {Seen: Seen{Output: "a", Command: true}, cut: true, took: 30 * time.Second},
		"`` a`b ``":                    {Seen: Seen{Output: "a`b"}},
	} {
		if got := o.text(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// A run without some clients, and without patience, keeps what it cannot know.
func TestPageKeeps(t *testing.T) {
	defer func(all []Client) { clients = all }(clients)
	quick := Client{Name: "quick", Version: "2", Advice: []Advice{{Cases: []Case{adminOutage}, Maker: "It could say so."}}}
	absent := Client{Name: "Absent"}
	clients = []Client{absent, quick}

	p := &page{"# Page\n\n" + begin(overview) + end + "\nProse.\n\n" + begin(gaps) + end + "\n## All\n"}
	for name, table := range p.tables(map[string][]row{
		"Absent": {{name: "right scope", text: "works", verdict: "works"}},
		"quick": {
			{name: "wrong scope", text: "`no`", verdict: "says why"},
			{name: "admin outage", text: "after 300 s: `down`", verdict: "says why after 300 s"},
		},
	}) {
		p.put(name, table)
	}
	before := p.text
	for _, want := range []string{
		"| [Absent](#absent) | works | –", "| [quick](#quick) 2 | – | says why | – | – | says why after 300 s |",
		"| [quick](#quick) | admin outage | It could say so. |\n", "\nProse.\n", "### quick\n", "| wrong scope | `no` |\n",
	} {
		if !strings.Contains(before, want) {
			t.Errorf("the page lacks %q:\n%s", want, before)
		}
	}

	rerun := func(outage string) {
		for name, table := range p.tables(map[string][]row{"quick": {
			{name: "wrong scope", text: "`no`", verdict: "says why"},
			{name: "admin outage", text: outage, verdict: "silent for 30 s"},
		}}) {
			p.put(name, table)
		}
	}
	if rerun("nothing for 30 s"); p.text != before {
		t.Errorf("the page changed:\n%s", p.text)
	}
	if rerun("`gone`"); !strings.Contains(p.text, "| admin outage | `gone` |") || !strings.Contains(p.text, "| [Absent](#absent) | works |") {
		t.Errorf("the page did not change, or lost a line:\n%s", p.text)
	}
}

func TestGap(t *testing.T) {
	c := Client{Name: "c", Advice: []Advice{
		{Cases: []Case{wrongScope}, Maker: "A."}, {Cases: []Case{adminOutage}, Maker: "B."}, {Cases: []Case{wrongScope}, Maker: "A."},
	}}
	for _, tt := range []struct{ scope, outage, want string }{
		{"says why", "says why after 25 s", ""},
		{"hides why", "says why", "| [c](#c) | wrong scope | A. |\n"},
		{"hides why after 20 s", "silent for 30 s", "| [c](#c) | wrong scope, admin outage | A. B. |\n"},
		{"works", "says why after 300 s", "| [c](#c) | admin outage | B. |\n"},
	} {
		rows := []row{{name: "wrong scope", verdict: tt.scope}, {name: "↳ do"}, {name: "admin outage", verdict: tt.outage}}
		if got := c.gap(rows); got != tt.want {
			t.Errorf("%s, %s: %q", tt.scope, tt.outage, got)
		}
	}
}

func TestSlug(t *testing.T) {
	for heading, want := range map[string]string{
		"Databricks CLI: fs cp": "databricks-cli-fs-cp", "curl -n": "curl--n", "@databricks/sql": "databrickssql", "openai (npm)": "openai-npm",
	} {
		if got := slug(heading); got != want {
			t.Errorf("%s: %s, not %s", heading, got, want)
		}
	}
}
