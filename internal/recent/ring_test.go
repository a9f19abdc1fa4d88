package recent

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

var arrived = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// id is the request id of the nth request.
func id(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", n) }

// record is that of the nth request.
func record(n int, outcome audit.Outcome) *audit.Record {
	return &audit.Record{
		Time: arrived.Add(time.Duration(n) * time.Second), Method: "GET", Path: "/api/2.1/jobs/list", RequestID: id(n), Outcome: outcome,
		Judgement: judge.Judgement{
			Decision: judge.Deny, Enforced: true, Reason: policy.MissingScope, Held: []string{"sql"},
			Operation: &scopes.Operation{Name: "jobs.List", Template: "/api/2.1/jobs/list", AnyOf: []string{"jobs"}},
			Facts:     tokens.Facts{Info: &tokens.Info{Owner: tokens.NewPrincipal(4711, ""), Comment: "laptop of an analyst", Expires: tokens.NeverExpires}, Source: tokens.FromCache},
		},
	}
}

func TestOverwrite(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 7, pageSize, pageSize + 1} {
		g := New(size)
		for n := range 3*size + 1 {
			g.Put(record(n, audit.Answered))
		}
		for n := range 3*size + 1 {
			if kept, want := len(g.Find(id(n))) == 1, n > 2*size; kept != want {
				t.Fatalf("of %d records, that of request %d is kept: %t", size, n, kept)
			}
		}
		if held, oldest := g.Span(); held != size || !oldest.Equal(arrived.Add(time.Duration(2*size+1)*time.Second)) {
			t.Errorf("it holds %d of %d, the oldest of %s", held, size, oldest)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	g := New(100)
	for n := range 0x12 {
		g.Put(record(n, audit.Answered))
	}
	g.Put(&audit.Record{Method: "GET"})                  // has no id
	g.Put(&audit.Record{RequestID: id(99), Brief: true}) // is none
	for prefix, want := range map[string]int{"0000000": 0x10, "0000000A": 1, "00000010-0": 1, id(3): 1, id(3) + "0": 0, "f": 0, "": 0x12} {
		if found := g.Find(prefix); len(found) != want {
			t.Errorf("%q finds %d, want %d", prefix, len(found), want)
		}
	}
	if found := g.Find("0000001"); len(found) != 2 || found[0].Record.RequestID != id(0x11) || found[0].Same != 0 {
		t.Errorf("the newest is not the first: %+v", found)
	}
	again := record(3, audit.Answered)
	again.Time = arrived.Add(time.Hour)
	g.Put(again)
	if found := g.Find(id(3)); len(found) != 1 || found[0].Same != 1 || !found[0].Record.Time.Equal(again.Time) {
		t.Errorf("an id that was repeated: %+v", found)
	}
	var none *Ring
	none.Put(record(1, audit.Answered))
	if held, _ := none.Span(); held != 0 || len(none.Find("")) != 0 {
		t.Error("nothing holds something")
	}
}

func TestOpenIsReplaced(t *testing.T) {
	t.Parallel()
	g := New(10)
	g.Put(record(1, audit.Open))
	if found := g.Find(id(1)); len(found) != 1 || found[0].Record.Outcome != audit.Open {
		t.Fatalf("an open request: %+v", found)
	}
	g.Put(record(2, audit.Answered))
	g.Put(record(1, audit.ClientLeft))
	if found := g.Find(id(1)); len(found) != 1 || found[0].Record.Outcome != audit.ClientLeft || found[0].Same != 0 {
		t.Fatalf("it has ended: %+v", found)
	}
	if held, _ := g.Span(); held != 2 || g.openings.Load() != 0 {
		t.Errorf("it holds %d records, %d of them open", held, g.openings.Load())
	}
	// The records come the other way round where writers overtake each other.
	g.Put(record(3, audit.Answered))
	g.Put(record(3, audit.Open))
	if found := g.Find(id(3)); len(found) != 1 || found[0].Record.Outcome != audit.Answered {
		t.Errorf("it has ended before: %+v", found)
	}
	for n := range 10 { // an open request that is overwritten is forgotten
		g.Put(record(100+n, audit.Answered))
	}
	if g.openings.Load() != 0 {
		t.Errorf("%d requests are open", g.openings.Load())
	}
}

// TestKept holds what may be kept of a record.
func TestKept(t *testing.T) {
	t.Parallel()
	g, r := New(1), record(1, audit.Answered)
	long := strings.Repeat("/x", 50_000)
	for range 100 {
		r.Readings = append(r.Readings, scopes.Reading{Path: long, Operation: r.Operation})
	}
	g.Put(r)
	kept := g.Find(id(1))[0].Record
	if len(kept.Readings) != maxReadings || kept.Readings[0].Path != "" || kept.Readings[0].Operation != r.Operation {
		t.Errorf("readings: %d", len(kept.Readings))
	}
	if info := kept.Facts.Info; info.Comment != "" || !info.Expires.Never() || kept.OwnerID() != 4711 {
		t.Errorf("facts: %+v", info)
	}
	if len(r.Readings) != 100 || r.Facts.Info.Comment == "" {
		t.Error("the record was changed")
	}
}

func TestRace(t *testing.T) {
	t.Parallel()
	g := New(8)
	var working sync.WaitGroup
	for worker := range 4 {
		working.Go(func() {
			for n := range 500 {
				request := worker*1000 + n
				if n%3 == 0 {
					g.Put(record(request, audit.Open))
				}
				g.Put(record(request, audit.Answered))
				for _, f := range g.Find(id(request)) {
					if f.Record.RequestID != id(request) || f.Record.Facts.Info == nil {
						t.Errorf("a torn record: %+v", f.Record)
					}
				}
			}
		})
	}
	working.Wait()
	if held, _ := g.Span(); held > 8 || g.openings.Load() > 8 {
		t.Errorf("it holds %d, %d open", held, g.openings.Load())
	}
}

// TestMemory bounds what a full ring costs, whatever clients send.
func TestMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector has memory of its own")
	}
	const most = 64 << 20
	before := heap()
	g := New(Size)
	for n := range Size {
		r := record(n, audit.Answered)
		target := strings.Repeat("x", 20_000) + fmt.Sprint(n)
		r.Path = audit.TruncatePath("/"+target, "/"+target+"?"+target)
		r.UserAgent = audit.TruncateUserAgent(target)
		r.Comment = audit.Comment(target, audit.CommentPlain)
		r.Readings = []scopes.Reading{{Path: target, Operation: r.Operation}, {Path: target, Operation: r.Operation}}
		g.Put(r)
	}
	if grown := heap() - before; grown > most {
		t.Errorf("%d MiB are held", grown>>20)
	} else {
		t.Logf("%d bytes a decision", grown/Size)
	}
	runtime.KeepAlive(g)
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// BenchmarkPut is what a request pays.
func BenchmarkPut(b *testing.B) {
	g, r := New(Size), record(1, audit.Answered)
	before := heap()
	for range Size {
		g.Put(r)
	}
	held := float64(heap()-before) / Size
	b.ReportAllocs()
	for b.Loop() {
		g.Put(r)
	}
	b.ReportMetric(held, "held-B/decision")
}

// BenchmarkPutContended is BenchmarkPut with requests on every processor.
func BenchmarkPutContended(b *testing.B) {
	g, r := New(Size), record(1, audit.Answered)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			g.Put(r)
		}
	})
}

// BenchmarkFind is what one question costs.
func BenchmarkFind(b *testing.B) {
	g := New(Size)
	for n := range Size {
		g.Put(record(n, audit.Answered))
	}
	for b.Loop() {
		if len(g.Find(id(77))) != 1 {
			b.Fatal("not found")
		}
	}
}
