package hardening

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/race"
)

// Further frames and fields of HTTP/2 (RFC 9113, sections 6 and 7).
const (
	framePriority, framePing, frameWindow = 2, 6, 8

	initialWindowSize = 4

	enhanceYourCalm = 0xb
)

// hostile2 is a connection of a client that keeps to no rule.
type hostile2 struct {
	conn net.Conn
	// answers counts frames of the server by kind. calm means that it asked for calm.
	answers [16]atomic.Int64
	goAway  atomic.Int64 // error code of GOAWAY plus one
	closed  atomic.Bool
}

// open2 connects, and reads what the server says unless the client is deaf.
func (r *rig) open2(t *testing.T, deaf bool, settings string) *hostile2 {
	t.Helper()
	conn, err := net.Dial("tcp", r.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &hostile2{conn: conn}
	h.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, 0, settings))
	if !deaf {
		go h.read()
	}
	return h
}

// write reports whether the server still takes what it is sent.
func (h *hostile2) write(text string) bool {
	_ = h.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	_, err := io.WriteString(h.conn, text)
	return err == nil
}

func (h *hostile2) read() {
	defer h.closed.Store(true)
	for in := bufio.NewReader(h.conn); ; {
		var head [9]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		h.answers[head[3]&15].Add(1)
		if head[3] == frameGoAway && len(payload) >= 8 {
			h.goAway.Store(int64(binary.BigEndian.Uint32(payload[4:])) + 1)
		}
	}
}

func (h *hostile2) String() string {
	return fmt.Sprintf("%d headers, %d resets, %d settings, GOAWAY %d, closed %v", h.answers[frameHeaders].Load(),
		h.answers[frameReset].Load(), h.answers[frameSettings].Load(), h.goAway.Load()-1, h.closed.Load())
}

// get2 is a request on a stream.
func (r *rig) get2(stream uint32, flags byte, path string, more ...string) string {
	all := append([]string{":method", "GET", ":scheme", "http", ":authority", r.Listen, ":path", path, "authorization", "Bearer " + r.tokens["files"].Value}, more...)
	return frame(frameHeaders, flags, stream, fields(all...))
}

