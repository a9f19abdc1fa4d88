package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// Each server-sent event reaches the client before the workspace sends the next one.
func TestServerSentEvents(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			gate := w.HoldEvents()
			defer gate.Open()
			resp, err := tt.client(t).Do(harness.NewRequest(t, "POST", g.URL+"/serving-endpoints/chat/invocations", token,
				strings.NewReader(`{"stream":true,"max_tokens":3,"messages":[]}`)))
			if err != nil {
				t.Fatal(err) // the head comes although no event did
			}
			defer resp.Body.Close()
			if resp.Proto != tt.proto || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
				t.Errorf("%s, content type %q", resp.Proto, resp.Header.Get("Content-Type"))
			}
			lines := bufio.NewReader(resp.Body)
			for _, want := range []string{"word1 ", "word2 ", "word3 ", "[DONE]"} {
				if err := gate.Next(harness.Context(t)); err != nil {
					t.Fatal(err)
				}
				event, err := lines.ReadString('\n')
				if err != nil || !strings.HasPrefix(event, "data: ") || !strings.Contains(event, want) {
					t.Errorf("event %q, %v, want %q in it", event, err, want)
				}
				if _, err := lines.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
				t.Errorf("after the last event: %q, %v", rest, err)
			}
		})
	}
}

// The same for a response of any type that is sent in pieces.
func TestStreamsDown(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			pieces := make(chan string)
			w.Handle("GET /pieces/"+tt.proto, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.WriteHeader(http.StatusOK)
				for {
					if err := http.NewResponseController(rw).Flush(); err != nil {
						return
					}
					select {
					case piece, more := <-pieces:
						if !more {
							return
						}
						_, _ = io.WriteString(rw, piece)
					case <-r.Context().Done():
						return
					}
				}
			}))
			resp, err := tt.client(t).Do(harness.NewRequest(t, "GET", g.URL+"/pieces/"+tt.proto, token, nil))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for _, piece := range []string{"a", "piece", "then another"} {
				select {
				case pieces <- piece:
				case <-harness.Context(t).Done():
					t.Fatal("the workspace does not send the next piece")
				}
				got := make([]byte, len(piece))
				if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != piece {
					t.Fatalf("%q, %v, want %q", got, err, piece)
				}
			}
			close(pieces)
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
				t.Errorf("after the last piece: %q, %v", rest, err)
			}
		})
	}
}

// Each piece of a request body reaches the workspace before the client writes the next
// one.
func TestStreamsUp(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			name := "/Volumes/main/default/v/" + tt.name
			content, feed := io.Pipe()
			req := harness.NewRequest(t, "PUT", g.URL+"/api/2.0/fs/files"+name, token, content)
			client := tt.client(t)
			answered := make(chan error, 1)
			go func() {
				resp, err := client.Do(req)
				if err == nil {
					resp.Body.Close()
				}
				answered <- err
			}()
			var sent int64
			for _, piece := range []string{"a", "piece", "then another"} {
				if _, err := io.WriteString(feed, piece); err != nil {
					t.Fatal(err)
				}
				sent += int64(len(piece))
				harness.WaitFor(t, "the piece at the workspace", func() bool {
					received, _ := w.Uploading(name)
					return received == sent
				})
			}
			feed.Close()
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			if file, found := w.File(name); !found || file.Size != sent {
				t.Errorf("stored %+v", file)
			}
		})
	}
}

// A request that the client gives up is canceled at the workspace.
func TestCancellation(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	ended := make(chan struct{}, 1)
	w.Handle("GET /waits/{answered}", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.PathValue("answered") == "answered" {
			_, _ = io.WriteString(rw, "started")
			_ = http.NewResponseController(rw).Flush()
		}
		<-r.Context().Done() // when the workspace closes, at the latest
		ended <- struct{}{}
		panic(http.ErrAbortHandler)
	}))
	for _, protocol := range protocols {
		for _, path := range []string{"/waits/unanswered", "/waits/answered"} {
			t.Run(protocol.name+path, func(t *testing.T) {
				w.Reset()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				req := harness.NewRequest(t, "GET", g.URL+path, token, nil).WithContext(ctx)
				client := protocol.client(t)
				started, left := make(chan struct{}, 1), make(chan error, 1)
				go func() {
					resp, err := client.Do(req)
					if err == nil {
						started <- struct{}{}
						_, err = io.ReadAll(resp.Body)
						resp.Body.Close()
					}
					left <- err
				}()
				harness.WaitFor(t, "the request at the workspace", func() bool { return len(harness.Arrivals(w)) == 1 })
				if path == "/waits/answered" {
					<-started
				}
				cancel()
				if err := <-left; !errors.Is(err, context.Canceled) {
					t.Errorf("the client sees %v", err)
				}
				select {
				case <-ended:
				case <-harness.Context(t).Done():
					t.Error("the workspace still serves a client that disconnected")
				}
			})
		}
	}
	g.Records(t, 4)
}

// A cut upload does not look complete.
func TestCancelledUpload(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			content, feed := io.Pipe()
			req := harness.NewRequest(t, "PUT", g.URL+uploadPath, token, content)
			client := tt.client(t)
			left := make(chan error, 1)
			go func() {
				resp, err := client.Do(req)
				if err == nil {
					resp.Body.Close()
				}
				left <- err
			}()
			if _, err := io.WriteString(feed, "half of it"); err != nil {
				t.Fatal(err)
			}
			harness.WaitFor(t, "the first half at the workspace", func() bool {
				received, _ := w.Uploading(uploadName)
				return received == int64(len("half of it"))
			})
			feed.CloseWithError(errors.New("gone"))
			if err := <-left; err == nil {
				t.Error("the client got a response")
			}
			harness.WaitFor(t, "the end of the upload at the workspace", func() bool {
				_, running := w.Uploading(uploadName)
				return !running
			})
			if file, found := w.File(uploadName); found {
				t.Errorf("stored %+v", file)
			}
		})
	}
	g.Records(t, 2)
}
