// Package soak runs the gateway for a long time while everything around it fails and
// changes. The flag -soak sets how long; without it the test is skipped.
package soak

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// soak is how long TestSoak runs. To run it for ten minutes:
//
//	go test ./test/soak -run TestSoak -soak 10m -timeout 15m -v
var soak = flag.Duration("soak", 0, "how long TestSoak runs")

// actor is a token and its true state.
type actor struct {
	value string
	id    string

	mu      sync.Mutex
	gone    bool      // revoked
	narrow  bool      // rescoped from jobs to sql
	changed time.Time // when it was revoked or rescoped
	expires time.Time
}

const (
	soakTTL   = 5 * time.Second
	soakStale = 10 * time.Second
	// soakLag is how long the state before a change may still apply.
	soakLag = soakTTL + soakStale + 5*time.Second
)

// wrong returns what is wrong with a response to a list of jobs, or an empty string. A 503
// is never wrong, because the workspace has faults. For soakLag after a change, the old
// state is also right.
func (a *actor) wrong(status int, asked, answered time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	recent := !a.changed.IsZero() && asked.Sub(a.changed) < soakLag
	switch {
	case status == http.StatusServiceUnavailable:
	case !a.expires.IsZero() && asked.After(a.expires):
		if status != http.StatusForbidden {
			return "an expired token passed"
		}
	case !a.expires.IsZero() && answered.After(a.expires): // it expired in the meantime
	case recent:
	case a.gone || a.narrow:
		if status != http.StatusForbidden {
			return fmt.Sprintf("a token that was revoked (%t) or narrowed (%t) got %d", a.gone, a.narrow, status)
		}
	case status != http.StatusOK:
		return fmt.Sprintf("a good token got %d", status)
	}
	return ""
}

// TestSoak sends requests with 2,000 tokens while faults come and go, tokens change and
// the configuration is reloaded. It compares every response with the token's true state.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("runs with -soak <duration>")
	}
	workspace := harness.StartWorkspace(t, fakeworkspace.WithMaxRequestLog(0))
	site := fmt.Sprintf("databricks_gateway %s {\n%scache {\nttl %s\nmax_stale %s\nnegative_ttl 2s\n}\nlookup {\nrate 1000\nconcurrency 64\ntimeout 1s\n}\n}",
		workspace.URL(), harness.AdminBlock, soakTTL, soakStale)
	g := harness.StartSite(t, workspace, site)

	actors := make([]*actor, 2000)
	for i := range actors {
		spec := fakeworkspace.TokenSpec{Owner: fmt.Sprintf("user%d@example.com", i%50), Scopes: []string{"jobs"}}
		a := new(actor)
		if i%20 == 0 {
			a.expires = time.Now().Add(time.Duration(rand.Int64N(int64(*soak))))
			spec.ExpiryTime = a.expires
		}
		token := workspace.Mint(spec)
		a.value, a.id = token.Value, token.Info.TokenId
		actors[i] = a
	}

	var (
		clients                    sync.WaitGroup
		requests, refused, failed  atomic.Int64
		unavailable, unknown, lost atomic.Int64
	)
	end := time.Now().Add(*soak)
	for range 8 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			for time.Now().Before(end) {
				time.Sleep(time.Duration(rand.Int64N(int64(10 * time.Millisecond))))
				if rand.IntN(50) == 0 { // a random token
					if status := soakGet(t, client, g.URL, fmt.Sprintf("dapi%032x", rand.Uint64())); status == 200 {
						t.Error("a random token passed")
					}
					unknown.Add(1)
					continue
				}
				a := actors[rand.IntN(len(actors))]
				asked := time.Now()
				status := soakGet(t, client, g.URL, a.value)
				requests.Add(1)
				switch status {
				case 0:
					lost.Add(1) // a reload closed the connection; clients retry
					continue
				case http.StatusServiceUnavailable:
					unavailable.Add(1)
				case http.StatusForbidden:
					refused.Add(1)
				}
				if problem := a.wrong(status, asked, time.Now()); problem != "" && failed.Add(1) < 20 {
					t.Errorf("%s", problem)
				}
			}
		})
	}

	faults := []fakeworkspace.Kind{
		fakeworkspace.TooManyRequests("2"), fakeworkspace.InternalError(), fakeworkspace.Hang(), fakeworkspace.Reset(),
		fakeworkspace.GarbageJSON(), fakeworkspace.TruncatedJSON(), fakeworkspace.HTML(), fakeworkspace.RejectAdmin(403), fakeworkspace.Unavailable("1"),
	}
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	goroutines := 0 // after warm-up
	for second := 1; time.Now().Before(end); second++ {
		<-ticks.C
		if second == 10 {
			goroutines = runtime.NumGoroutine()
		}
		if second%20 == 0 {
			workspace.Faults().Clear()
			if on := second / 20; on%2 == 1 {
				workspace.Faults().Set("/api/2.0/token-management/", faults[(on/2)%len(faults)])
			}
		}
		if second%30 == 0 {
			g.Load(t, site+fmt.Sprintf("\nheader X-Load %d", second))
		}
		a := actors[rand.IntN(len(actors))]
		a.mu.Lock()
		if a.changed.IsZero() {
			a.changed = time.Now()
			if second%2 == 0 {
				a.gone = workspace.Revoke(a.id)
			} else {
				a.narrow = workspace.SetScopes(a.id, "sql")
			}
		}
		a.mu.Unlock()
	}
	clients.Wait()
	workspace.Faults().Clear()
	t.Logf("%d requests: %d refused, %d answered 503, %d lost with a connection, %d wrong; %d invented tokens; %d look-ups",
		requests.Load(), refused.Load(), unavailable.Load(), lost.Load(), failed.Load(), unknown.Load(), workspace.Counts().Lookups)
	for deadline := time.Now().Add(15 * time.Second); runtime.NumGoroutine() > goroutines+20; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines, %d after warm-up", runtime.NumGoroutine(), goroutines)
			break
		}
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	t.Logf("heap %d MiB, %d goroutines (%d when it was warm)", memory.HeapAlloc>>20, runtime.NumGoroutine(), goroutines)
}

func soakGet(t *testing.T, client *http.Client, url, token string) int {
	r, err := http.NewRequest("GET", url+harness.JobsList, nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	harness.Bearer(token)(r)
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // so that the connection is reused
	return answer.StatusCode
}
