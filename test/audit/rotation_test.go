package audit

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestOutputIsRotated: other programs rotate the audit's file while requests are recorded.
// No record is lost, in whatever file it is.
func TestOutputIsRotated(t *testing.T) {
	logrotate := func(options string) func(*testing.T, string) {
		return func(t *testing.T, output string) { rotateWith(t, output, options) }
	}
	for _, test := range []struct {
		name, settings string
		rotate         func(t *testing.T, output string)
		compressed     bool
	}{
		{"create, compress", "", logrotate("create 0600\ncompress"), true},
		{"create, compress, not rolled", "roll_disabled", logrotate("create 0600\ncompress"), true},
		{"create, delaycompress", "", logrotate("create 0600\ncompress\ndelaycompress"), true},
		{"nocreate, compress", "roll_disabled", logrotate("nocreate\ncompress"), true},
		{"create, rolled as well", rolled, logrotate("create 0600\ncompress"), true},
		{"renamed", "", func(t *testing.T, output string) {
			run(t, "mv", output, fmt.Sprintf("%s.%d", output, time.Now().UnixNano()))
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, output := startRotated(t, test.settings)
			load := startLoad(t, g, 0)
			for range 4 {
				load.more(t, between(test.settings))
				harness.WaitFor(t, "the file to exist", func() bool { return exists(output) })
				test.rotate(t, output)
			}
			load.more(t, 100)
			sent := load.stop()
			harness.Stop(t)
			found, zipped := gather(t, output)
			lost, twice := 0, 0
			for i := range sent {
				switch n := found[agent(i)]; {
				case n == 0:
					lost++
				case n > 1:
					twice++
				}
			}
			// Twice is right where a write took long, on a busy machine.
			if lost != 0 || twice > sent/10 {
				t.Errorf("%d of %d records are missing, %d are there twice", lost, sent, twice)
			}
			if test.compressed && zipped < 3 {
				t.Errorf("%d files are compressed", zipped)
			}
			checkRolled(t, output, test.settings)
			if info, err := os.Stat(output); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file is %v, %v", info, err)
			}
		})
	}
}

// TestOutputIsTruncated: after copytruncate, and after truncate, the file begins with whole
// lines, not with a gap of zeros, even if it has been rolled before. What was written before
// the copy is in the copy.
func TestOutputIsTruncated(t *testing.T) {
	for _, test := range []struct {
		name, settings string
		truncate       func(t *testing.T, output string)
		copies         bool
	}{
		{"copytruncate", "", func(t *testing.T, output string) { rotateWith(t, output, "copytruncate\ncompress") }, true},
		{"copytruncate, not rolled", "roll_disabled", func(t *testing.T, output string) { rotateWith(t, output, "copytruncate\ncompress") }, true},
		{"copytruncate, rolled as well", rolled, func(t *testing.T, output string) { rotateWith(t, output, "copytruncate\ncompress") }, true},
		{"truncate", "", func(t *testing.T, output string) { run(t, "truncate", "-s0", output) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, output := startRotated(t, test.settings)
			sent := 0
			for range 3 {
				load := startLoad(t, g, sent)
				load.more(t, between(test.settings))
				before := sent
				sent = load.stop()
				harness.WaitFor(t, "all lines", func() bool {
					found, _ := gather(t, output)
					for i := before; i < sent; i++ {
						if found[agent(i)] == 0 {
							return false
						}
					}
					return true
				})
				test.truncate(t, output)
			}
			load := startLoad(t, g, sent) // and under load, when some records may be lost
			load.more(t, 200)
			test.truncate(t, output)
			load.more(t, 200)
			load.stop()
			harness.Stop(t)
			found, _ := gather(t, output)
			lost := 0
			for i := range sent {
				if found[agent(i)] != 1 {
					lost++
				}
			}
			if test.copies && lost != 0 {
				t.Errorf("%d of %d records are not in the copies once", lost, sent)
			}
			checkRolled(t, output, test.settings)
		})
	}
}

// TestOutputIsReplaced: a file that is removed exists again within seconds, also without a
// request, and a path that is a folder is told and waited for.
func TestOutputIsReplaced(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	output := filepath.Join(t.TempDir(), "folder", "audit.jsonl")
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(eventLossy)
	g.Load(t, harness.GatewayBlock(workspace, fmt.Sprintf("audit {\noutput file %s {\nmode 0640\ndir_mode 0750\n}\nwhen_full refuse\n}", output)))
	token, lost := g.Mint("jobs"), g.Lost(t, "output")
	send := func() int {
		t.Helper()
		return g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).StatusCode
	}
	if got := send(); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	harness.WaitFor(t, "the first line", func() bool { return len(harness.ReadRecords(t, output)) == 1 })
	run(t, "rm", "-r", filepath.Dir(output))
	harness.WaitFor(t, "the file to exist again", func() bool { return exists(output) })
	for name, want := range map[string]os.FileMode{output: 0o640, filepath.Dir(output): 0o750} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is %v, want %v: %v", name, info.Mode(), want, err)
		}
	}
	run(t, "rm", "-r", filepath.Dir(output))
	if err := os.WriteFile(filepath.Dir(output), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	harness.WaitFor(t, "requests to be refused", func() bool { return send() == http.StatusServiceUnavailable })
	checkLossy(t, "output", true, "write_failed", "not a directory")
	run(t, "rm", filepath.Dir(output))
	harness.WaitFor(t, "requests to pass again", func() bool { return send() == http.StatusOK })
	if got := g.Lost(t, "output") - lost; got != 0 || len(harness.ReadRecords(t, output)) == 0 {
		t.Errorf("%d records lost", got)
	}
}

