package howto

import (
	"regexp"
	"strings"
	"testing"
)

// unknown is a value that a page cannot know, such as the id of a request.
var unknown = regexp.MustCompile(`\b([0-9a-f]{8})…`)

// A terminal shows what is typed when a command asks; its output does not.
const asked, answered = "[y/N] ", "[y/N] y\n"

// expected is a line of a page that a command must print.
type expected struct {
	pattern *regexp.Regexp
	binds   []string // the values that it finds out, as the page writes them
}

// expect returns what a line of a page says about the output.
func expect(line string) expected {
	line = strings.Join(strings.Fields(line), " ")
	var e expected
	pattern := regexp.QuoteMeta(line)
	for _, found := range unknown.FindAllStringSubmatch(line, -1) {
		e.binds = append(e.binds, found[1])
		pattern = strings.Replace(pattern, found[0], `([0-9a-f]{8}[0-9a-f-]*)`, 1)
	}
	pattern = strings.ReplaceAll(pattern, "…", ".*?")
	e.pattern = regexp.MustCompile("^" + pattern + "$")
	return e
}

// compare looks for the lines of a page in an output, in their order. It returns the values
// that the page does not know, or the line that is missing.
func compare(lines []string, output string) (values map[string]string, missing string) {
	values = make(map[string]string)
	printed := strings.Split(strings.ReplaceAll(output, asked, answered), "\n")
	for _, line := range lines {
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed == "…" {
			continue
		}
		e, found := expect(line), false
		for len(printed) > 0 && !found {
			match := e.pattern.FindStringSubmatch(strings.Join(strings.Fields(printed[0]), " "))
			printed = printed[1:]
			if found = match != nil; found {
				for i, name := range e.binds {
					values[name] = match[i+1]
				}
			}
		}
		if !found {
			return nil, line
		}
	}
	return values, ""
}

func TestCompare(t *testing.T) {
	t.Parallel()
	const output = "a  b\nx-request-id: 0123abcd-99ef\nRevoke 3 tokens? [y/N] The tokens are revoked.\nlast\n"
	for _, test := range []struct{ name, lines, missing, value string }{
		{"all", "a b\nlast", "", ""},
		{"white space", "a    b", "", ""},
		{"order", "last\na b", "a b", ""},
		{"part of a line", "a", "a", ""},
		{"any text", "a …\nl…t", "", ""},
		{"any lines", "a b\n…\nlast", "", ""},
		{"value", "x-request-id: 5d41402a…", "", "0123abcd-99ef"},
		{"wrong value", "x-request-id: 5d41402a", "x-request-id: 5d41402a", ""},
		{"answer", "Revoke 3 tokens? [y/N] y\nlast", "", ""},
		{"other question", "Revoke 4 tokens? [y/N] y", "Revoke 4 tokens? [y/N] y", ""},
	} {
		values, missing := compare(strings.Split(test.lines, "\n"), output)
		if missing != test.missing || values["5d41402a"] != test.value {
			t.Errorf("%s: missing %q, values %v", test.name, missing, values)
		}
	}
}
