package fleet

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// change is a way in which a token loses what it may do.
type change struct {
	name, reason string
	does         func(t *testing.T, id string)
}

// reachesAll makes a change to a token that all gateways know. Once the first gateway has
// noticed, which takes up to patience, all others must refuse the token within a second.
func reachesAll(t *testing.T, c change, patience time.Duration, first *fleettest.Gateway, all []*fleettest.Gateway) {
	t.Run(c.name, func(t *testing.T) {
		token := first.Rig().Mint()
		mustPass(t, token.Value, all...)
		c.does(t, token.Info.TokenId)
		harness.WaitUpTo(t, patience+fleettest.Slack(), "the first gateway to notice", func() bool { return first.Use(token.Value).Reason == c.reason })
		mustRefuse(t, token.Value, c.reason, time.Now(), pushed, all...)
	})
}

// atWorkspace are changes that no gateway sees.
func atWorkspace(r *fleettest.Rig) []change {
	return []change{
		{"revoked", "unknown_token", func(_ *testing.T, id string) { r.Workspace.Revoke(id) }},
		{"narrowed", "missing_scope", func(_ *testing.T, id string) { r.Workspace.SetScopes(id, "sql") }},
	}
}

// TestChangesInPassing: a change that passes through one gateway holds at all others within a
// second, and so does one that one gateway is told of.
func TestChangesInPassing(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(4, nil)
	through := all[2]
	passing := func(method, body string) func(t *testing.T, id string) {
		return func(t *testing.T, id string) {
			got, err := through.Request(method, tokensPath+"/"+id, r.Admin, body)
			if err != nil || !got.Passes() {
				t.Fatalf("%s: %v %v %s", method, got, err, got.Body)
			}
		}
	}
	changes := []change{
		{"revoked in passing", "unknown_token", passing(http.MethodDelete, "")},
		{"narrowed in passing", "missing_scope", passing(http.MethodPatch, `{"token":{"scopes":["sql"]},"update_mask":"scopes"}`)},
	}
	for _, c := range atWorkspace(r) {
		does := c.does
		changes = append(changes, change{c.name + ", and one is told", c.reason, func(t *testing.T, id string) {
			does(t, id)
			through.Forget(id)
		}})
	}
	for _, c := range changes {
		reachesAll(t, c, 0, through, all)
	}
}

// TestChangesFoundByList: one gateway finds a change in the list of all tokens. The others ask
// for no list, and their ttl is an hour.
func TestChangesFoundByList(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(3, func(i int, s *fleettest.Setting) {
		if i == 0 {
			s.Options = "sync 5s"
		}
	})
	for _, c := range atWorkspace(r) {
		reachesAll(t, c, 8*time.Second, all[0], all)
	}
}

// TestChangesFoundByRefresh: one gateway finds a change as it refreshes what it uses. The
// others do not refresh, as their ttl is an hour.
func TestChangesFoundByRefresh(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(3, func(i int, s *fleettest.Setting) {
		if i == 0 {
			s.Cache = "ttl 2s\nmax_stale 1h\nnegative_ttl 1h"
		}
	})
	for _, c := range atWorkspace(r) {
		reachesAll(t, c, 5*time.Second, all[0], all)
	}
}

// TestListIsAskedForOnce: however many gateways use sync, one of them asks.
func TestListIsAskedForOnce(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	const every = 5 * time.Second
	r.Shared(4, func(_ int, s *fleettest.Setting) { s.Options = "sync " + every.String() })
	time.Sleep(every)
	r.Workspace.Reset()
	const rounds = 2
	time.Sleep(rounds * every)
	if got := r.Workspace.Counts().Lists; got < rounds-1 || got > rounds+1 {
		t.Errorf("%d lists in %v, want about %d", got, rounds*every, rounds)
	}
}

// TestWidenedTokenPasses: a token that was given more passes at all gateways within a second
// too, and so does one that was unknown and is made.
func TestWidenedTokenPasses(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	all := r.Shared(3, nil)
	token := r.Workspace.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com", Scopes: []string{"sql"}})
	mustRefuse(t, token.Value, "missing_scope", time.Now(), pushed, all...)
	got, err := all[0].Request(http.MethodPatch, tokensPath+"/"+token.Info.TokenId, r.Admin, `{"token":{"scopes":["jobs"]},"update_mask":"scopes"}`)
	if err != nil || !got.Passes() {
		t.Fatalf("rescoping: %v %v %s", got, err, got.Body)
	}
	for _, g := range all {
		harness.WaitUpTo(t, pushed+fleettest.Slack(), "the wider token to pass at "+g.Name, func() bool { return g.Use(token.Value).Passes() })
	}
}

// TestLateAnswer: the answer to a look-up that began before a revocation arrives after it. It
// must not bring the token back, at no gateway.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	for _, withOthers := range []bool{false, true} {
		t.Run(map[bool]string{false: "nobody else asks", true: "another waits for it"}[withOthers], func(t *testing.T) {
			r := fleettest.New(t, true)
			asked, release := make(chan string, 100), make(chan struct{})
			var late atomic.Value // the id of the token whose look-ups take long
			late.Store("")
			r.Workspace.Handle("GET "+tokensPath+"/{id}", http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				id := request.PathValue("id")
				info, found := r.Workspace.Info(id) // before it waits: this is what makes it late
				if id == late.Load() {
					asked <- id
					select {
					case <-release:
					case <-request.Context().Done():
						return
					}
				}
				w.Header().Set("Content-Type", "application/json")
				if !found {
					w.WriteHeader(http.StatusNotFound)
					_, _ = w.Write([]byte(`{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No valid token with ID ` + id + ` found."}`))
					return
				}
				_ = json.NewEncoder(w).Encode(settings.GetTokenResponse{TokenInfo: &info})
			}))
			all := r.Shared(3, nil)
			token := r.Mint()
			late.Store(token.Info.TokenId)
			users := all[:1]
			if withOthers {
				users = all[:2]
			}
			var waiting sync.WaitGroup
			for _, g := range users {
				// They ask before the revocation, so either answer is right.
				waiting.Go(func() { _, _ = g.Request(http.MethodGet, harness.JobsList, token.Value, "") })
			}
			<-asked
			r.Workspace.Revoke(token.Info.TokenId)
			all[2].Forget(token.Info.TokenId)
			time.Sleep(pushed) // until all have been told
			close(release)
			waiting.Wait()
			mustRefuse(t, token.Value, "unknown_token", time.Now(), 0, all...)
		})
	}
}
