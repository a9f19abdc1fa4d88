package fleet

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestUsageOfEdges: what a token used at two edges is one sum in the report of their
// authority.
func TestUsageOfEdges(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	authority := r.Start("authority", fleettest.Setting{Answers: true, Options: "usage 10s"})
	edges := r.Edges(2, func(_ int, s *fleettest.Setting) { s.Options = "usage 10s" }, authority)
	token := r.Mint()
	calls := 0
	for i, e := range edges {
		for range 3 + i {
			mustPass(t, token.Value, e)
			calls++
		}
	}
	reported := func() uint64 {
		status, body := authority.Control(http.MethodGet, "/databricks_scopes/usage?format=json")
		var report struct {
			Rows []struct {
				ID   string `json:"id"`
				Seen *struct {
					Calls uint64 `json:"calls"`
				} `json:"seen"`
			} `json:"rows"`
		}
		if err := json.Unmarshal([]byte(body), &report); status != http.StatusOK || err != nil {
			t.Fatalf("%d %v %s", status, err, body)
		}
		for _, row := range report.Rows {
			if row.ID == token.Info.TokenId && row.Seen != nil {
				return row.Seen.Calls
			}
		}
		return 0
	}
	harness.WaitUpTo(t, 30*time.Second, "the usage of both edges", func() bool { return reported() == uint64(calls) })
	mustPass(t, token.Value, edges[1])
	edges[1].Stop() // hands over what it has
	if got := reported(); got != uint64(calls)+1 {
		t.Errorf("%d calls after an edge ended, want %d", got, calls+1)
	}
}
