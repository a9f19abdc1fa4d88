package recent

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

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

func all(*audit.Record) bool { return true }

func now() time.Time { return arrived.Add(time.Hour) }

func TestOverwrite(t *testing.T) {
	t.Parallel()
	for _, pages := range []int{1, 2, 5} {
		g := New(pages*pageMemory, now)
		const put = 10_000 // more than it holds
		for n := range put {
			g.Put(record(n, audit.Answered))
		}
		held, oldest := g.Span()
		if held == put || held < 200*(pages-1) {
			t.Fatalf("of %d records, it holds %d in %d pages", put, held, pages)
		}
		if first := arrived.Add(time.Duration(put-held) * time.Second); !oldest.Equal(first) {
			t.Errorf("it holds %d of %d, the oldest of %s, want %s", held, put, oldest, first)
		}
		for _, n := range []int{0, put - held - 2, put - held - 1, put - held, put - held + 1, put - held/2, put - 1} {
			if kept, want := len(g.Find(id(n))) == 1, n >= put-held; kept != want {
				t.Fatalf("of %d records, of which %d are held, that of request %d is kept: %t", put, held, n, kept)
			}
		}
		last := g.Latest(held+1, all)
		if len(last) != held {
			t.Fatalf("the last %d of %d", len(last), held)
		}
		for i, r := range last {
			if r.RequestID != id(put-1-i) {
				t.Fatalf("record %d from the end is of %s", i, r.RequestID)
			}
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	g := New(Size, now)
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
	if held, _ := g.Span(); held != 0x13 {
		t.Errorf("it holds %d", held)
	}
	again := record(3, audit.Answered)
	again.Time = arrived.Add(time.Hour)
	g.Put(again)
	if found := g.Find(id(3)); len(found) != 1 || found[0].Same != 1 || !found[0].Record.Time.Equal(again.Time) {
		t.Errorf("an id that was repeated: %+v", found)
	}
	for _, odd := range []string{"ABCDEF01-0000-4000-8000-000000000000", "not a UUID", strings.Repeat("é", 18)} {
		r := record(1, audit.Answered)
		r.RequestID = odd
		g.Put(r)
		if found := g.Find(strings.ToLower(odd)); len(found) != 1 || found[0].Record.RequestID != odd {
			t.Errorf("%q: %+v", odd, found)
		}
	}
	var none *Ring
	none.Put(record(1, audit.Answered))
	if held, _ := none.Span(); held != 0 || len(none.Find("")) != 0 || len(none.Latest(9, all)) != 0 || len(none.Minutes().Minutes) != 0 {
		t.Error("nothing holds something")
	}
}

func TestOpenIsReplaced(t *testing.T) {
	t.Parallel()
	g := New(Size, now)
	g.Put(record(1, audit.Open))
	if found := g.Find(id(1)); len(found) != 1 || found[0].Record.Outcome != audit.Open {
		t.Fatalf("an open request: %+v", found)
	}
	if last, held := g.Latest(2, all), span(g); len(last) != 1 || held != 1 {
		t.Fatalf("an open request: the last %d of %d", len(last), held)
	}
	g.Put(record(2, audit.Answered))
	g.Put(record(1, audit.ClientLeft))
	if found := g.Find(id(1)); len(found) != 1 || found[0].Record.Outcome != audit.ClientLeft || found[0].Same != 0 {
		t.Fatalf("it has ended: %+v", found)
	}
	second := func(r *audit.Record) bool { return r.RequestID == id(2) }
	if one := g.Latest(9, second); len(one) != 1 || one[0].RequestID != id(2) {
		t.Errorf("the latest that match: %+v", one)
	}
	if last, held := g.Latest(9, all), span(g); len(last) != 2 || held != 2 {
		t.Errorf("it has ended: the last %d of %d", len(last), held)
	}
	// The records come the other way round where writers overtake each other.
	g.Put(record(3, audit.Answered))
	g.Put(record(3, audit.Open))
	if found := g.Find(id(3)); len(found) != 1 || found[0].Record.Outcome != audit.Answered || found[0].Same != 0 {
		t.Errorf("it has ended before: %+v", found)
	}
	if held := span(g); held != 3 {
		t.Errorf("it holds %d", held)
	}
}

func span(g *Ring) int {
	held, _ := g.Span()
	return held
}

// TestKept holds what may be kept of a record.
func TestKept(t *testing.T) {
	t.Parallel()
	g, r := New(Size, now), record(1, audit.Answered)
	long := strings.Repeat("/x", 50_000)
	for range 100 {
		r.Readings = append(r.Readings, scopes.Reading{Path: long, Operation: r.Operation})
	}
	g.Put(r)
	kept := g.Find(id(1))[0].Record
	if len(kept.Readings) != maxReadings || kept.Readings[0].Path != "" || kept.Readings[0].Operation != kept.Operation || len(kept.Also()) != 0 {
		t.Errorf("readings: %d, of other operations %d", len(kept.Readings), len(kept.Also()))
	}
	if info := kept.Facts.Info; info.Comment != "" || !info.Expires.Never() || kept.OwnerID() != 4711 {
		t.Errorf("facts: %+v", info)
	}
	if len(r.Readings) != 100 || r.Facts.Info.Comment == "" {
		t.Error("the record was changed")
	}
}

// TestEveryField: what is put is found again, but for what is listed here.
func TestEveryField(t *testing.T) {
	t.Parallel()
	var r audit.Record
	filler := 0
	fill(reflect.ValueOf(&r).Elem(), &filler)
	r.Brief, r.TokenID, r.RequestID = false, r.Token.String(), id(1)
	for _, want := range []*audit.Record{&r, {RequestID: id(1)}, {RequestID: id(1), TokenID: "of another gateway"}} {
		g := New(Size, now)
		g.Put(want)
		got := g.Find(id(1))[0].Record
		kept := *want
		kept.RetryAfter, kept.LookedUpAt, kept.Facts.At, kept.Judgement.Owner = 0, time.Time{}, time.Time{}, tokens.Principal{}
		if info := want.Facts.Info; info != nil {
			kept.Facts.Info = &tokens.Info{Owner: info.Owner, WorkspaceID: info.WorkspaceID, Expires: info.Expires, Scopes: info.Scopes, OAuth: info.OAuth}
		}
		kept.Readings = nil
		for _, reading := range want.Readings {
			kept.Readings = append(kept.Readings, scopes.Reading{Operation: withoutEffect(reading.Operation), InName: reading.InName})
		}
		kept.Operation, kept.SpellingOf = withoutEffect(want.Operation), withoutEffect(want.SpellingOf)
		if !reflect.DeepEqual(got, &kept) {
			t.Errorf("got\n%+v\nwant\n%+v", got, &kept)
		}
	}
}

// TestTimes: a workspace may name any time until the year 9999.
func TestTimes(t *testing.T) {
	t.Parallel()
	g := New(Size, now)
	for n, at := range []time.Time{{}, time.Unix(-1, 5).UTC(), arrived, time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)} {
		r := record(n, audit.Answered)
		r.Facts.Info.Expires = tokens.ExpiresAt(at)
		g.Put(r)
		got, _ := g.Find(id(n))[0].Record.Facts.Info.Expires.At()
		if want, _ := r.Facts.Info.Expires.At(); !got.Equal(want) {
			t.Errorf("%s became %s", want, got)
		}
	}
}

func withoutEffect(o *scopes.Operation) *scopes.Operation {
	if o == nil {
		return nil
	}
	kept := *o
	kept.Effect, kept.EffectReason = 0, ""
	return &kept
}

// fill sets every exported field to a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(arrived.Add(time.Duration(*n))))
		return
	case tokens.Principal:
		v.Set(reflect.ValueOf(tokens.NewPrincipal(int64(*n), fmt.Sprintf("user-%d@example.com", *n))))
		return
	case tokens.Expiry:
		v.Set(reflect.ValueOf(tokens.ExpiresAt(arrived.Add(time.Duration(*n)))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d é", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), n)
			}
		}
	default:
		panic("a record has a field of another kind: " + v.Type().String())
	}
}

