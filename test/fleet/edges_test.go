package fleet

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// awaitEdges waits until scopes fleet shows all edges as connected and up to date.
func awaitEdges(t *testing.T, authority *fleettest.Gateway, edges ...*fleettest.Gateway) {
	t.Helper()
	var said string
	harness.WaitFor(t, "the edges to be connected", func() bool {
		var code int
		if said, code = authority.Scopes("fleet"); code != 0 {
			return false
		}
		for _, e := range edges {
			if !regexp.MustCompile(`(?m)^.*\b` + e.Name + `\b.*\bconnected\b`).MatchString(said) {
				return false
			}
		}
		return true
	})
}

// TestEdges: edges ask authorities once for all, hear of changes at once, and go to the next
// authority when theirs dies.
func TestEdges(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	authorities := r.Authorities(2, nil)
	edges := r.Edges(2, nil, authorities...)
	awaitEdges(t, authorities[0], edges...)

	t.Run("cold look-up", func(t *testing.T) {
		r.Workspace.Reset()
		mustPass(t, r.Mint().Value, edges...)
		if got := r.Workspace.Counts(); got.Lookups != 1 || got.Lists != 0 {
			t.Errorf("%d look-ups and %d lists, want 1 and 0", got.Lookups, got.Lists)
		}
	})
	t.Run("unknown token", func(t *testing.T) {
		mustRefuse(t, "dapi"+fleettest.RandomHex(16), "unknown_token", time.Now(), 0, edges...)
	})
	t.Run("narrow token", func(t *testing.T) {
		narrow := r.Workspace.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com", Scopes: []string{"sql"}})
		mustRefuse(t, narrow.Value, "missing_scope", time.Now(), 0, edges...)
	})
	t.Run("scopes fleet", func(t *testing.T) {
		said, code := authorities[0].Scopes("fleet")
		for _, name := range []string{"edge-1", "edge-2"} {
			if code != 0 || !strings.Contains(said, name) {
				t.Errorf("%d %s lacks %s", code, said, name)
			}
		}
		if secret := r.Workspace.AdminToken(); strings.Contains(said, secret) {
			t.Error("it shows the admin token")
		}
	})
	everywhere := append(authorities[:2:2], edges...)
	t.Run("scopes revoke", func(t *testing.T) {
		token := r.Mint()
		mustPass(t, token.Value, everywhere...)
		said, code := authorities[0].Scopes("revoke", token.Info.TokenId, "--yes")
		if code != 0 || !regexp.MustCompile(`\b2 of 2 edges\b`).MatchString(said) {
			t.Errorf("%d %s, want it to say that 2 of 2 edges applied it", code, said)
		}
		// It said so, so it is so.
		mustRefuse(t, token.Value, "unknown_token", time.Now(), 0, everywhere...)
	})
	t.Run("through an authority", func(t *testing.T) {
		for _, c := range atWorkspace(r) {
			does := c.does
			c.does = func(t *testing.T, id string) { does(t, id); authorities[1].Forget(id) }
			reachesAll(t, c, 0, authorities[1], everywhere)
		}
	})
	t.Run("through an edge", func(t *testing.T) {
		c := change{"revoked", "unknown_token", func(t *testing.T, id string) {
			got, err := edges[0].Request(http.MethodDelete, tokensPath+"/"+id, r.Admin, "")
			if err != nil || !got.Passes() {
				t.Fatalf("revoking: %v %v", got, err)
			}
		}}
		reachesAll(t, c, 0, edges[0], everywhere)
	})
	t.Run("an authority is killed", func(t *testing.T) {
		token := r.Mint()
		mustPass(t, token.Value, edges...)
		traffic := startTraffic(t, []fakeworkspace.Token{token}, edges...)
		authorities[0].Kill()
		for range 5 {
			mustPass(t, r.Mint().Value, edges...) // from the other one
		}
		awaitEdges(t, authorities[1], edges...)
		for _, c := range atWorkspace(r) {
			does := c.does
			c.does = func(t *testing.T, id string) { does(t, id); authorities[1].Forget(id) }
			reachesAll(t, c, 0, authorities[1], append(edges[:2:2], authorities[1]))
		}
		traffic.end()
		authorities[0].Start()
		mustPass(t, r.Mint().Value, everywhere...)
	})
}

// TestMissedWhileAway: what was revoked while an edge was subscribed to no authority is
// refused as soon as it is again.
func TestMissedWhileAway(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	authorities := r.Authorities(2, nil)
	edge := r.Edges(1, nil, authorities[0])[0]
	awaitEdges(t, authorities[0], edge)
	token, kept := r.Mint(), r.Mint()
	mustPass(t, token.Value, edge)
	mustPass(t, kept.Value, edge)
	authorities[0].Kill()
	r.Workspace.Revoke(token.Info.TokenId)
	authorities[1].Forget(token.Info.TokenId)
	mustPass(t, kept.Value, edge)
	authorities[0].Start()
	mustRefuse(t, token.Value, "unknown_token", time.Now(), 2*recovers, edge)
	mustPass(t, kept.Value, edge)
}

// TestNoAuthority: while no authority answers, an edge lets known tokens pass for max_stale,
// and answers 503 for others. One authority without Redis is enough for edges.
func TestNoAuthority(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	authority := r.Start("authority", fleettest.Setting{Answers: true})
	const ttl, stale = 2 * time.Second, 4 * time.Second
	edge := r.Edges(1, func(_ int, s *fleettest.Setting) {
		s.Cache = "ttl " + ttl.String() + "\nmax_stale " + stale.String() + "\nnegative_ttl 1s"
	}, authority)[0]
	awaitEdges(t, authority, edge)
	token := r.Mint()
	mustPass(t, token.Value, edge)
	known := time.Now()
	authority.Kill()
	for time.Since(known) < ttl+stale-fleettest.Slack() {
		asked := time.Now()
		if got := edge.Use(token.Value); !got.Passes() && asked.Sub(known) < ttl+stale-fleettest.Slack() {
			t.Fatalf("%v after it was known: %v", asked.Sub(known), got)
		}
		if got := edge.Use(r.Mint().Value); got.Status != http.StatusServiceUnavailable || got.Reason != "directory_unavailable" {
			t.Fatalf("an unknown token: %v", got)
		}
		time.Sleep(100 * time.Millisecond)
	}
	// It may have been refreshed just before the end of the authority, and no later.
	harness.WaitUpTo(t, ttl+fleettest.Slack(), "max_stale to end", func() bool { return edge.Use(token.Value).Reason == "directory_unavailable" })
	authority.Start()
	harness.WaitFor(t, "the edge to recover", func() bool { return edge.Use(token.Value).Passes() })
	mustPass(t, r.Mint().Value, edge)
}

// TestAuthorityOutage: while the workspace does not answer its authority, an edge says so as a
// gateway would.
func TestAuthorityOutage(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	authority := r.Start("authority", fleettest.Setting{Answers: true})
	edge := r.Edges(1, nil, authority)[0]
	token := r.Mint()
	mustPass(t, token.Value, edge)
	r.Workspace.Faults().Set(tokensPath, fakeworkspace.InternalError())
	mustPass(t, token.Value, edge)
	if got := edge.Use(r.Mint().Value); got.Status != http.StatusServiceUnavailable || got.Reason != "directory_unavailable" {
		t.Errorf("an unknown token: %v", got)
	}
	r.Workspace.Faults().Clear()
	fresh := r.Mint()
	harness.WaitFor(t, "look-ups to work again", func() bool { return edge.Use(fresh.Value).Passes() })
}
