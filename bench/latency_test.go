package main

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// body is the upstream's response.
var body = []byte(strings.Repeat(" ", answerSize))

// TestOpenLoopCountsWhatWaits: a server that answers nothing for a while delays everything
// that was due meanwhile, not only the requests that it was answering.
func TestOpenLoopCountsWhatWaits(t *testing.T) {
	const rate, stall = 200, 400 * time.Millisecond
	var served atomic.Int64
	var lock sync.Mutex // one request at a time
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		if served.Add(1) == 10 {
			time.Sleep(stall)
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()
	s, err := newOpenClient(server.URL, "", []call{{"token", "/"}}).run(t.Context(), rate, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.took) != rate || len(s.late) != rate || s.overloaded {
		t.Fatalf("%d requests, overloaded: %v", len(s.took), s.overloaded)
	}
	waited := 0
	for _, took := range s.took {
		if took > stall/4 {
			waited++
		}
	}
	if least := int(rate * stall.Seconds() / 2); waited < least {
		t.Errorf("%d requests waited, want at least %d: those that were due while the server stalled", waited, least)
	}
}

func TestOpenLoopEndsOnARefusal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	if _, err := newOpenClient(server.URL, "", []call{{"token", "/"}}).run(t.Context(), 100, 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "status 403") {
		t.Errorf("a refused request gives %v", err)
	}
}

// latencySlices returns slices in which every request takes as long.
func latencySlices(target string, rounds int, took, late time.Duration) (found []latencySlice) {
	for round := range rounds {
		s := latencySlice{rate: 1000, round: round, target: target}
		for range 100 {
			s.took, s.late = append(s.took, took), append(s.late, late)
		}
		found = append(found, s)
	}
	return found
}

func TestLatencies(t *testing.T) {
	const soon = 20 * time.Microsecond
	measured := append(latencySlices(direct, 3, 300*time.Microsecond, soon), latencySlices(secure, 3, 700*time.Microsecond, soon)...)
	measured = append(measured, latencySlices(secureStock, 3, time.Millisecond, time.Millisecond)...)
	rows := latenciesOf(measured, rand.New(rand.NewPCG(1, 2)))
	if len(rows) != 3 {
		t.Fatalf("%d rows, want those of the only rate that was measured: %v", len(rows), rows)
	}
	base, stock, gateway := rows[0], rows[1], rows[2]
	if base.Target != direct || base.P50 != 0.3 || base.Requests != 300 || base.AddedP50 != (difference{}) || base.Void != "" {
		t.Errorf("directly: %+v", base)
	}
	near := func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
	if d := gateway.AddedP99; !near(d.Is, 0.4) || !near(d.Low, 0.4) || !near(d.High, 0.4) || gateway.Void != "" {
		t.Errorf("gateway: %+v", gateway)
	}
	if stock.Void == "" {
		t.Errorf("a generator that is 1 ms late voids its row: %+v", stock)
	}
	measured[0].overloaded = true
	if rows := latenciesOf(measured, rand.New(rand.NewPCG(1, 2))); rows[0].Void == "" {
		t.Error("a slice that ended early voids its row")
	}
	var text strings.Builder
	latencyText(&text, rows)
	for _, words := range []string{"+0.400 [+0.400 to +0.400]", "VOID: the load generator", labels[secure]} {
		if !strings.Contains(text.String(), words) {
			t.Errorf("the report lacks %q:\n%s", words, text.String())
		}
	}
}