// FuzzRecord: whatever clients send, a record is kept, in whole or cut.
func FuzzRecord(f *testing.F) {
	f.Add("GET", "/api/2.1/jobs/list", "agent", id(1), int64(1))
	f.Add("\xff", strings.Repeat("/é", 3000), strings.Repeat("x", 70_000), "not a UUID", int64(-1))
	f.Fuzz(func(t *testing.T, method, path, agent, request string, n int64) {
		r := record(1, audit.Answered)
		r.Method, r.Path, r.UserAgent, r.RequestID, r.BytesSent = method, path, agent, "id-"+request, n
		r.Dropped = []string{agent, path, agent, path, agent, path}
		r.Held, r.Policy, r.Requirement = []string{path, agent}, agent, path
		g := New(Size, now)
		g.Put(record(2, audit.Answered))
		g.Put(r)
		found := g.Latest(1, all)
		if len(found) != 1 {
			t.Fatal("it is not kept")
		}
		got := found[0]
		for _, text := range [][2]string{{got.Method, method}, {got.Path, path}, {got.UserAgent, agent}, {got.RequestID, r.RequestID}} {
			whole := len(method)+len(path)+len(agent)+len(request) < maxText-len("id-")
			if !strings.HasPrefix(text[1], text[0]) || len(text[0]) > maxText || whole && text[0] != text[1] {
				t.Errorf("%.100q of %d bytes became %.100q of %d", text[1], len(text[1]), text[0], len(text[0]))
			}
		}
		if got.BytesSent != n || got.Outcome != audit.Answered || got.Operation.Name != r.Operation.Name {
			t.Errorf("%d bytes, %s, %+v", got.BytesSent, got.Outcome, got.Operation)
		}
		if span(g) != 2 || len(g.Find(id(2))) != 1 {
			t.Error("another record is lost")
		}
	})
}

