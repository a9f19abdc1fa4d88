package transport

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/race"
)

// ordinary returns a request as the proxy makes it, and an answer that names no address.
func ordinary() (*http.Request, *http.Response) {
	r := httptest.NewRequest(http.MethodGet, "https://ws.example.com/api/2.2/jobs/list?limit=20", nil)
	r.Header.Set("X-Forwarded-Host", "gateway")
	r.Header.Set("X-Forwarded-Proto", "http")
	return r, &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}}
}

// TestOrdinaryCostsNothing: a response that names no address costs look-ups of headers.
func TestOrdinaryCostsNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	r, response := ordinary()
	if n := testing.AllocsPerRun(100, func() { stay(r, response, isDocument(r)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkStay(b *testing.B) {
	b.Run("ordinary", func(b *testing.B) {
		r, response := ordinary()
		b.ReportAllocs()
		for b.Loop() {
			stay(r, response, isDocument(r))
		}
	})
	b.Run("redirect", func(b *testing.B) {
		r, response := ordinary()
		b.ReportAllocs()
		for b.Loop() {
			response.Header["Location"] = []string{"https://ws.example.com/login.html"}
			stay(r, response, isDocument(r))
		}
	})
}
