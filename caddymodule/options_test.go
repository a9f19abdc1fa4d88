package caddymodule

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSyntaxNamesEveryOption holds that the options which the parser knows are those
// of the syntax in README.md and in the comment of UnmarshalCaddyfile.
func TestSyntaxNamesEveryOption(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"databricks_scopes": names(new(Handler).options(nil)),
		"admin":             names(new(Admin).options(nil)),
		"cache":             names(new(Cache).options(nil)),
		"lookup":            names(new(Lookup).options(nil)),
		"map":               names(new(Map).options(nil)),
		"audit":             names(new(Audit).options(nil)),
		"policy":            names(new(Policy).options(nil)),
	}
	for file, indent := range map[string]string{"../README.md": "", "caddyfile_handler.go": "//\t"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, syntaxOf(t, string(content), indent, "databricks_scopes [<matcher>] {")); diff != "" {
			t.Errorf("%s (-parser +syntax):\n%s", file, diff)
		}
	}
}

// TestSyntaxOfTheGateway holds that what databricks_gateway takes beyond databricks_scopes is
// in its own syntax, in README.md and in the comment of parseGateway.
func TestSyntaxOfTheGateway(t *testing.T) {
	t.Parallel()
	handler, discovery := new(Handler), ""
	for name := range gatewayOptions(nil, handler, &discovery) {
		if _, shared := handler.options(nil)[name]; shared {
			continue
		}
		for file, pattern := range map[string]string{"../README.md": `(?m)^\t` + name + ` `, "gateway.go": `(?m)^//\t    ` + name + ` `} {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, syntax, ok := strings.Cut(string(content), "databricks_gateway [<matcher>] <workspace-url>|<workspace-name> {\n")
			syntax, _, _ = strings.Cut(syntax, "}\n")
			if !ok || !regexp.MustCompile(pattern).MatchString(syntax) {
				t.Errorf("%s: the syntax of databricks_gateway lacks %s", file, name)
			}
		}
	}
}

// TestSyntaxOfTheApp is the same for the global option.
func TestSyntaxOfTheApp(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("caddyfile_app.go")
	if err != nil {
		t.Fatal(err)
	}
	_, syntax, _ := strings.Cut(string(content), "// UnmarshalCaddyfile sets up the app")
	syntax, _, _ = strings.Cut(syntax, "\nfunc ")
	known := slices.Concat(names(new(App).options(nil)), names(new(WorkspaceOptions).options(nil)))
	for _, name := range known {
		if !regexp.MustCompile(`(?m)^//\t +` + name + `( |$)`).MatchString(syntax) {
			t.Errorf("the syntax lacks %s", name)
		}
	}
}

// TestSyntaxOfTheFleet is the same for the blocks of a fleet, in docs/reference.md and in the
// comments of what reads them.
func TestSyntaxOfTheFleet(t *testing.T) {
	t.Parallel()
	for opening, want := range map[string]map[string][]string{
		"fleet <redis-url> {": {
			"fleet": names(new(Fleet).options(nil)),
			"tls":   names(new(FleetTLS).options(nil)),
		},
		"authority <url>... {": {
			"authority": names(new(AdminAuthority).options(nil)),
		},
		"databricks_authority [<matcher>] {": {
			"databricks_authority": names(new(Authority).options(nil)),
			"kubernetes":           names(new(EdgeServiceAccounts).options(nil)),
			"limits":               names(new(EdgeLimits).options(nil)),
		},
	} {
		for file, indent := range map[string]string{"../docs/reference.md": "", "caddyfile_fleet.go": "//\t"} {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, syntaxOf(t, string(content), indent, opening)); diff != "" {
				t.Errorf("%s: %s (-parser +syntax):\n%s", file, opening, diff)
			}
		}
	}
}

// TestSyntaxOfTheConsole is the same for the console, in docs/reference.md and in the comment of
// parseConsole.
func TestSyntaxOfTheConsole(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"databricks_console": names(new(Console).options(nil)),
		"actions":            names(new(ConsoleActions).options(nil)),
		"prometheus":         names(new(ConsolePrometheus).options(nil)),
	}
	for file, indent := range map[string]string{"../docs/reference.md": "", "console.go": "//\t"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, syntaxOf(t, string(content), indent, "databricks_console {")); diff != "" {
			t.Errorf("%s (-parser +syntax):\n%s", file, diff)
		}
	}
}

// TestSyntaxOfDecisions is the same for what databricks_decision takes beyond databricks_scopes,
// in docs/reference.md and in the comment of UnmarshalCaddyfile.
func TestSyntaxOfDecisions(t *testing.T) {
	t.Parallel()
	shared := new(Handler).options(nil)
	own := new(Decision).options(nil)
	maps.DeleteFunc(own, func(name string, _ func() error) bool { return shared[name] != nil })
	want := map[string][]string{
		"databricks_decision": names(own),
		"grpc":                names(new(DecisionGRPC).options(nil)),
	}
	for file, indent := range map[string]string{"../docs/reference.md": "", "caddyfile_decision.go": "//\t"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, syntaxOf(t, string(content), indent, "databricks_decision [<matcher>] {")); diff != "" {
			t.Errorf("%s (-parser +syntax):\n%s", file, diff)
		}
	}
}

func names(known options) []string { return slices.Sorted(maps.Keys(known)) }

var optionLine = regexp.MustCompile(`^([ \t]*)([a-z_]+)`)

// syntaxOf reads the options of each block out of the syntax that begins with a line.
func syntaxOf(t *testing.T, text, indent, opening string) map[string][]string {
	t.Helper()
	begin := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(indent+opening) + ` *(#.*)?\n`).FindStringIndex(text)
	if begin == nil {
		t.Fatalf("no syntax of %s", opening)
	}
	text = text[begin[1]:]
	blocks := map[string][]string{}
	outer, _, _ := strings.Cut(opening, " ")
	block := outer
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimRight(line, "\n"), indent)
		code, _, _ := strings.Cut(line, "#")
		code = strings.TrimSpace(code)
		switch {
		case line == "}":
			for _, found := range blocks {
				slices.Sort(found)
			}
			return blocks
		case code == "}":
			block = outer
			continue
		}
		match := optionLine.FindStringSubmatch(line)
		if match == nil {
			continue // a comment that goes on
		}
		name := match[2]
		blocks[block] = append(blocks[block], name)
		if strings.HasSuffix(code, "{") {
			block = name
		}
	}
	t.Fatal("the syntax does not end")
	return nil
}