func TestRace(t *testing.T) {
	t.Parallel()
	g := New(2*pageMemory, now)
	var working sync.WaitGroup
	for worker := range 4 {
		working.Go(func() {
			for n := range 300 {
				request := worker*1000 + n
				if n%3 == 0 {
					g.Put(record(request, audit.Open))
				}
				g.Put(record(request, audit.Answered))
				if n%10 == 0 {
					for _, f := range g.Find(id(request)) {
						if f.Record.RequestID != id(request) || f.Record.Facts.Info == nil {
							t.Errorf("a torn record: %+v", f.Record)
						}
					}
					g.Minutes()
				}
			}
		})
	}
	working.Wait()
	if held := span(g); held < 100 || held > 1200 {
		t.Errorf("it holds %d", held)
	}
}

// hostile returns a record as large as a client can make it.
func hostile(n int) *audit.Record {
	r := record(n, audit.Answered)
	target := fmt.Sprint(n) + strings.Repeat("x", 20_000)
	r.Path = audit.TruncatePath("/"+target, "/"+target+"?"+target)
	r.UserAgent = audit.TruncateUserAgent(target)
	r.Comment = audit.Comment(target, audit.CommentPlain)
	r.Readings = []scopes.Reading{{Path: target, Operation: r.Operation}, {Path: target, Operation: r.Operation}}
	return r
}

