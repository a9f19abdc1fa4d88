package console_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// BenchmarkToken shows a token, of which the memory of the gateway is full.
func BenchmarkToken(b *testing.B) {
	s := full(b, "analyst@example.com")
	for i := range 20_000 {
		called(s, i, time.Duration(20_000-i)*time.Second/10, func(r *audit.Record) {
			r.TokenID, r.Path = tokenID(b, i%50).String(), fmt.Sprintf("/api/2.0/x/%d", i)
		})
	}
	for b.Loop() {
		get(b, s, "/tokens/"+token)
	}
	held, _ := s.ring.Span()
	b.ReportMetric(float64(held), "held")
}