// checkLossy waits for the event of a sink that fails. A sink of an earlier test may still
// say that it works again.
func checkLossy(t *testing.T, sink string, held bool, cause, detail string) {
	t.Helper()
	data := harness.NextEvent(t).Data
	for data["losing"] != true {
		data = harness.NextEvent(t).Data
	}
	want := map[string]any{"sink": sink, "losing": true, "held": held, "cause": cause, "detail": detail}
	for name, value := range want {
		if data[name] != value {
			t.Errorf("the event says %s=%v, want %v", name, data[name], value)
		}
	}
}

// startRotated starts a gateway with an audit file that others rotate.
func startRotated(t *testing.T, settings string) (*harness.Gateway, string) {
	t.Helper()
	workspace := harness.StartWorkspace(t)
	output := filepath.Join(harness.TempDir(t), "audit.jsonl")
	return harness.StartSite(t, workspace, harness.GatewayBlock(workspace, fmt.Sprintf("audit {\noutput file %s {\n%s\n}\n}", output, settings))), output
}

// rolled is the setting of a file that the gateway rolls, too.
const rolled = "roll_size 1MiB"

// between returns how many requests to send before others rotate the file: enough to roll
// it once, if that is set.
func between(settings string) int {
	if settings == rolled {
		return 1200
	}
	return 200
}

// checkRolled checks that the gateway has rolled the file by itself if that is set.
func checkRolled(t *testing.T, output, settings string) {
	t.Helper()
	files, err := filepath.Glob(strings.TrimSuffix(output, ".jsonl") + "-*-size*.jsonl*")
	if err != nil || settings == rolled != (len(files) > 0) {
		t.Errorf("with %q, the gateway has rolled to %q, %v", settings, files, err)
	}
}

// load sends requests, each with a name of its own in its User-Agent.
type load struct {
	next    atomic.Int64
	ended   atomic.Bool
	senders sync.WaitGroup
}

func agent(i int) string { return fmt.Sprintf("request-%06d", i) }

func startLoad(t *testing.T, g *harness.Gateway, first int) *load {
	t.Helper()
	l, token := new(load), g.Mint("jobs")
	l.next.Store(int64(first))
	for range 4 {
		l.senders.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for !l.ended.Load() {
				r, err := http.NewRequestWithContext(t.Context(), "GET", g.URL+harness.JobsList, nil)
				if err != nil {
					t.Error(err)
					return
				}
				harness.Bearer(token.Value)(r)
				r.Header.Set("User-Agent", agent(int(l.next.Add(1)-1)))
				response, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
	return l
}

// more waits until so many more requests were sent.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	until := l.next.Load() + int64(n)
	harness.WaitFor(t, "more requests", func() bool { return l.next.Load() >= until })
}

// stop waits for the last answer, and returns the number of requests.
func (l *load) stop() int {
	l.ended.Store(true)
	l.senders.Wait()
	return int(l.next.Load())
}

// rotateWith rotates a file with logrotate.
func rotateWith(t *testing.T, output, options string) {
	t.Helper()
	program, err := exec.LookPath("logrotate")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/logrotate")
	}
	if err != nil {
		t.Skip("logrotate is not installed; apt-get install logrotate")
	}
	folder := filepath.Dir(output)
	config := filepath.Join(folder, "logrotate.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, "%s {\nrotate 100\n%s\n}\n", output, options), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, program, "--force", "--state", filepath.Join(folder, "state"), config)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if printed, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, printed)
	}
}

// gather counts the records by User-Agent in all files whose names begin like that of the
// output. Every line must be whole, except the last of the output itself, which may still be
// being written.
func gather(t *testing.T, output string) (found map[string]int, compressed int) {
	t.Helper()
	found = make(map[string]int)
	names, err := filepath.Glob(strings.TrimSuffix(output, ".jsonl") + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return gather(t, output) // it was compressed meanwhile, and has another name
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			compressed++
			unzip, err := gzip.NewReader(bytes.NewReader(content))
			if err == nil {
				content, err = io.ReadAll(unzip)
			}
			if err != nil {
				t.Errorf("%s is not complete: %v", name, err)
			}
		}
		for line := range bytes.Lines(content) {
			var record struct {
				Agent string `json:"user_agent"`
			}
			if err := json.Unmarshal(line, &record); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
				if name == output && !bytes.HasSuffix(line, []byte("\n")) {
					continue
				}
				t.Errorf("%s has a broken line, %.100q", filepath.Base(name), line)
			}
			found[record.Agent]++
		}
	}
	return found, compressed
}
