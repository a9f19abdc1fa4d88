package fleet

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// storeWait is the longest that one request may wait for Redis.
const storeWait = 50 * time.Millisecond

// TestRedisFaults: whatever happens to Redis, no answer is wrong, no request waits for it, new
// tokens are looked up by each gateway, and when it is over the gateways share again by
// themselves.
func TestRedisFaults(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(3, nil)
	good := make([]fakeworkspace.Token, 10)
	for i := range good {
		good[i] = r.Mint()
		mustPass(t, good[i].Value, all...)
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			traffic := startTraffic(t, good, all...)
			traffic.lap()
			usual := traffic.lap()
			fault.begin(t, r.Redis)
			during := traffic.lap()
			victim := revokeDuring(t, r, all)
			for range 5 {
				token := r.Mint()
				for _, g := range all {
					if got := g.Use(token.Value); !got.Passes() {
						t.Errorf("%s: a new token: %v", g.Name, got)
					} else if got.Took > usual+storeWait+fleettest.Slack() {
						t.Errorf("%s: a new token took %v", g.Name, got.Took)
					}
				}
			}
			during = max(during, traffic.lap())
			if during > usual+storeWait+fleettest.Slack() {
				t.Errorf("the slowest request took %v, usually %v", during, usual)
			}
			fault.ends(t, r.Redis)
			ended := time.Now()
			mustRefuse(t, victim, "unknown_token", ended, recovers, all...)
			awaitSharing(t, r, all)
			traffic.end()
		})
	}
}

// recovers is how long it may take until a fleet that lost its store works as before: a ping
// each second at most, and what changed meanwhile.
const recovers = 5 * time.Second

// revokeDuring revokes a token through the first gateway, which refuses it at once.
func revokeDuring(t *testing.T, r *fleettest.Rig, all []*fleettest.Gateway) (value string) {
	t.Helper()
	token := r.Mint()
	mustPass(t, token.Value, all...)
	got, err := all[0].Request(http.MethodDelete, tokensPath+"/"+token.Info.TokenId, r.Admin, "")
	if err != nil || !got.Passes() {
		t.Fatalf("revoking: %v %v", got, err)
	}
	mustRefuse(t, token.Value, "unknown_token", time.Now(), 0, all[0])
	return token.Value
}

// awaitSharing waits until the gateways share again: new tokens cost one look-up, and a
// revocation reaches all.
func awaitSharing(t *testing.T, r *fleettest.Rig, all []*fleettest.Gateway) {
	t.Helper()
	began := time.Now()
	for {
		token := r.Mint()
		before := r.Workspace.Lookups()
		mustPass(t, token.Value, all...)
		if r.Workspace.Lookups() == before+1 {
			break
		}
		if time.Since(began) > recovers+fleettest.Slack() {
			t.Fatalf("no sharing after %v", time.Since(began))
		}
		time.Sleep(20 * time.Millisecond)
	}
	token := r.Mint()
	mustPass(t, token.Value, all...)
	got, err := all[1].Request(http.MethodDelete, tokensPath+"/"+token.Info.TokenId, r.Admin, "")
	if err != nil || !got.Passes() {
		t.Fatalf("revoking: %v %v", got, err)
	}
	mustRefuse(t, token.Value, "unknown_token", time.Now(), pushed, all...)
}

// TestStartWithoutRedis: gateways start while Redis is down, serve, and share once it is there.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	r.Redis.Kill()
	all := r.Shared(2, nil)
	mustPass(t, r.Mint().Value, all...)
	r.Redis.Restart()
	awaitSharing(t, r, all)
}

