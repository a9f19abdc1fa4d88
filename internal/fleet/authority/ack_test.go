package authority

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// acknowledge sends an ack of the stream that a client has.
func (f *fixture) acknowledge(client *http.Client, name, epoch string, generation int) {
	f.Helper()
	body := must(json.Marshal(wire.Ack{Position: wire.Position{Epoch: epoch, Generation: fleet.Generation(generation)}}))
	request := edgeRequest("POST", f.http.URL+wire.Prefix+"acks", body)
	request.Header.Set(wire.NameHeader, name)
	request.Header.Set(wire.StreamHeader, f.streams[client])
	response, err := client.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 204 {
		f.Fatalf("status %d", response.StatusCode)
	}
}

func (f *fixture) ownClient() *http.Client {
	return &http.Client{Transport: f.http.Client().Transport.(*http.Transport).Clone()}
}

func TestAcks(t *testing.T) {
	f := newFixture(t)
	f.log.add(change("before"))
	client := f.ownClient()
	s := f.subscribe(client, "")
	s.expect(hello("epoch-1", 1), reset("epoch-1", 1))
	progress := func(generation, applied int, stragglers ...string) {
		t.Helper()
		got := f.server.Progress(fleet.Generation(generation))
		if got.Edges != 1 || got.Applied != applied || !slices.Equal(got.Stragglers, stragglers) {
			t.Errorf("generation %d: %+v, want %d applied", generation, got, applied)
		}
	}
	progress(1, 0, "edge-1")
	f.acknowledge(client, "edge-1", "epoch-1", 1)
	progress(1, 1)
	if acks := f.observer.acks(); len(acks) != 0 {
		t.Errorf("what was published before the stream was observed: %v", acks)
	}
	f.log.add(change("a"))
	s.expect(changed(2, "a"))
	f.clock.pass(20 * time.Millisecond)
	f.log.add(change("b"))
	s.expect(changed(3, "b"))
	f.clock.pass(10 * time.Millisecond)
	progress(3, 0, "edge-1")
	if got := f.server.Progress(3); got.Seconds != 0.01 {
		t.Errorf("%v seconds, want 0.01", got.Seconds)
	}
	f.acknowledge(client, "edge-1", "epoch-1", 2)
	progress(2, 1)
	progress(3, 0, "edge-1")
	f.acknowledge(client, "edge-1", "epoch-1", 999) // no more than what was sent
	progress(3, 1)
	progress(4, 0, "edge-1")
	f.acknowledge(client, "edge-1", "epoch-1", 3) // again
	f.acknowledge(client, "edge-1", "epoch-1", 2) // late
	f.acknowledge(client, "edge-1", "epoch-0", 9) // of another log
	want := []time.Duration{30 * time.Millisecond, 10 * time.Millisecond}
	if acks := f.observer.acks(); !reflect.DeepEqual(acks, want) {
		t.Errorf("observed %v, want %v", acks, want)
	}
	f.log.add(change("c"))
	s.expect(changed(4, "c"))
	if edges := f.server.Edges(); len(edges) != 1 || edges[0].Generation != 3 || !edges[0].Behind || !edges[0].Connected || edges[0].Version != "v9" || edges[0].Authority != "authority-1" {
		t.Errorf("%+v", edges)
	}
	f.acknowledge(client, "edge-1", "epoch-1", 4)
	if edges := f.server.Edges(); edges[0].Behind {
		t.Errorf("%+v", edges)
	}
	f.log.restart("epoch-2")
	s.expect(reset("epoch-2", 0))
	progress(0, 0, "edge-1")
	f.acknowledge(client, "edge-1", "epoch-2", 0)
	progress(0, 1)
}

// TestAcksMalformed: an ack must make sense.
func TestAcksMalformed(t *testing.T) {
	f := newFixture(t)
	for _, body := range []string{"", "{}", `{"position":{"epoch":"e"`, `{"position":{"epoch":"e","generation":-1}}`, `{"position":{"epoch":"e","generation":1.5}}`,
		`{"position":{"epoch":"e\n","generation":1}}`, `{"position":{"epoch":"e","generation":1},"position":{"epoch":"e","generation":2}}`, `[]`, `{"position":{"epoch":"` + strings.Repeat("e", 65) + `","generation":1}}`} {
		f.expect(f.ask("POST", wire.Prefix+"acks", []byte(body)), 400, wire.MalformedCode)
	}
	f.expect(f.ask("POST", wire.Prefix+"acks", make([]byte, maxAck+1)), 413, wire.TooLargeCode)
	f.expect(f.ask("POST", wire.Prefix+"acks", []byte(`{"position":{"epoch":"e","generation":1}}`)), 204, "") // without a stream
}

