package authority

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// event is one event of a stream; a comment has none of its fields.
type event struct{ name, id, data string }

func hello(epoch string, generation int) event {
	id := fmt.Sprintf("%s:%d", epoch, generation)
	return event{"hello", id, fmt.Sprintf(`{"epoch":%q,"generation":%d}`, epoch, generation)}
}

func reset(epoch string, generation int) event {
	e := hello(epoch, generation)
	e.name = "reset"
	return e
}

func changed(generation int, name string) event {
	return event{"change", fmt.Sprintf("epoch-1:%d", generation), string(must(json.Marshal(tokenChange(name))))}
}

func change(name string) fleet.Change {
	return fleet.Change{Kind: fleet.TokenChanged, Token: tokens.IDOf(name), From: 3, Proof: 99}
}

// subscription reads a stream.
type subscription struct {
	*fixture
	response *http.Response
	events   chan event
	leave    context.CancelFunc
}

func (f *fixture) subscribe(client *http.Client, last string, changes ...func(*http.Request)) *subscription {
	f.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request := edgeRequest("GET", f.http.URL+wire.Prefix+"changes", nil).WithContext(ctx)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	for _, change := range changes {
		change(request)
	}
	response, err := client.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	if f.streams == nil {
		f.streams = make(map[*http.Client]string)
	}
	f.streams[client] = response.Header.Get(wire.StreamHeader)
	s := &subscription{f, response, make(chan event, 1<<15), cancel}
	done := make(chan struct{})
	go func() { defer close(done); s.read() }()
	f.Cleanup(func() { cancel(); <-done })
	return s
}

// read reads events, and comments, until the stream ends.
func (s *subscription) read() {
	defer close(s.events)
	defer s.response.Body.Close()
	lines := bufio.NewScanner(s.response.Body)
	var e event
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			s.events <- e
			e = event{}
		}
	}
}

// next returns the next event that is no comment.
func (s *subscription) next() (e event, ok bool) {
	s.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case e, ok = <-s.events:
			if !ok || e != (event{}) {
				return e, ok
			}
		case <-timeout:
			s.Fatal("nothing was heard for ten seconds")
		}
	}
}

func (s *subscription) expect(want ...event) {
	s.Helper()
	for _, w := range want {
		if got, ok := s.next(); got != w {
			s.Fatalf("got %+v, %v; want %+v", got, ok, w)
		}
	}
}

func (s *subscription) ends() {
	s.Helper()
	if e, ok := s.next(); ok {
		s.Fatalf("got %+v, want the end", e)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	for range 1000 {
		if met() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("in vain: %s", what)
}

func TestChanges(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("HTTP2=%v", http2), func(t *testing.T) {
			f := newServer(t).serve(nil, http2)
			f.log.add(change("before"))
			s := f.subscribe(f.http.Client(), "")
			if major := s.response.ProtoMajor; (major == 2) != http2 {
				t.Fatalf("HTTP/%d", major)
			}
			if kind := s.response.Header.Get("Content-Type"); kind != "text/event-stream" {
				t.Errorf("Content-Type %q", kind)
			}
			s.expect(hello("epoch-1", 1), reset("epoch-1", 1))
			f.log.add(change("a"), change("b"))
			s.expect(changed(2, "a"), changed(3, "b"))
			f.log.add(fleet.Change{Kind: fleet.OwnerChanged, Owner: 42}, fleet.Change{Kind: fleet.AllChanged})
			s.expect(event{"change", "epoch-1:4", `{"kind":"owner","owner":42}`}, event{"change", "epoch-1:5", `{"kind":"all"}`})
			s.leave()
			until(t, "the edge is gone", func() bool {
				f.observer.mu.Lock()
				defer f.observer.mu.Unlock()
				return reflect.DeepEqual(f.observer.connected, []string{"edge-1"}) && reflect.DeepEqual(f.observer.gone, []string{"edge-1"})
			})
		})
	}
}

