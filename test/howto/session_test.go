package howto

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// patience bounds a command, and how long it is repeated until it prints what it must.
const patience = 30 * time.Second

// session is a page that is being done.
type session struct {
	t         *testing.T
	page      string
	workspace *fakeworkspace.Workspace
	machines  []*machine
	services  map[string]*processtest.Process
	tokens    []settings.TokenInfo // that a page is about
	// names are words of the page and what they are here, in pairs.
	names []string
}

// machine is where things are typed: a folder, an environment and addresses of its own.
type machine struct {
	name, folder, runtime string
	ports                 map[string]string // of the page, and here
}

// env is the environment of a machine.
func (m *machine) env() []string {
	home := filepath.Join(m.folder, "home")
	return []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_RUNTIME_DIR=" + m.runtime,
		"DATABRICKS_CONFIG_FILE=" + home + "/none", "CADDY_ADMIN=", "NO_PROXY=*",
	}
}

// do does one step of the page.
func (s *session) do(one *step, hooks map[string]func(*session)) {
	s.t.Helper()
	if one.hook != "" {
		hook := hooks[one.hook]
		if hook == nil {
			s.t.Fatalf("%s.md:%d: the test has no %q", s.page, one.line, one.hook)
		}
		hook(s)
		return
	}
	for _, m := range s.on(one.on) {
		switch {
		case one.file != "":
			s.write(m, one.file, one.text)
		case one.text != "":
			s.run(m, &typed{line: one.line, command: one.text})
		}
		for i := range one.typed {
			s.run(m, &one.typed[i])
		}
	}
}

// on returns machines by their names.
func (s *session) on(names []string) []*machine {
	if len(names) == 0 {
		return []*machine{s.home()}
	}
	machines := make([]*machine, len(names))
	for i, name := range names {
		machines[i] = s.machine(name)
	}
	return machines
}

// write writes a file of the page.
func (s *session) write(m *machine, name, text string) {
	s.t.Helper()
	file := filepath.Join(m.folder, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(s.here(m, text)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// addressed adds the default address to a command that leaves it out.
func addressed(command string) string {
	if byFlags.MatchString(command) && !strings.Contains(command, "--listen") {
		command += " --listen 127.0.0.1:8080"
	}
	return command
}

// script returns a script that goes on where the last one on the machine ended: with its
// variables, and in its folder.
func (s *session) script(m *machine, command string) string {
	return "set -a; cd '" + m.folder + "'; [ ! -f .env ] || . ./.env\n" + s.here(m, command)
}

// byFlags are commands that take the address of a gateway from their flags, where a page leaves
// it out because the default will do.
var byFlags = regexp.MustCompile(`^scopegate (sidecar|check --workspace)\b`)

// asks are commands that change nothing. What they tell may come late: a decision is recorded
// after its client was answered.
var asks = regexp.MustCompile(`^scopegate (scopes (why|report|recommend|drift|fleet|replay|catalog)|probe|check)\b|^(curl|jq) `)

// changes are commands that look as if they asked.
var changes = regexp.MustCompile(` --(apply|write|export)\b`)

// run types a command, and compares what it prints.
func (s *session) run(m *machine, c *typed) {
	t := s.t
	t.Helper()
	if service.MatchString(c.command) {
		s.serve(m, c.command)
		return
	}
	again := asks.MatchString(c.command) && !changes.MatchString(c.command)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		output, failed := s.shell(m, c)
		lines := make([]string, len(c.prints))
		mustFail := false
		for i, line := range c.prints {
			lines[i] = s.here(m, line)
			mustFail = mustFail || strings.HasPrefix(line, "Error:")
		}
		values, missing := compare(lines, output)
		switch {
		case missing == "" && failed == mustFail:
			for name, value := range values {
				s.names = append(s.names, name+"…", value, name, value)
			}
			return
		case again && time.Now().Before(deadline):
			continue
		case missing != "":
			t.Fatalf("%s.md:%d: %s\ndoes not print\n%s\nbut\n%s%s", s.page, c.line, c.command, missing, output[:min(maxLog, len(output))], s.logs())
		case failed:
			t.Fatalf("%s.md:%d: %s\nfails:\n%s%s", s.page, c.line, c.command, output, s.logs())
		default:
			t.Fatalf("%s.md:%d: %s\ndoes not fail:\n%s", s.page, c.line, c.command, output)
		}
	}
}

// shell runs a command and returns what it prints.
func (s *session) shell(m *machine, c *typed) (output string, failed bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	script := s.script(m, addressed(c.command)) + "\nresult=$?; export -p > '" + m.folder + "/.env'; exit $result"
	command := exec.CommandContext(ctx, "sh", "-c", script)
	command.Env = append(processtest.Environment(s.t), m.env()...)
	for _, line := range c.prints {
		if strings.HasSuffix(line, strings.TrimSuffix(answered, "\n")) {
			command.Stdin = strings.NewReader("y\n")
		}
	}
	printed, err := command.CombinedOutput()
	if ctx.Err() != nil {
		s.t.Fatalf("%s.md:%d: %s\ndoes not end:\n%s%s", s.page, c.line, c.command, printed, s.logs())
	}
	return string(printed), err != nil
}

// here returns a text of the page with the names of this test's things.
func (s *session) here(m *machine, text string) string {
	text = local.ReplaceAllStringFunc(text, func(address string) string {
		found := local.FindStringSubmatch(address)
		return found[1] + ":" + s.port(m, found[2])
	})
	text = site.ReplaceAllStringFunc(text, func(address string) string {
		found := site.FindStringSubmatch(address)
		return found[1] + s.port(m, found[2])
	})
	folders := []string{"/run/secrets", m.folder + "/run/secrets", "/etc/scopegate", m.folder + "/etc/scopegate"}
	return strings.NewReplacer(append(folders, s.names...)...).Replace(text)
}

// maxLog is how much of an output and of a log a failed test shows, in bytes.
const maxLog = 3000

// logs returns the last that the services printed.
func (s *session) logs() string {
	var b strings.Builder
	for kind, p := range s.services {
		text := p.Log.String()
		b.WriteString("\n--- " + kind + "\n" + text[max(0, len(text)-maxLog):])
	}
	return b.String()
}
