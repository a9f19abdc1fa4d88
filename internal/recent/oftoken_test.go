package recent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

func TestOfToken(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	g := New(Size, time.Now)
	for i, r := range []struct {
		id, token string
		outcome   audit.Outcome
	}{
		{"a", "x", audit.Open}, {"b", "y", audit.Answered}, {"c", "x", audit.Open}, {"a", "x", audit.Answered}, {"d", "", audit.Answered}, {"e", "x", audit.Answered},
	} {
		g.Put(&audit.Record{RequestID: r.id, TokenID: r.token, Outcome: r.outcome, Time: begin.Add(time.Duration(i) * time.Second)})
	}
	for token, want := range map[string]string{"x": "eac", "y": "b", "": "d", "z": ""} {
		var got strings.Builder
		oldest := g.OfToken(token, func(r *audit.Record) { got.WriteString(r.RequestID) })
		if got.String() != want || !oldest.Equal(begin) {
			t.Errorf("%q: got %q since %s, want %q", token, &got, oldest, want)
		}
	}
	for _, none := range []*Ring{nil, New(Size, time.Now)} {
		if oldest := none.OfToken("x", func(*audit.Record) { t.Error("a record") }); !oldest.IsZero() {
			t.Errorf("it holds something since %s", oldest)
		}
	}
}

// TestOfTokenManyPages: what is known of one page is not believed of another.
func TestOfTokenManyPages(t *testing.T) {
	t.Parallel()
	g := New(4*pageMemory, time.Now)
	const n = 10_000
	for i := range n {
		g.Put(&audit.Record{RequestID: fmt.Sprint(i), TokenID: fmt.Sprint(i * i % 7), Path: strings.Repeat("x", i%50), Outcome: audit.Answered})
	}
	held, _ := g.Span()
	got := 0
	for token := range 7 {
		g.OfToken(fmt.Sprint(token), func(r *audit.Record) {
			got++
			if r.TokenID != fmt.Sprint(token) {
				t.Errorf("request %s is of token %s", r.RequestID, r.TokenID)
			}
		})
	}
	if got != held || held == n {
		t.Errorf("%d of %d records", got, held)
	}
}