func TestResume(t *testing.T) {
	for _, test := range []struct {
		name, last string
		want       []event
	}{
		{"where it left off", "epoch-1:3", []event{hello("epoch-1", 3), changed(4, "d"), changed(5, "e")}},
		{"nothing missed", "epoch-1:5", []event{hello("epoch-1", 5)}},
		{"all that there is", "epoch-1:2", []event{hello("epoch-1", 2), changed(3, "c"), changed(4, "d"), changed(5, "e")}},
		{"too far back", "epoch-1:1", []event{hello("epoch-1", 5), reset("epoch-1", 5)}},
		{"the future", "epoch-1:6", []event{hello("epoch-1", 5), reset("epoch-1", 5)}},
		{"another log", "epoch-0:3", []event{hello("epoch-1", 5), reset("epoch-1", 5)}},
		{"no position", "3", []event{hello("epoch-1", 5), reset("epoch-1", 5)}},
		{"nothing", "", []event{hello("epoch-1", 5), reset("epoch-1", 5)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.log.add(change("a"), change("b"))
			f.log.trim()
			f.log.add(change("c"), change("d"), change("e"))
			s := f.subscribe(f.http.Client(), test.last)
			s.expect(test.want...)
			f.log.add(change("f"))
			s.expect(changed(6, "f"))
		})
	}
}

// TestResumeTooFarBehind: what was missed is not held in memory without limit.
func TestResumeTooFarBehind(t *testing.T) {
	f := newFixture(t)
	many := make([]fleet.Change, maxBehind+1)
	for i := range many {
		many[i] = change("a")
	}
	f.log.add(many...)
	f.subscribe(f.http.Client(), "epoch-1:0", named("a")).expect(hello("epoch-1", maxBehind+1), reset("epoch-1", maxBehind+1))
	s := f.subscribe(f.http.Client(), "epoch-1:1", named("b"))
	s.expect(hello("epoch-1", 1))
	for i := range maxBehind {
		s.expect(changed(i+2, "a"))
	}
}

// TestNewEpoch: when the log is lost, edges ask again for everything.
func TestNewEpoch(t *testing.T) {
	f := newFixture(t)
	f.log.add(change("a"))
	s := f.subscribe(f.http.Client(), "")
	s.expect(hello("epoch-1", 1), reset("epoch-1", 1))
	f.log.restart("epoch-2")
	s.expect(reset("epoch-2", 0))
	f.log.add(change("b"))
	if e, _ := s.next(); e.id != "epoch-2:1" {
		t.Errorf("got %+v", e)
	}
}

func TestHeartbeat(t *testing.T) {
	f := newServer(t)
	f.server.heartbeat = 20 * time.Millisecond
	f.serve(nil, true)
	s := f.subscribe(f.http.Client(), "")
	s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	for range 5 {
		select {
		case e, ok := <-s.events:
			if !ok || e != (event{}) {
				t.Fatalf("got %+v, %v", e, ok)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("no heartbeat")
		}
	}
	f.log.add(change("a"))
	s.expect(changed(1, "a"))
	if wire.Heartbeat != newServer(t).server.heartbeat {
		t.Error("it is not the one of the protocol")
	}
}

// TestHeartbeatOutlastsDeadline: HTTP/2 ends a stream whose deadline passed, so every write
// moves it.
func TestHeartbeatOutlastsDeadline(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		f := newServer(t)
		f.server.heartbeat, f.server.written = 100*time.Millisecond, 300*time.Millisecond
		f.serve(nil, http2)
		s := f.subscribe(f.http.Client(), "")
		s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
		for began := time.Now(); time.Since(began) < time.Second; {
			if _, ok := <-s.events; !ok {
				t.Fatalf("HTTP2=%v: the stream ended after %v", http2, time.Since(began))
			}
		}
	}
}