// ordinary returns a record as those of a gateway with so many tokens, which call so many
// operations.
func ordinary(n, many, operations int) *audit.Record {
	r := record(n, audit.Answered)
	holder, called := n%many, n%operations
	r.Decision, r.Reason, r.Held = judge.Allow, policy.Permitted, []string{"clusters", "jobs"}
	r.Token = tokens.IDOf(fmt.Sprint(holder))
	r.TokenID = r.Token.String()
	r.Owner = fmt.Sprintf("user-%d@example.com", holder)
	r.Creator, r.Comment = r.Owner, "sha256:d7fdb5293230158b"
	r.Workspace, r.Catalog, r.Rules = "dbc-a1b2345c-d6e7.cloud.databricks.com", "0123456789ab", "ba9876543210"
	r.ClientAddress, r.UserAgent = "127.0.0.1", "databricks-sdk-go/0.175.0 go/1.26.0 os/linux auth/pat"
	r.Path = fmt.Sprintf("/api/2.1/jobs/runs/get/%d", n*7919)
	r.RequestID = uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(n))).String()
	r.Operation = &scopes.Operation{Method: "GET", Template: fmt.Sprintf("/api/2.1/jobs/runs/get/%d/{id}", called), Name: fmt.Sprintf("jobs.GetRun%d", called),
		AnyOf: []string{"jobs"}, Evidence: scopes.Documented, Source: "https://docs.databricks.com/api/workspace/jobs/getrun"}
	r.Status, r.UpstreamStatus, r.BytesSent = 200, 200, 1234
	r.DecisionDuration, r.UpstreamDuration, r.Duration = 12*time.Microsecond, 900*time.Microsecond, time.Millisecond
	return r
}

// TestMemory bounds what a full ring costs, and how much it holds, whatever clients send.
func TestMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector has memory of its own")
	}
	for _, test := range []struct {
		name   string
		record func(n int) *audit.Record
		puts   int
		least  int // decisions that it holds
	}{
		{"20 tokens", func(n int) *audit.Record { return ordinary(n, 20, 30) }, 30_000, 10_000},
		{"1000 tokens", func(n int) *audit.Record { return ordinary(n, 1000, 412) }, 30_000, 3_000},
		{"hostile", hostile, 5_000, 800},
	} {
		before := heap()
		g := New(Size, now)
		for n := range test.puts {
			g.Put(test.record(n))
		}
		grown, held := heap()-before, span(g)
		if grown > Size+Size/10 || held < test.least {
			t.Errorf("%s: %d KiB are held, for %d decisions", test.name, grown>>10, held)
		} else {
			t.Logf("%s: %d KiB for %d decisions, %d bytes each", test.name, grown>>10, held, grown/int64(held))
		}
		runtime.KeepAlive(g)
	}
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// BenchmarkPut is what a request pays.
func BenchmarkPut(b *testing.B) {
	for name, many := range map[string]int{"tokens=20": 20, "tokens=1000": 1000} {
		b.Run(name, func(b *testing.B) {
			records := make([]*audit.Record, 10_000)
			for n := range records {
				records[n] = ordinary(n, many, 412)
				records[n].Time = arrived
			}
			before := heap()
			g, n := New(Size, now), 0
			for n := range 50_000 { // until it is full
				g.Put(records[n%len(records)])
			}
			grown := heap() - before
			b.ReportAllocs()
			for b.Loop() {
				g.Put(records[n%len(records)])
				n++
			}
			held, _ := g.Span()
			b.ReportMetric(float64(grown)/float64(held), "held-B/decision")
			b.ReportMetric(float64(held), "decisions")
		})
	}
}

// BenchmarkPutRefused is BenchmarkPut for refusals, which are counted by their kind.
func BenchmarkPutRefused(b *testing.B) {
	g, r := New(Size, now), record(1, audit.Answered)
	b.ReportAllocs()
	for b.Loop() {
		g.Put(r)
	}
}

// BenchmarkPutContended is BenchmarkPutRefused with requests on every processor.
func BenchmarkPutContended(b *testing.B) {
	g, r := New(Size, now), record(1, audit.Answered)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			g.Put(r)
		}
	})
}

// BenchmarkFind is what one question costs.
func BenchmarkFind(b *testing.B) {
	g := New(Size, now)
	for n := range 20_000 {
		g.Put(ordinary(n, 20, 412))
	}
	known := g.Latest(1, all)[0].RequestID
	for b.Loop() {
		if len(g.Find(known)) != 1 {
			b.Fatal("not found")
		}
	}
}
