package tokens

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"
)

// listServer answers with a prepared list of n tokens.
func listServer(t testing.TB, n int) Service {
	t.Helper()
	var answer struct {
		TokenInfos []tokenInfo `json:"token_infos"`
	}
	for i := range n {
		id := IDOf(string(rune(i)) + "x")
		answer.TokenInfos = append(answer.TokenInfos, tokenInfo(settings.TokenInfo{
			TokenId: id.String(), Comment: "nightly load", CreatedByUsername: "someone@example.com", CreatedById: 1, OwnerId: 1,
			WorkspaceId: 3141592653589793, CreationTime: 1_760_000_000_000, ExpiryTime: 1_960_000_000_000, Scopes: []string{"sql", "unity-catalog"},
		}))
	}
	body, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	// Not the shape of a PAT, so that the client skips proving the ID rule.
	d := NewService(server.URL, Admin{Token: func() (string, error) { return "test", nil }}, 10*time.Second)
	t.Cleanup(d.Close)
	return d
}

func BenchmarkList(b *testing.B) {
	const n = 10_000
	d := listServer(b, n)
	b.ReportAllocs()
	for b.Loop() {
		list, _, err := d.List(context.Background())
		if err != nil || len(list) != n {
			b.Fatal(len(list), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/token")
}
