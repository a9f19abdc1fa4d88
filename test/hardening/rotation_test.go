package hardening

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestKeyRotationInAFlood: while a client sends access tokens with invented key ids, the
// workspace gets a new signing key. Tokens of the new key pass within seconds, those of the
// old one all the time, and the workspace is asked for its keys now and then only.
func TestKeyRotationInAFlood(t *testing.T) {
	const (
		lasts   = 6 * time.Second
		rotates = 2 * time.Second
		within  = 4 * time.Second
	)
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "oauth verify")
	old := w.SignJWT(map[string]any{"scope": "jobs"})
	part := func(v map[string]any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	config := harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", w.URL()+harness.WellKnown, "", nil))
	var about struct {
		ID string `json:"workspace_id"`
	}
	if err := json.Unmarshal([]byte(config.Body), &about); err != nil {
		t.Fatal(err)
	}
	claims := part(map[string]any{"iss": w.Issuer(), "aud": about.ID, "sub": "x", "scope": "all-apis", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	signature := base64.RawURLEncoding.EncodeToString(make([]byte, 256))
	send := func(client *http.Client, token string) int {
		response, err := client.Do(harness.NewRequest(t, "GET", g.URL+harness.JobsList, token, nil))
		if err != nil {
			t.Error(err)
			return 0
		}
		response.Body.Close()
		return response.StatusCode
	}
	if status := send(harness.Client(t), old); status != 200 {
		t.Fatalf("before the flood: %d", status)
	}

	var group sync.WaitGroup
	var sent, refused atomic.Int64
	began := time.Now()
	for worker := range 4 {
		client := harness.Client(t)
		group.Go(func() {
			for i := 0; time.Since(began) < lasts; i++ {
				forged := part(map[string]any{"alg": "RS256", "typ": "JWT", "kid": fmt.Sprintf("invented-%d-%d", worker, i)}) + "." + claims + "." + signature
				sent.Add(1)
				if status := send(client, forged); status == 403 || status == 503 {
					refused.Add(1)
				}
			}
		})
	}
	client := harness.Client(t)
	time.Sleep(rotates - time.Since(began))
	w.RotateKey(false)
	rotated := time.Now()
	next := w.SignJWT(map[string]any{"scope": "jobs"})
	var passed time.Duration
	for time.Since(began) < lasts {
		if status := send(client, old); status != 200 {
			t.Errorf("the old key, %s after the rotation: %d", time.Since(rotated), status)
		}
		switch status := send(client, next); {
		case status == 200 && passed == 0:
			passed = time.Since(rotated)
		case status != 200 && passed > 0, status != 200 && status != 503:
			t.Errorf("the new key, %s after the rotation: %d", time.Since(rotated), status)
		}
		time.Sleep(20 * time.Millisecond)
	}
	group.Wait()
	fetches := 0
	for _, r := range w.Requests() {
		if r.Path == "/oidc/jwks.json" {
			fetches++
		}
	}
	t.Logf("%d forged tokens; the new key passed after %s; %d fetches", sent.Load(), passed, fetches)
	if passed == 0 || passed > within {
		t.Errorf("the new key passed after %s, want at most %s", passed, within)
	}
	if most := 4 + int(lasts/(2*time.Second)) + 1; fetches > most {
		t.Errorf("%d fetches of the keys, want at most %d", fetches, most)
	}
	if sent.Load() != refused.Load() || sent.Load() < 100 {
		t.Errorf("of %d forged tokens %d were refused", sent.Load(), refused.Load())
	}
}
