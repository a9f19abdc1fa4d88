package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// The kinds of exchanges that take long.
const (
	streams   = "stream"
	uploads   = "upload"
	downloads = "download"
	sockets   = "websocket"
)

const (
	streamPath = "/serving-endpoints/soak/invocations"
	filePath   = "/api/2.0/fs/files/Volumes/soak/a/b/c"
)

// underWay counts the exchanges of each kind that the workspace is serving.
type underWay map[string]*atomic.Int64

func newUnderWay() underWay {
	return underWay{streams: new(atomic.Int64), uploads: new(atomic.Int64), downloads: new(atomic.Int64), sockets: new(atomic.Int64)}
}

// all reports whether there is one of each kind.
func (u underWay) all() bool {
	for _, n := range u {
		if n.Load() == 0 {
			return false
		}
	}
	return true
}

func (u underWay) String() string {
	var b strings.Builder
	for _, kind := range []string{streams, uploads, downloads, sockets} {
		fmt.Fprintf(&b, " %s %d", kind, u[kind].Load())
	}
	return b.String()[1:]
}

// startWorkspace starts a workspace that speaks HTTP/1.1, and HTTP/2 over TLS, and whose
// certificate authority is in the returned file.
func startWorkspace(t *testing.T) (workspace *fakeworkspace.Workspace, authority string) {
	t.Helper()
	workspace = fakeworkspace.New(fakeworkspace.WithMaxRequestLog(0))
	for _, start := range []func() error{workspace.Start, workspace.StartTLS} {
		if err := start(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(workspace.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, workspace.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return workspace, authority
}

// serve sets up what the workspace serves, and notes what arrives.
func (s *run) serve() {
	noted := func(kind string, h http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.ledger.arrive(r.UserAgent())
			if n := s.underWay[kind]; n != nil {
				n.Add(1)
				defer n.Add(-1)
			}
			h(w, r)
		})
	}
	jobs := []byte(`{"jobs":[` + strings.Repeat(`{"job_id":1,"settings":{"name":"nightly"}},`, 40) + `{"job_id":2}]}`)
	s.workspace.Handle("GET "+harness.JobsList, noted("", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(jobs)
	}))
	s.workspace.Handle("POST "+streamPath, noted(streams, serveEvents))
	s.workspace.Handle("PUT "+filePath, noted(uploads, serveUpload))
	s.workspace.Handle("GET "+filePath, noted(downloads, serveDownload))
	s.workspace.Handle("/driver-proxy-api/o/{org}/{cluster}/{port}/{path...}", noted(sockets, serveSocket))
}

// number reads a number of the query.
func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}

// serveEvents sends n events, one every few milliseconds.
func serveEvents(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	n := number(r, "n")
	for i := range n {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil || !sleep(r.Context(), time.Duration(number(r, "every"))*time.Millisecond) {
			panic(http.ErrAbortHandler) // a cut stream must not look complete
		}
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// serveUpload answers how many bytes arrived.
func serveUpload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(n)
}

// chunk is what downloads and uploads send at once.
const chunk = 32 << 10

// serveDownload sends n bytes, and rests after each chunk. The length is announced if it
// does not rest.
func serveDownload(w http.ResponseWriter, r *http.Request) {
	n, rest := number(r, "n"), time.Duration(number(r, "every"))*time.Millisecond
	w.Header().Set("Content-Type", "application/octet-stream")
	if rest == 0 {
		w.Header().Set("Content-Length", strconv.Itoa(n))
	}
	for sent := 0; sent < n; sent += chunk {
		if _, err := w.Write(pattern(sent, min(chunk, n-sent))); err != nil {
			return
		}
		if rest == 0 {
			continue
		}
		if err := http.NewResponseController(w).Flush(); err != nil || !sleep(r.Context(), rest) {
			panic(http.ErrAbortHandler)
		}
	}
}

// period is prime, so that no chunk is like another.
const period = 251

var patternBytes = func() []byte {
	b := make([]byte, chunk+period)
	for i := range b {
		b[i] = byte(i % period)
	}
	return b
}()

// pattern returns n bytes of a known content from an offset. They must not be changed.
func pattern(offset, n int) []byte { return patternBytes[offset%period:][:n] }

func serveSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer func() { _ = conn.CloseNow() }()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// sleep waits, and returns false if the context ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