// TestCredentialEnds: a stream ends with the credential that it began with.
func TestCredentialEnds(t *testing.T) {
	c := newCluster(t)
	var mu sync.Mutex
	shared := []string{sharedToken}
	f := newServer(t, func(o *Options) {
		config := c.config()
		o.Access = Access{Kubernetes: &config, Tokens: func() ([]string, error) {
			mu.Lock()
			defer mu.Unlock()
			return shared, nil
		}}
	})
	f.server.heartbeat = 10 * time.Millisecond
	f.serve(nil, true)
	account := sign("RS256", rsaKey(), "rsa", c.claims(f.clock.now()))
	pod := f.subscribe(f.http.Client(), "", setHeader("Authorization", "Bearer "+account))
	edge := f.subscribe(f.http.Client(), "")
	pod.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	edge.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	f.clock.pass(59 * time.Minute)
	f.log.add(change("a"))
	pod.expect(changed(1, "a"))
	f.clock.pass(time.Minute)
	pod.ends()
	edge.expect(changed(1, "a"))
	mu.Lock()
	shared = nil
	mu.Unlock()
	f.clock.pass(sharedAge)
	edge.ends()
}

// TestCredentialEndsUnheard: who has lost its credential hears of no other change.
func TestCredentialEndsUnheard(t *testing.T) {
	c := newCluster(t)
	f := newFixture(t, func(o *Options) { config := c.config(); o.Access = Access{Kubernetes: &config} })
	account := sign("RS256", rsaKey(), "rsa", c.claims(f.clock.now()))
	s := f.subscribe(f.http.Client(), "", setHeader("Authorization", "Bearer "+account))
	s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	f.clock.pass(time.Hour)
	f.log.add(change("a"))
	s.ends()
}

// TestClose: edges are told at once, and nothing is left.
func TestClose(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		f := newServer(t).serve(nil, http2)
		s := f.subscribe(f.http.Client(), "")
		s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
		f.server.Close()
		s.ends()
		got := f.ask("GET", wire.Prefix+"changes", nil)
		f.expect(got, 503, wire.UnavailableCode)
		if got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}

// TestEnding: an authority that is about to end sends its edges away, and answers what else
// they ask.
func TestEnding(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("http2 %v", http2), func(t *testing.T) {
			ending := make(chan struct{})
			f := newServer(t, func(o *Options) { o.Ending = ending }).serve(nil, http2)
			s := f.subscribe(f.http.Client(), "")
			s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
			close(ending)
			s.ends()
			f.expect(f.ask("GET", wire.Prefix+"changes", nil), http.StatusServiceUnavailable, wire.UnavailableCode)
			f.expect(f.ask("GET", tokenPath(f.know("a", 3)), nil), http.StatusOK, "")
		})
	}
}

func TestSubscribers(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Limits.Edges = 6 }) // half of them for one address
	var all []*subscription
	for i := range 3 {
		s := f.subscribe(f.http.Client(), "", named(fmt.Sprint(i)))
		s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
		all = append(all, s)
	}
	got := f.ask("GET", wire.Prefix+"changes", nil, named("x"))
	f.expect(got, 503, wire.UnavailableCode)
	all[0].leave()
	until(t, "room for another one", func() bool {
		f.server.edges.mu.Lock()
		defer f.server.edges.mu.Unlock()
		return f.server.edges.streams == 2
	})
	f.subscribe(f.http.Client(), "", named("x")).expect(hello("epoch-1", 0))
}

// TestStreamsOfOneEdge: one edge cannot take all places.
func TestStreamsOfOneEdge(t *testing.T) {
	g := newRegistry(DefaultLimits)
	e := g.find(&identity{key: "a"}, "", time.Now())
	for i := range maxStreams + 1 {
		if ok := g.subscribe(e, &stream{edge: e}, time.Now()); ok != (i < maxStreams) {
			t.Fatalf("stream %d: %v", i, ok)
		}
	}
}
