package howto

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	folder   = "../../docs/howto"
	maxLines = 60 // of a page, as its readers see it
)

// step is one thing that a page says to do.
type step struct {
	line  int // in the page
	hook  string
	on    []string // machines; nil for the first one
	file  string   // name of a file to write
	text  string   // of that file, or a script
	typed []typed
}

// typed is a command and what it prints.
type typed struct {
	line    int
	command string
	prints  []string
}

var (
	fence   = regexp.MustCompile("^( *)```([a-z]*)$")
	comment = regexp.MustCompile(`^ *<!-- test: (.+) -->$`)
	named   = regexp.MustCompile(`^# ([\w./-]+)$`)
)

// readPage returns the steps of a page.
func readPage(t *testing.T, name string) (steps []step) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if seen := slices.DeleteFunc(slices.Clone(lines), comment.MatchString); len(seen) > maxLines {
		t.Errorf("%s.md has %d lines; a page has at most %d", name, len(seen), maxLines)
	}
	var machines []string
	for i := 0; i < len(lines); i++ {
		if found := comment.FindStringSubmatch(lines[i]); found != nil {
			if on, ok := strings.CutPrefix(found[1], "on "); ok {
				machines = strings.Fields(on)
				continue
			}
			steps = append(steps, step{line: i + 1, hook: found[1]})
			continue
		}
		found := fence.FindStringSubmatch(lines[i])
		if found == nil {
			continue
		}
		begin, block := i+1, []string(nil)
		for i++; i < len(lines) && lines[i] != found[1]+"```"; i++ {
			block = append(block, strings.TrimPrefix(lines[i], found[1]))
		}
		if i == len(lines) {
			t.Fatalf("%s.md:%d: the block does not end", name, begin)
		}
		one := readBlock(found[2], block)
		one.line, one.on = begin, machines
		for k := range one.typed {
			one.typed[k].line += begin
		}
		machines = nil
		steps = append(steps, one)
	}
	return steps
}

// readBlock returns what a fenced block says to do.
func readBlock(language string, lines []string) (s step) {
	switch language {
	case "sh":
		s.text = strings.Join(lines, "\n")
	case "console":
		for i := 0; i < len(lines); i++ {
			command, ok := strings.CutPrefix(lines[i], "$ ")
			switch {
			case ok:
				at := i + 1
				for strings.HasSuffix(command, `\`) && i+1 < len(lines) {
					i++
					command += "\n" + lines[i]
				}
				s.typed = append(s.typed, typed{line: at, command: command})
			case len(s.typed) > 0:
				last := &s.typed[len(s.typed)-1]
				last.prints = append(last.prints, lines[i])
			}
		}
	default:
		if len(lines) > 0 {
			if name := named.FindStringSubmatch(lines[0]); name != nil {
				s.file, s.text = name[1], strings.Join(lines, "\n")+"\n"
			}
		}
	}
	return s
}

// TestEveryPage: each page is run by a test, says its job in the first sentence, and can be found.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(folder + "/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	contents, err := os.ReadFile("../../docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		if !slices.ContainsFunc(pages, func(p page) bool { return p.name == name }) {
			t.Errorf("%s.md is not run by a test", name)
		}
		if !strings.Contains(string(contents), "(howto/"+name+".md)") {
			t.Errorf("docs/README.md has no link to howto/%s.md", name)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		if len(lines) < 3 || !strings.HasPrefix(lines[0], "# ") || lines[2] == "" || !strings.Contains(string(text), "\n## If not\n") {
			t.Errorf("%s.md must have a title, the job in one sentence, and a section If not", name)
		}
	}
}

// TestReadBlock: what the blocks mean.
func TestReadBlock(t *testing.T) {
	t.Parallel()
	got := readBlock("console", []string{`$ one \`, "  two", "out 1", "", "$ three"})
	if len(got.typed) != 2 || got.typed[0].command != "one \\\n  two" || !slices.Equal(got.typed[0].prints, []string{"out 1", ""}) || got.typed[1].line != 5 {
		t.Errorf("console: %+v", got)
	}
	if got := readBlock("caddyfile", []string{"# etc/Caddyfile", "{", "}"}); got.file != "etc/Caddyfile" || got.text != "# etc/Caddyfile\n{\n}\n" {
		t.Errorf("file: %+v", got)
	}
	if got := readBlock("caddyfile", []string{"# A comment.", "{"}); got.file != "" {
		t.Errorf("no file: %+v", got)
	}
}
