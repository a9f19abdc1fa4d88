package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestClosedPipes: a gateway whose standard output or error is a pipe that nobody reads any
// more keeps running, does what when_full says, and says so once where it still can.
func TestClosedPipes(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	id, secret := workspace.AdminClient()
	for _, test := range []struct {
		name    string
		command func(listen, admin string) []string
		stdout  bool // is closed, or else standard error
		refuses bool
	}{
		{"standard output", func(listen, admin string) []string {
			config := filepath.Join(t.TempDir(), "Caddyfile")
			content := fmt.Sprintf("{\nadmin %s\n}\nhttp://%s {\ndatabricks_gateway %s {\naudit {\noutput stdout\nwhen_full refuse\n}\n}\n}\n", admin, listen, workspace.URL())
			if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"run", "--config", config, "--adapter", "caddyfile"}
		}, true, true},
		{"standard error", func(listen, admin string) []string {
			return []string{"sidecar", "--workspace", workspace.URL(), "--listen", listen, "--admin", admin}
		}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			listen, admin := processtest.FreeAddress(t), processtest.FreeAddress(t)
			p := &processtest.Process{URL: "http://" + listen, Log: new(processtest.Log)}
			command := exec.Command("scopegate", test.command(listen, admin)...)
			command.Env = append(processtest.Environment(t), "DATABRICKS_CLIENT_ID="+id, "DATABRICKS_CLIENT_SECRET="+secret)
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			command.Stdout, command.Stderr = writer, p.Log
			if !test.stdout {
				command.Stdout, command.Stderr = p.Log, writer
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			writer.Close()
			go io.Copy(io.Discard, reader) // until it is closed
			p.AwaitListener(t, listen)
			p.AwaitListener(t, admin)
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			if status, _, body := p.Get(t, listJobsPath, token.Value); status != 200 {
				t.Errorf("the first request: %d %s", status, body)
			}
			series := `scopegate_audit_dropped_total{sink="output"} 1`
			if test.refuses {
				series = `scopegate_audit_queue{sink="output"} 1`
				p.AwaitLog(t, "an audit sink fails")
			}
			api := &processtest.Process{URL: "http://" + admin, Log: p.Log}
			p.Await(t, series, func() bool {
				_, _, text := api.Get(t, "/metrics", "")
				return strings.Contains(text, series+"\n")
			})
			for range 5 {
				if status, _, _ := p.Get(t, listJobsPath, token.Value); test.refuses != (status == 503) {
					t.Errorf("a request after a record could not be written: %d", status)
				}
			}
			if err := command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := command.Wait(); err != nil {
				t.Errorf("%v\n%s", err, p.Log)
			}
			if test.stdout {
				printed := p.Log.String()
				if n := strings.Count(printed, "an audit sink fails"); n != 1 || !strings.Contains(printed, "broken pipe") {
					t.Errorf("said %d times what is wrong:\n%s", n, printed)
				}
			}
		})
	}
}
