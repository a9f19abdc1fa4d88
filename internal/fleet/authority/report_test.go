package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

func contextThatEnded() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}

func reportOf(changes ...wire.Change) []byte {
	return must(json.Marshal(wire.Report{Changes: changes}))
}

func tokenChange(name string) wire.Change {
	return wire.Change{Kind: fleet.TokenChanged, Token: tokens.IDOf(name).String()}
}

func TestReport(t *testing.T) {
	f := newFixture(t)
	id := tokens.IDOf("a")
	got := f.ask("POST", wire.Prefix+"changes", reportOf(tokenChange("a"), tokenChange("a"), wire.Change{Kind: fleet.OwnerChanged, Owner: 42}))
	f.expect(got, 202, "")
	want := [][]fleet.Change{{{Kind: fleet.TokenChanged, Token: id}, {Kind: fleet.OwnerChanged, Owner: 42}}}
	if published := f.publications(); !reflect.DeepEqual(published, want) {
		t.Errorf("published %+v, want %+v", published, want)
	}
	f.expect(f.ask("POST", wire.Prefix+"changes", reportOf(wire.Change{Kind: fleet.AllChanged}, wire.Change{Kind: fleet.UnknownChanged})), 202, "")
	want = append(want, []fleet.Change{{Kind: fleet.Doubted}, {Kind: fleet.UnknownChanged}})
	if published := f.publications(); !reflect.DeepEqual(published, want) {
		t.Errorf("published %+v, want %+v", published, want)
	}
}

func TestReportMalformed(t *testing.T) {
	f := newFixture(t)
	id := tokens.IDOf("a").String()
	many := make([]wire.Change, wire.MaxChanges+1)
	for i := range many {
		many[i] = tokenChange(fmt.Sprint(i))
	}
	for name, body := range map[string]string{
		"empty":                   "",
		"no JSON":                 "{",
		"no changes":              `{"changes":[]}`,
		"another form":            `[]`,
		"more behind it":          string(reportOf(tokenChange("a"))) + "{}",
		"a name twice":            `{"changes":[],"changes":[{"kind":"all"}]}`,
		"an unknown kind":         `{"changes":[{"kind":"everything"}]}`,
		"no kind":                 `{"changes":[{}]}`,
		"a token without an id":   `{"changes":[{"kind":"token"}]}`,
		"a token's value":         `{"changes":[{"kind":"token","token":"dapi0123456789abcdef0123456789abcdef"}]}`,
		"a token and an owner":    `{"changes":[{"kind":"token","token":"` + id + `","owner":1}]}`,
		"an owner without an id":  `{"changes":[{"kind":"owner"}]}`,
		"a negative owner":        `{"changes":[{"kind":"owner","owner":-1}]}`,
		"an owner in a fraction":  `{"changes":[{"kind":"owner","owner":1.5}]}`,
		"all of an owner":         `{"changes":[{"kind":"all","owner":1}]}`,
		"one bad among good ones": `{"changes":[{"kind":"token","token":"` + id + `"},{"kind":"?"}]}`,
		"too many":                string(reportOf(many...)),
		"not UTF-8":               "{\"changes\":[{\"kind\":\"all\",\"token\":\"\xff\"}]}",
	} {
		t.Run(name, func(t *testing.T) {
			f.clock.pass(time.Second)
			f.expect(f.ask("POST", wire.Prefix+"changes", []byte(body)), 400, wire.MalformedCode)
		})
	}
	f.expect(f.ask("POST", wire.Prefix+"changes", make([]byte, wire.MaxReport+1)), 413, wire.TooLargeCode)
	f.expect(f.ask("POST", wire.Prefix+"changes", reportOf(tokenChange("a")), setHeader("Content-Encoding", "gzip")), 400, wire.MalformedCode)
	if published := f.publications(); len(published) != 0 {
		t.Errorf("published %+v", published)
	}
}

// TestReportRate: one edge cannot have everything asked for again and again.
func TestReportRate(t *testing.T) {
	f := newFixture(t)
	send := func(from, n int, edge string) *reply {
		changes := make([]wire.Change, n)
		for i := range changes {
			changes[i] = tokenChange(fmt.Sprint(from + i))
		}
		return f.ask("POST", wire.Prefix+"changes", reportOf(changes...), named(edge))
	}
	f.expect(send(0, 30, "a"), 202, "")
	got := send(100, 1, "a")
	f.expect(got, 429, wire.RateCode)
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	f.expect(send(100, 1, "b"), 202, "")
	f.clock.pass(time.Second)
	f.expect(send(100, 10, "a"), 202, "")
	f.expect(send(200, 1, "a"), 429, wire.RateCode)
	// So many at once are one doubt.
	f.expect(send(300, 100, "c"), 202, "")
	published := f.publications()
	if last := published[len(published)-1]; len(published) != 4 || !reflect.DeepEqual(last, []fleet.Change{{Kind: fleet.Doubted}}) {
		t.Errorf("published %d times, last %+v", len(published), last)
	}
}

// TestDoubts: what edges say of all tokens takes effect at most once in five seconds, and is
// never lost.
func TestDoubts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var published []string
		began := time.Now()
		d := &doubts{now: time.Now, publish: func(changes ...fleet.Change) {
			mu.Lock()
			defer mu.Unlock()
			text := fmt.Sprint(time.Since(began).Seconds())
			for _, change := range changes {
				text += " " + string(change.Kind)
			}
			published = append(published, text)
		}}
		d.add()
		d.add(fleet.Doubted)
		for range 40 {
			d.add(fleet.Doubted, fleet.UnknownChanged)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(6 * time.Second) // 10 s
		d.add(fleet.OwnersDoubted)
		time.Sleep(2 * time.Second) // 12 s
		d.add(fleet.Doubted)
		d.add(fleet.OwnersDoubted)
		time.Sleep(time.Second) // 13 s
		d.close()
		d.add(fleet.Doubted)
		synctest.Wait()
		want := []string{"0 doubt", "5 doubt unknown", "10 doubt_owners", "13 doubt_owners", "13 doubt"}
		if !reflect.DeepEqual(published, want) {
			t.Errorf("published %q, want %q", published, want)
		}
	})
}

func FuzzParseReport(f *testing.F) {
	f.Add(string(reportOf(tokenChange("a"), wire.Change{Kind: fleet.OwnerChanged, Owner: 1}, wire.Change{Kind: fleet.AllChanged})))
	f.Add(`{"changes":[{"kind":"owner","owner":9223372036854775807}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		changes, ok := parseReport([]byte(body))
		if !ok && changes != nil {
			t.Error("a refused report has changes")
		}
		if ok && (len(changes) == 0 || len(changes) > wire.MaxChanges) {
			t.Errorf("%d changes", len(changes))
		}
		for _, c := range changes {
			if (c.Kind == fleet.OwnerChanged) != (c.Owner > 0) || c.Kind != fleet.TokenChanged && !c.Token.IsZero() || c.Proof != 0 || c.From != 0 {
				t.Errorf("%+v", c)
			}
		}
	})
}

func FuzzParseAck(f *testing.F) {
	f.Add(`{"position":{"epoch":"e","generation":18446744073709551615}}`)
	f.Add(`{"position":{"epoch":"","generation":-1}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if position, ok := parseAck([]byte(body)); ok {
			if again, ok := wire.ParsePosition(position.String()); !ok || again != position {
				t.Errorf("%q: %v", body, position)
			}
		}
	})
}
