package lifecycle

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (control, terminal *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { control.Close() })
	number, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return control, terminal
}

// TestSidecarOnTerminal: it starts with a few lines, the last of which is for the client.
func TestSidecarOnTerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tt := range []struct {
		name    string
		env     []string
		args    []string
		colored bool
	}{
		{"plain", nil, nil, true},
		{"NO_COLOR", []string{"NO_COLOR=1"}, nil, false},
		{"everything on", nil, []string{"--health", processtest.FreeAddress(t), "--admin", processtest.FreeAddress(t), "--mode", "observe"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			control, terminal := openTerminal(t)
			listen := processtest.FreeAddress(t)
			command := exec.Command("scopegate", r.sidecar(listen, tt.args...)...)
			command.Env = append(append(processtest.Environment(t), r.env...), append(tt.env, "TERM=xterm")...)
			command.Stderr = terminal
			p := &processtest.Process{URL: "http://" + listen, Log: new(processtest.Log)}
			go func() {
				buffer := make([]byte, 4096)
				for {
					n, err := control.Read(buffer)
					_, _ = p.Log.Write(buffer[:n])
					if err != nil {
						return // the process has ended
					}
				}
			}()
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = command.Process.Kill()
				_ = command.Wait()
			})
			printed := p.AwaitLog(t, "Point your client here: export DATABRICKS_HOST=http://"+listen+"\r\n")
			lines := strings.Split(strings.TrimSpace(printed), "\r\n")
			if len(lines) > 5 {
				t.Errorf("%d lines:\n%s", len(lines), printed)
			}
			for _, noise := range []string{"admin endpoint", "auto_https", "certificate maintenance", "storage", "server running", "requires TLS", `{"level"`} {
				if strings.Contains(printed, noise) {
					t.Errorf("%q is noise:\n%s", noise, printed)
				}
			}
			if got := strings.Contains(printed, "\x1b["); got != tt.colored {
				t.Errorf("colors %v:\n%s", got, printed)
			}
			// Decisions are text, too.
			if status, _, _ := p.Get(t, "/api/2.2/jobs/list", r.token); status != 200 {
				t.Errorf("status %d", status)
			}
			decision := p.AwaitLog(t, "decision")
			if got := strings.Contains(strings.TrimPrefix(decision, printed), "\x1b["); got != tt.colored {
				t.Errorf("colors %v:\n%s", got, decision)
			}
		})
	}
}

// TestSidecarTLSOnTerminal: it also says how to trust it, in a line for each language.
func TestSidecarTLSOnTerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	control, terminal := openTerminal(t)
	listen := processtest.FreeAddress(t)
	file := t.TempDir() + "/ca.crt"
	command := exec.Command("scopegate", r.sidecar("https://"+listen, "--ca-file", file)...)
	command.Env = append(append(processtest.Environment(t), r.env...), "TERM=xterm", "NO_COLOR=1")
	command.Stderr = terminal
	p := &processtest.Process{Log: new(processtest.Log)}
	go func() { _, _ = io.Copy(p.Log, control) }() // until the process has ended
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	printed := p.AwaitLog(t, "Point your client here: export DATABRICKS_HOST=https://"+listen+"\r\n")
	for _, line := range []string{
		"Clients have to trust its root certificate, " + file + "\r\n",
		"replaces the roots that the client knows",
		"  node    export NODE_EXTRA_CA_CERTS=" + file + "\r\n",
		"  go      export SSL_CERT_FILE=" + file + "\r\n",
		"  java    keytool -importcert -noprompt -alias scopegate -file " + file,
		"  python  export REQUESTS_CA_BUNDLE=" + file,
		"  curl    curl --cacert " + file + "\r\n",
	} {
		if !strings.Contains(printed, line) {
			t.Errorf("no line %q:\n%s", line, printed)
		}
	}
	if lines := strings.Count(printed, "\n"); lines > 11 {
		t.Errorf("%d lines:\n%s", lines, printed)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("it names a file that is not there: %v", err)
	}
}