// TestAcksOfOneName: edges of one name are told apart by their streams, and who has none cannot
// acknowledge for them.
func TestAcksOfOneName(t *testing.T) {
	f := newFixture(t)
	a, b, other := f.ownClient(), f.ownClient(), f.ownClient()
	for _, client := range []*http.Client{a, b} {
		f.subscribe(client, "").expect(hello("epoch-1", 0), reset("epoch-1", 0))
	}
	applied := func(want int) {
		t.Helper()
		if got := f.server.Progress(0); got.Applied != want || got.Edges != 2 {
			t.Errorf("%+v, want %d applied", got, want)
		}
	}
	f.acknowledge(other, "edge-1", "epoch-1", 0)
	applied(0)
	f.acknowledge(a, "edge-1", "epoch-1", 0)
	f.acknowledge(a, "edge-1", "epoch-1", 0)
	applied(1)
	f.acknowledge(b, "edge-2", "epoch-1", 0) // another edge, that names the same stream
	applied(1)
	f.acknowledge(b, "edge-1", "epoch-1", 0)
	applied(2)
}

// TestResumedAcks: what an edge missed while it was away took as long as it was away.
func TestResumedAcks(t *testing.T) {
	f := newFixture(t)
	ms := uint64(f.clock.now().UnixMilli())
	f.log.mu.Lock()
	f.log.first, f.log.last = fleet.NewGeneration(ms, 0), fleet.NewGeneration(ms, 0)
	f.log.mu.Unlock()
	start, _ := f.log.Position()
	missed := f.log.add(change("a"))
	f.clock.pass(30 * time.Second)
	client := f.ownClient()
	s := f.subscribe(client, start+":"+strconv.FormatUint(uint64(missed-1), 10))
	s.expect(event{"hello", fmt.Sprintf("epoch-1:%d", missed-1), fmt.Sprintf(`{"epoch":"epoch-1","generation":%d}`, missed-1)})
	if e, _ := s.next(); e.name != "change" {
		t.Fatalf("got %+v", e)
	}
	if got := f.server.Progress(missed - 1); got.Applied != 1 {
		t.Errorf("what it had applied before: %+v", got)
	}
	body := must(json.Marshal(wire.Ack{Position: wire.Position{Epoch: "epoch-1", Generation: missed}}))
	request := edgeRequest("POST", f.http.URL+wire.Prefix+"acks", body)
	request.Header.Set(wire.StreamHeader, f.streams[client])
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if acks := f.observer.acks(); !reflect.DeepEqual(acks, []time.Duration{30 * time.Second}) {
		t.Errorf("observed %v, want 30 s", acks)
	}
}

func TestPublishTimes(t *testing.T) {
	var p publishTimes
	at := func(g fleet.Generation) time.Time { return time.Unix(int64(g), 0) }
	var entries []fleet.Entry
	for g := range fleet.Generation(maxPublished + 100) {
		entries = append(entries, fleet.Entry{Generation: g + 1})
	}
	p.note("e", entries, at)
	p.note("e", entries[:50], func(fleet.Generation) time.Time { t.Error("noted again"); return time.Time{} })
	if n := len(p.between("e", 0, 1<<60)); n != maxPublished {
		t.Errorf("%d are remembered", n)
	}
	if _, ok := p.of("e", 100); ok {
		t.Error("the oldest is remembered")
	}
	for _, g := range []fleet.Generation{101, 1000, 1001, 1100} {
		if got, ok := p.of("e", g); !ok || !got.Equal(at(g)) {
			t.Errorf("generation %d: %v, %v", g, got, ok)
		}
	}
	if _, ok := p.of("e", 0); ok {
		t.Error("generation 0 was published")
	}
	if p.between("other", 0, 1<<60) != nil {
		t.Error("it remembers another log")
	}
	p.note("other", entries[:1], at)
	if p.between("e", 0, 1<<60) != nil || len(p.between("other", 0, 5)) != 1 {
		t.Error("two logs are mixed")
	}
}
