package history

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// transport answers without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// serve returns a server at a path, and the client for it.
func serve(t *testing.T, handler http.HandlerFunc, settings Settings) *Prometheus {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	settings.URL = mustParse(t, server.URL+"/prometheus/")
	p := New(settings, func() time.Time { return now })
	t.Cleanup(p.Close)
	return p
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != http.MethodGet || r.URL.Path != "/prometheus/api/v1/query_range" || q.Get("step") != "3600" || !strings.Contains(q.Get("query"), `,job="x"}[3600s]`) {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if got := r.Header.Get("Authorization"); got != "Bearer hush" {
			t.Errorf("it sends %q", got)
		}
		_, _ = io.WriteString(w, matrix(`{"metric":{"decision":"allow"},"values":[[1772625600,"12"]]}`))
	}, Settings{Token: func() (string, error) { return "hush", nil }, Matches: []Match{{"job", "x"}}})
	d, err := p.Decisions(t.Context(), 2)
	if err != nil || len(d.Bins) != 168 || d.Bins[167].Allowed != 12 || d.Step != time.Hour {
		t.Errorf("%+v %v", d, err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"unauthorized", status(401, "hush"), "it answered 401; check the option token"},
		{"forbidden", status(403, "hush"), "it answered 403; check the option token"},
		{"not there", status(404, "hush"), "check the path in the URL"},
		{"too slow there", status(503, `{"status":"error","errorType":"timeout","error":"hush"}`), "the query took too long there"},
		{"a gateway between", status(502, "<h1>hush</h1>"), "it answered 502"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://hush.example.com/", http.StatusFound)
		}, "it answered 302, and redirects are not followed"},
		{"a page", status(200, "<html>hush"), "not one of Prometheus"},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(spaces{}, maxAnswer+2))
		}, "larger than 4 MiB"},
		{"a large header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
			_, _ = io.WriteString(w, matrix())
		}, "cannot be reached"},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"status":`)
		}, "cannot be reached, or did not answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, test.answer, Settings{}).Decisions(t.Context(), 0)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "increase") {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := New(Settings{URL: mustParse(t, server.URL)}, time.Now).Decisions(t.Context(), 0)
		if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "increase") {
			t.Errorf("%v", err)
		}
	})
	t.Run("no token", func(t *testing.T) {
		t.Parallel()
		p := serve(t, status(200, matrix()), Settings{Token: func() (string, error) { return "", errors.New("the file is gone") }})
		if _, err := p.Decisions(t.Context(), 0); err == nil || err.Error() != "the file is gone" {
			t.Errorf("%v", err)
		}
	})
	t.Run("a token of two lines", func(t *testing.T) {
		t.Parallel()
		p := serve(t, status(200, matrix()), Settings{Token: func() (string, error) { return "hush\nhush", nil }})
		if _, err := p.Decisions(t.Context(), 0); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	})
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestSlow: callers of a server that does not answer wait for 5 seconds together, and none
// waits in the 15 seconds after.
func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		p := New(Settings{URL: mustParse(t, "http://localhost")}, time.Now)
		p.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})
		begin := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := p.Decisions(t.Context(), 0); err == nil || err.Error() != "it did not answer within 5 seconds" {
					t.Errorf("%v", err)
				}
			})
		}
		synctest.Wait()
		left, leave := context.WithCancel(t.Context())
		leave()
		if _, err := p.Decisions(left, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("a browser that has left: %v", err)
		}
		all.Wait()
		time.Sleep(14 * time.Second)
		_, _ = p.Decisions(t.Context(), 0)
		if took := time.Since(begin); took != 19*time.Second || asked.Load() != 1 {
			t.Errorf("asked %d times in %s", asked.Load(), took)
		}
		time.Sleep(time.Second)
		_, _ = p.Decisions(t.Context(), 0)
		if asked.Load() != 2 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

// TestKept: an answer is shown again for 30 seconds, for its period.
func TestKept(t *testing.T) {
	t.Parallel()
	clock, asked := now, 0
	p := New(Settings{URL: mustParse(t, "http://localhost")}, func() time.Time { return clock })
	p.client.Transport = transport(func(*http.Request) (*http.Response, error) { asked++; return answered(200, matrix()), nil })
	for _, step := range []struct {
		after  time.Duration
		period int
		asked  int
	}{{0, 0, 1}, {29 * time.Second, 0, 1}, {0, 1, 2}, {time.Second, 0, 3}, {0, 0, 3}, {-time.Hour, 0, 4}} {
		clock = clock.Add(step.after)
		if _, err := p.Decisions(t.Context(), step.period); err != nil || asked != step.asked {
			t.Errorf("%+v: asked %d times, %v", step, asked, err)
		}
	}
}
