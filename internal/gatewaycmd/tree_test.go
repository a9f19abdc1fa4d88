package gatewaycmd

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// errRegistered is what commands that are registered with Caddy do in tests.
var errRegistered = errors.New("runs in Caddy's tree")

// try runs a command line, and returns what it prints.
func try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	registerCommands()
	root := commandTree(func() error { return errRegistered })
	var out strings.Builder
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// walk calls see for each command that is listed, and those below it.
func walk(cmd *cobra.Command, see func(*cobra.Command)) {
	if !cmd.Hidden {
		see(cmd)
	}
	for _, child := range cmd.Commands() {
		walk(child, see)
	}
}

// ofCaddy finds text that is about another program: caddy as a command, and Caddy as what runs.
var ofCaddy = regexp.MustCompile(`\bcaddy (?:run|start|stop|reload|adapt|validate|fmt|storage|trust|[a-z]+ --)|\$ caddy|'caddy |running Caddy|Caddy (?:process|instance|binary|will)`)

// TestCommandTree: every command has an example that calls scopegate, and none speaks of the
// program caddy.
func TestCommandTree(t *testing.T) {
	registerCommands()
	seen := 0
	root := commandTree(nil)
	walk(root, func(cmd *cobra.Command) {
		seen++
		path := cmd.CommandPath()
		for line := range strings.Lines(cmd.Example) {
			if !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "  $") {
				t.Errorf("%s: an example cannot be pasted: %s", path, line)
			}
		}
		if !strings.Contains(cmd.Example, path) && cmd != root {
			t.Errorf("%s: no example calls it: %q", path, cmd.Example)
		}
		if cmd.HasParent() && cmd.Parent() == root && cmd.GroupID == "" {
			t.Errorf("%s is in no group", path)
		}
		texts := []string{cmd.Short, cmd.Long, cmd.Example, cmd.Use}
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { texts = append(texts, flag.Usage) })
		for _, text := range texts {
			if found := ofCaddy.FindString(text); found != "" {
				t.Errorf("%s says %q: %s", path, found, text)
			}
		}
	})
	if seen < 25 {
		t.Errorf("there are only %d commands", seen)
	}
}

// TestCaddyCommands: each of Caddy's commands is either removed or has help of ours, also
// in a Caddy that has new ones. Neither list names a command that is not there.
func TestCaddyCommands(t *testing.T) {
	ours := []string{"version"}
	var caddys []string
	for name, command := range caddycmd.Commands() {
		run := reflect.ValueOf(command.Func)
		if command.CobraFunc != nil {
			run = reflect.ValueOf(command.CobraFunc)
		}
		if !strings.HasPrefix(runtime.FuncForPC(run.Pointer()).Name(), "github.com/caddyserver/") {
			continue
		}
		caddys = append(caddys, name)
		_, gone := removed[name]
		_, explained := caddyTexts[name]
		if !gone && !explained && !slices.Contains(ours, name) {
			t.Errorf("Caddy's command %s is neither removed nor explained", name)
		}
	}
	for name := range removed {
		if !slices.Contains(caddys, name) {
			t.Errorf("Caddy has no command %s to remove", name)
		}
	}
	for name := range caddyTexts {
		if !slices.Contains(caddys, name) {
			t.Errorf("Caddy has no command %s to explain", name)
		}
	}
}

// TestRemovedCommands: they fail with what to do instead, whatever they are given, and no
// list names them.
func TestRemovedCommands(t *testing.T) {
	help, err := try(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for name, instead := range removed {
		for _, args := range [][]string{{name}, {name, "--keep-backup"}, {name, "--help"}} {
			if _, err := try(t, args...); err == nil || err.Error() != "scopegate has no command "+name+": "+instead {
				t.Errorf("%q: %v", args, err)
			}
		}
		if strings.Contains(help, "  "+name) {
			t.Errorf("help lists %s", name)
		}
	}
}

// TestRegisteredCommands: what is registered with Caddy runs there, with its flags checked
// before, and its help is of this tree.
func TestRegisteredCommands(t *testing.T) {
	for line, want := range map[string]string{
		"run --config x":          errRegistered.Error(),
		"storage export -c x":     errRegistered.Error(),
		"sidecar --mode observe":  errRegistered.Error(),
		"scopes explain GET /api": errRegistered.Error(),
		"run --bogus":             "unknown flag: --bogus",
	} {
		if _, err := try(t, strings.Split(line, " ")...); err == nil || err.Error() != want {
			t.Errorf("%s: %v", line, err)
		}
	}
	out, err := try(t, "run", "--help")
	if err != nil || !strings.Contains(out, "scopegate run --config Caddyfile") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestManpages: the pages are scopegate's, and the same each time.
func TestManpages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1767323045")
	read := func() map[string]string {
		directory := filepath.Join(t.TempDir(), "man8")
		if out, err := try(t, "manpage", "--directory", directory); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		pages := make(map[string]string)
		entries, err := os.ReadDir(directory)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			pages[entry.Name()] = string(content)
		}
		return pages
	}
	pages := read()
	for name, page := range pages {
		if !regexp.MustCompile(`^scopegate(-[a-z-]+)?\.8$`).MatchString(name) {
			t.Errorf("a page is called %s", name)
		}
		title := `.TH "` + strings.ToUpper(strings.TrimSuffix(name, ".8")) + `" "8" "Jan 2026" "scopegate `
		if got := strings.ReplaceAll(page, `\-`, "-"); !strings.Contains(got, title) {
			t.Errorf("%s has not the title %s:\n%s", name, title, got[:min(200, len(got))])
		}
		if found := ofCaddy.FindString(page); found != "" || strings.Contains(page, "cobra") {
			t.Errorf("%s says %q", name, found)
		}
	}
	for name, part := range map[string]string{
		"scopegate.8":                "scopegate-sidecar(8)",
		"scopegate-sidecar.8":        "--workspace <url>",
		"scopegate-scopes-explain.8": "--scopes are the scopes",
		"scopegate-version.8":        "--json prints",
	} {
		if !strings.Contains(pages[name], part) {
			t.Errorf("%s does not say %q:\n%s", name, part, pages[name])
		}
	}
	if again := read(); !reflect.DeepEqual(again, pages) {
		t.Error("the pages differ from one time to the next")
	}
}