// TestOwnEdgesWithoutRedis: an authority's own edges hear of its changes while Redis is down,
// and those of others when it is back.
func TestOwnEdgesWithoutRedis(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	authorities := r.Authorities(2, nil)
	edges := r.Edges(2, func(i int, s *fleettest.Setting) { s.Authorities = s.Authorities[:1] }, authorities...)
	own, other := edges[0], edges[1]
	awaitEdges(t, authorities[0], own, other)
	token := r.Mint()
	mustPass(t, token.Value, own, other)
	r.Redis.Kill()
	revoked := func(token string) {
		got, err := authorities[0].Request(http.MethodDelete, tokensPath+"/"+token, r.Admin, "")
		if err != nil || !got.Passes() {
			t.Fatalf("revoking: %v %v", got, err)
		}
	}
	revoked(token.Info.TokenId)
	mustRefuse(t, token.Value, "unknown_token", time.Now(), pushed, own)
	r.Redis.Restart()
	mustRefuse(t, token.Value, "unknown_token", time.Now(), recovers, own, other)
}

// TestRevokeWithoutRedis: who revokes while Redis is down learns that the other gateways do not
// know of it, and can tell each.
func TestRevokeWithoutRedis(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(2, nil)
	token := r.Mint()
	r.Redis.Kill()
	for _, g := range all {
		harness.WaitFor(t, "the store to be down", func() bool {
			said, _ := g.Scopes("fleet")
			return strings.Contains(said, "The store is down")
		})
	}
	mustPass(t, token.Value, all...)
	said, code := all[0].Scopes("revoke", token.Info.TokenId, "--yes")
	if code != 0 || !strings.Contains(said, "The token is revoked.") || !strings.Contains(said, "Redis is down: ") {
		t.Errorf("%d %s", code, said)
	}
	mustRefuse(t, token.Value, "unknown_token", time.Now(), 0, all[0])
	// A request with the token would teach it: the workspace refuses it.
	knows := func() bool {
		_, ids := all[1].Control(http.MethodGet, "/databricks_scopes/tokens")
		return strings.Contains(ids, token.Info.TokenId)
	}
	if !knows() {
		t.Error("the other gateway was told")
	}
	said, code = all[1].Scopes("revoke", token.Info.TokenId, "--yes")
	if code != 0 || !strings.Contains(said, "has no token of this id (any more); the gateway has forgotten it.") {
		t.Errorf("once more: %d %s", code, said)
	}
	if knows() {
		t.Error("the other gateway has not forgotten it")
	}
	mustRefuse(t, token.Value, "unknown_token", time.Now(), 0, all[1])
}

// TestForeignStore: what another fleet, or anybody, writes to the store changes no verdict.
func TestForeignStore(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(2, nil)
	token, other := r.Mint(), r.Mint()
	mustPass(t, token.Value, all[0])
	mustPass(t, other.Value, all[0])
	var values []string
	names := keys(t, r.Redis, "")
	for _, name := range names {
		if command(t, r.Redis, "TYPE", name)[0] == "+string" {
			values = append(values, name)
		}
	}
	if len(values) < 2 {
		t.Fatalf("the store has %q", names)
	}
	for _, damage := range []struct {
		name string
		does func()
	}{
		{"rubbish", func() {
			for _, name := range values {
				command(t, r.Redis, "SET", name, "rubbish")
			}
		}},
		{"swapped", func() {
			for i, name := range values {
				command(t, r.Redis, "COPY", values[(i+1)%len(values)], name, "REPLACE")
			}
		}},
		{"of another type", func() {
			for _, name := range values {
				command(t, r.Redis, "DEL", name)
				command(t, r.Redis, "LPUSH", name, "x")
			}
		}},
		{"huge", func() {
			for _, name := range values {
				command(t, r.Redis, "DEL", name)
				command(t, r.Redis, "SETRANGE", name, "8000000", "x")
			}
		}},
	} {
		t.Run(damage.name, func(t *testing.T) {
			all[1].Kill()
			damage.does()
			all[1].Start()
			mustPass(t, token.Value, all...)
			mustPass(t, other.Value, all...)
		})
	}
	narrow := r.Workspace.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com", Scopes: []string{"sql"}})
	mustRefuse(t, narrow.Value, "missing_scope", time.Now(), pushed, all...)
	if leaked := keys(t, r.Redis, narrow.Info.TokenId+"*"); len(leaked) > 0 {
		t.Errorf("the store names tokens by their ids: %q", leaked)
	}
}