// u32 encodes a number as frames have it.
func u32(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// honest sends requests over other connections until it is stopped: all must be served.
func (r *rig) honest(t *testing.T) (stop func()) {
	t.Helper()
	var group sync.WaitGroup
	var served atomic.Int64
	done := make(chan struct{})
	for _, client := range []*http.Client{harness.Client(t), harness.ClientH2C(t)} {
		group.Go(func() {
			for {
				began := time.Now()
				request, err := http.NewRequest("GET", r.URL+"/api/2.0/fs/files/honest", nil)
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("Authorization", "Bearer "+r.tokens["files"].Value)
				response, err := client.Do(request)
				if err != nil {
					t.Errorf("an honest client: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if took := time.Since(began); outcomeOf(response) != passes || took > 5*time.Second {
					t.Errorf("an honest client got %d after %s", response.StatusCode, took)
				}
				served.Add(1)
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
	return func() {
		for enough := served.Load() + 10; served.Load() < enough && !t.Failed(); time.Sleep(time.Millisecond) {
		}
		close(done)
		group.Wait()
	}
}

// cost measures the highest number of goroutines and bytes until it is stopped.
func cost(t *testing.T) (stop func(goroutines int, bytes int64)) {
	t.Helper()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	base := runtime.NumGoroutine()
	var most int
	var peak int64
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			metrics.Read(heap)
			most, peak = max(most, runtime.NumGoroutine()-base), max(peak, int64(heap[0].Value.Uint64())-int64(before.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func(goroutines int, bytes int64) {
		t.Helper()
		close(done)
		<-stopped
		runtime.GC()
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		t.Logf("at most %d goroutines and %d KiB more, garbage included, %d KiB more in the end", most, peak>>10, used>>10)
		if most > goroutines || used > bytes || peak > 4*bytes {
			t.Errorf("%d goroutines, %d bytes in the end and %d before more, want at most %d, %d and %d", most, used, peak, goroutines, bytes, 4*bytes)
		}
	}
}

// ends waits until no request of an attack is under way. Connections to the workspace may
// stay for the next request.
func ends(t *testing.T) {
	t.Helper()
	harness.WaitFor(t, "requests to end", func() bool { return harness.Goroutines("internal/exchange") == 0 })
}

// TestRapidReset opens streams and resets them at once (CVE-2023-44487). The server slows
// down or ends the connection, others are served, and every request that went on to the
// workspace has a record.
func TestRapidReset(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector slows honest clients down, and finds that Caddy's reverse proxy closes a request's body while it is read")
	}
	const connections, each = 4, 1_500
	// Caddy runs 250 streams of a connection at a time. Each may have a handler, a reader of
	// its client, and two ends with a reader and a writer of a connection to the workspace,
	// which is in this process too.
	const atOnce, goroutines = 250, 6
	r := startRig(t, "")
	measured, stop := cost(t), r.honest(t)
	var group sync.WaitGroup
	for n := range connections {
		h := r.open2(t, false, "")
		group.Go(func() {
			sent := 0
			for stream := uint32(1); sent < each; stream += 2 {
				request := r.get2(stream, endStream|endHeaders, fmt.Sprintf("/api/2.0/fs/files/reset-%d-%d", n, stream))
				if !h.write(request + frame(frameReset, 0, stream, u32(8))) {
					break
				}
				sent++
			}
			// Either it was told to stop, or everything was taken: then it is still served.
			if h.goAway.Load() != enhanceYourCalm+1 && !h.closed.Load() {
				h.write(frame(framePing, 0, 0, "12345678"))
				for deadline := time.Now().Add(10 * time.Second); h.answers[framePing].Load() == 0 && !h.closed.Load() && time.Now().Before(deadline); {
					time.Sleep(5 * time.Millisecond)
				}
				if h.answers[framePing].Load() == 0 && !h.closed.Load() {
					t.Errorf("after %d requests the connection hangs: %s", sent, h)
				}
			}
			t.Logf("%d requests: %s", sent, h)
		})
	}
	group.Wait()
	stop()
	measured(connections*atOnce*goroutines, 64<<20)
	r.ended(t, "reset-")
	ends(t)
}

// ended waits until every request that reached the workspace has a record of its end,
// and no record is double.
func (r *rig) ended(t *testing.T, mark string) {
	t.Helper()
	arrived := make(map[string]int)
	for _, got := range harness.Arrivals(r.Workspace) {
		if strings.Contains(got.URI, mark) {
			arrived[got.Path]++
		}
	}
	var missing string
	harness.WaitFor(t, "records of "+mark, func() bool {
		recorded := make(map[string]int)
		for _, record := range r.ReadRecords(t) {
			path, _ := record["path"].(string)
			if strings.Contains(path, mark) && record["outcome"] != "open" {
				if recorded[path]++; recorded[path] > 1 {
					t.Fatalf("%s has %d records", path, recorded[path])
				}
			}
		}
		missing = ""
		for path := range arrived {
			if recorded[path] == 0 {
				missing = path
			}
		}
		t.Logf("%d requests reached the workspace, %d have a record", len(arrived), len(recorded))
		return missing == ""
	})
}

// TestHTTP2Floods sends what costs a client little and a careless server much. Every
// flood is ended or costs the server little, and others are served meanwhile.
func TestHTTP2Floods(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector slows honest clients down, and finds that Caddy's reverse proxy closes a request's body while it is read")
	}
	r := startRig(t, "")
	const file = "/api/2.0/fs/files/flood"
	setting := func(id uint16, value uint32) string {
		return string(binary.BigEndian.AppendUint16(nil, id)) + u32(value)
	}
	zeroWindow := setting(initialWindowSize, 0)
	upload := frame(frameHeaders, endHeaders, 1, fields(":method", "PUT", ":scheme", "http", ":authority", r.Listen, ":path", file, "authorization", "Bearer "+r.tokens["files"].Value))
	big := strings.Repeat("a", 4000)
	for _, tt := range []struct {
		name     string
		deaf     bool
		settings string
		first    string
		repeated func(i int) string
		times    int
		ended    bool // the server must end the connection or the stream
	}{
		{name: "continuation without end", first: r.get2(1, endStream, file), repeated: func(i int) string { return frame(frameContinuation, 0, 1, fields(fmt.Sprint("x-", i), big)) }, times: 20_000, ended: true},
		{name: "empty continuations", first: r.get2(1, endStream, file), repeated: func(int) string { return frame(frameContinuation, 0, 1, "") }, times: 50_000},
		{name: "settings", repeated: func(int) string { return frame(frameSettings, 0, 0, "") }, times: 100_000},
		{name: "settings that nobody reads", deaf: true, repeated: func(int) string { return frame(frameSettings, 0, 0, "") }, times: 1_000_000, ended: true},
		{name: "pings that nobody reads", deaf: true, repeated: func(int) string { return frame(framePing, 0, 0, "12345678") }, times: 1_000_000, ended: true},
		{name: "resets of streams that are not open", repeated: func(i int) string { return frame(frameReset, 0, uint32(2*i+1), u32(8)) }, times: 50_000, ended: true},
		{name: "priorities", repeated: func(i int) string { return frame(framePriority, 0, uint32(2*(i%100_000)+1), u32(0)+"\x10") }, times: 100_000},
		{name: "windows that overflow", repeated: func(int) string { return frame(frameWindow, 0, 0, u32(1<<31-1)) }, times: 100, ended: true},
		{name: "windows of one byte", first: upload, repeated: func(int) string { return frame(frameWindow, 0, 1, u32(1)) }, times: 50_000},
		{name: "empty data", first: upload, repeated: func(int) string { return frame(frameData, 0, 1, "") }, times: 50_000},
		{name: "padding only", first: upload, repeated: func(int) string { return frame(frameData, 8, 1, "\xff"+strings.Repeat("\x00", 255)) }, times: 5_000},
		{name: "streams without end", repeated: func(i int) string { return r.get2(uint32(2*i+1), endHeaders, file) }, times: 1_000},
		{name: "windows of zero", settings: zeroWindow, repeated: func(i int) string { return r.get2(uint32(2*i+1), endStream|endHeaders, file) }, times: 1_000},
		{name: "windows of zero that nobody reads", deaf: true, settings: zeroWindow, repeated: func(i int) string { return r.get2(uint32(2*i+1), endStream|endHeaders, file) }, times: 1_000},
		{name: "header lists", repeated: func(i int) string {
			var blocks strings.Builder
			stream := uint32(2*i + 1)
			blocks.WriteString(r.get2(stream, endStream, file))
			for j := range 50 {
				blocks.WriteString(frame(frameContinuation, 0, stream, fields(fmt.Sprint("x-", j), big)))
			}
			return blocks.String() + frame(frameContinuation, endHeaders, stream, fields("y", "z"))
		}, times: 200},
		// One entry of the table of 4 KB, referred to by a byte each (RFC 7541, section 7.3).
		{name: "header bomb", repeated: func(i int) string {
			stream := uint32(2*i + 1)
			block := fields(":method", "GET", ":scheme", "http", ":authority", r.Listen, ":path", file) + "\x40" + fields("x", big[:3900])[1:] + strings.Repeat("\xbe", 10_000)
			return frame(frameHeaders, endStream|endHeaders, stream, block)
		}, times: 500},
		{name: "frames too large", repeated: func(int) string { return frame(frameData, 0, 1, strings.Repeat("a", 1<<20)) }, times: 20, ended: true},
		{name: "half a header and silence", first: "\x00\xff\xff\x01\x04\x00\x00\x00\x01", repeated: func(int) string { return "" }, times: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			measured, stop := cost(t), r.honest(t)
			began := time.Now()
			var group sync.WaitGroup
			for range 3 {
				h := r.open2(t, tt.deaf, tt.settings)
				group.Go(func() {
					h.write(tt.first)
					sent := 0
					for batch := ""; sent < tt.times && time.Since(began) < 2*time.Second; batch = "" {
						for ; sent < tt.times && len(batch) < 16<<10; sent++ {
							batch += tt.repeated(sent)
						}
						if !h.write(batch) {
							break
						}
					}
					h.finish(t, tt.deaf, tt.ended, sent)
				})
			}
			group.Wait()
			stop()
			measured(4000, 64<<20)
			for _, got := range harness.Arrivals(r.Workspace) {
				if !strings.HasPrefix(got.Path, "/api/2.0/fs/files/") && got.Header.Get("Warm-Up") == "" {
					t.Errorf("%s arrived", got.URI)
				}
			}
			ends(t)
		})
	}
}

// finish looks how the server took a flood, and closes the connection.
func (h *hostile2) finish(t *testing.T, deaf, mustEnd bool, sent int) {
	defer h.conn.Close()
	if deaf {
		// What the server does shows in whether it takes more: it has closed, or it waits
		// for this client to read.
		if mustEnd && h.takes(64<<20) {
			t.Error("the server takes whatever it is sent, and its answers pile up")
		}
		t.Logf("%d frames, and nothing was read", sent)
		return
	}
	ended := func() bool { return h.closed.Load() || h.goAway.Load() > 0 || h.answers[frameReset].Load() > 0 }
	for deadline := time.Now().Add(5 * time.Second); mustEnd && !ended() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if mustEnd && !ended() {
		t.Errorf("the server goes on after %d frames: %s", sent, h)
	}
	t.Logf("%d frames: %s", sent, h)
}

// takes reports whether the server takes that many more bytes.
func (h *hostile2) takes(bytes int) bool {
	pings := strings.Repeat(frame(framePing, 0, 0, "12345678"), 1000)
	for sent := 0; sent < bytes; sent += len(pings) {
		if !h.write(pings) {
			return false // it waits, or has closed
		}
	}
	return true
}
