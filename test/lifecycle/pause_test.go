package lifecycle

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

var pause = flag.Duration("pause", 0, "how long transfers pause in TestPausedTransfers; more than a minute is what Caddy would cut")

// pausedSize is more than the buffers on the way hold.
const pausedSize = 80 << 20

// pausing is a body that pauses after its first bytes.
type pausing struct {
	io.Reader
	read int
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.read > 0 && p.read < 1<<20 {
		p.read = 1 << 20
		time.Sleep(*pause)
	}
	n, err := p.Reader.Read(b[:min(len(b), 64<<10)])
	p.read += n
	return n, err
}

// TestPausedTransfers: uploads, downloads and quiet streams survive a pause.
func TestPausedTransfers(t *testing.T) {
	if *pause == 0 {
		t.Skip("run it with -pause 80s -parallel 20")
	}
	t.Parallel()
	r := newRig(t)
	const path = "/api/2.0/fs/files/Volumes/a/b/c/big"
	r.workspace.Handle("GET "+path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, pausedSize))
	}))
	r.workspace.Handle("PUT "+path, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if n, err := io.Copy(io.Discard, request.Body); n != pausedSize || err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	gate := r.workspace.HoldEvents()
	t.Cleanup(gate.Open)
	for name, command := range map[string]func(*testing.T, string) []string{
		"sidecar": func(_ *testing.T, listen string) []string { return r.sidecar(listen) },
		"Caddyfile": func(t *testing.T, listen string) []string {
			return runFile(t, "admin off\nservers {\nprotocols h1 h2c\n}", r.site(listen))
		},
	} {
		listen := processtest.FreeAddress(t)
		p := r.start(t, listen, command(t, listen))
		for protocol, client := range map[string]*http.Client{"HTTP/1.1": {Transport: new(http.Transport)}, "HTTP/2": h2c(t)} {
			run := func(kind string, test func(t *testing.T)) {
				t.Run(name+" "+protocol+" "+kind, func(t *testing.T) {
					t.Parallel()
					test(t)
				})
			}
			run("download", func(t *testing.T) {
				response, err := client.Do(r.request(t, "GET", p.URL+path, nil))
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if n, err := io.Copy(io.Discard, &pausing{Reader: response.Body}); n != pausedSize || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
			})
			run("upload", func(t *testing.T) {
				request := r.request(t, "PUT", p.URL+path, &pausing{Reader: bytes.NewReader(make([]byte, pausedSize))})
				request.ContentLength = pausedSize
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Error(response.Status)
				}
			})
			run("quiet stream", func(t *testing.T) {
				x := r.openStream(t, p.URL, client)
				time.Sleep(*pause)
				select {
				case err := <-x.ended:
					t.Errorf("it ended: %v", err)
				default:
				}
			})
			run("slow headers", func(t *testing.T) {
				if protocol == "HTTP/1.1" {
					slowHeaders(t, listen)
				}
			})
		}
	}
}

// slowHeaders sends a header now and then. It must be cut after a minute.
func slowHeaders(t *testing.T, listen string) {
	t.Helper()
	conn := dial(t, listen)
	if _, err := io.Copy(conn, strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\n")); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < 75*time.Second; time.Sleep(5 * time.Second) {
		if _, err := io.WriteString(conn, "X-A: b\r\n"); err != nil {
			return
		}
	}
	t.Error("it was not cut")
}
