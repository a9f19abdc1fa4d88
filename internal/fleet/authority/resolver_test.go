package authority

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
)

// resolved answers with a resolver of the gateway.
type resolved struct{ *tokens.Resolver }

func (r resolved) Owner(info *tokens.Info) tokens.Principal { return info.Owner }
func (r resolved) Known(tokens.ID) bool                     { return false }
func (r resolved) OwnerName(_ context.Context, id int64) (tokens.Principal, error) {
	return tokens.NewPrincipal(id, ""), nil
}

// resolving is an authority with a resolver, in front of a workspace.
func resolving(t *testing.T) (*fixture, *fakeworkspace.Workspace) {
	behind := fakeworkspace.New()
	if err := behind.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(behind.Close)
	admin := tokens.Admin{Token: func() (string, error) { return behind.AdminToken(), nil }}
	resolver := tokens.NewResolver(tokens.NewService(behind.URL(), admin, 5*time.Second), tokens.DefaultSettings)
	t.Cleanup(resolver.Close)
	// The credential is itself a token, which is looked up once.
	if _, err := resolver.Resolve(t.Context(), tokens.IDOf("warm"), tokens.Freshness{}); !errors.Is(err, tokens.ErrUnknownToken) {
		t.Fatal(err)
	}
	var f *fixture
	f = newFixture(t, func(o *Options) {
		o.Tokens, o.Now = resolved{resolver}, time.Now
		o.Publish = func(_ context.Context, changes ...fleet.Change) {
			for _, change := range changes {
				if change.Kind == fleet.TokenChanged {
					resolver.Purge(change.Token)
				} else {
					resolver.Doubt()
				}
			}
			f.log.add(changes...)
		}
	})
	return f, behind
}

// TestRevocation: once an edge has heard of a change, it is told how things are since.
func TestRevocation(t *testing.T) {
	f, behind := resolving(t)
	name := behind.Mint(fakeworkspace.TokenSpec{Owner: "alice@example.com", Scopes: []string{"sql"}})
	id := tokens.IDOf(name.Value)
	set := func(scope string) { behind.SetScopes(id.String(), scope) }
	before := behind.Lookups()
	scopes := func() []string {
		got := f.ask("GET", tokenPath(id), nil)
		f.expect(got, 200, "")
		return decode[wire.TokenAnswer](t, got).Token.Scopes
	}
	s := f.subscribe(f.http.Client(), "")
	s.expect(hello("epoch-1", 0), reset("epoch-1", 0))
	if got := scopes(); got[0] != "sql" {
		t.Fatal(got)
	}
	set("jobs")
	if got := scopes(); got[0] != "sql" || behind.Lookups() != before+1 {
		t.Fatalf("%v, %d look-ups: it was not from the cache", got, behind.Lookups()-before)
	}
	if got := f.ask("GET", tokenPath(id)+"?newer_than_ms=0", nil); decode[wire.TokenAnswer](t, got).Token.Scopes[0] != "jobs" {
		t.Errorf("younger facts: %s", got.body)
	}
	set("files")
	f.server.publish(fleet.Change{Kind: fleet.TokenChanged, Token: id})
	s.expect(changed(1, name.Value))
	if got := scopes(); got[0] != "files" {
		t.Errorf("after the change: %v", got)
	}
	behind.Revoke(id.String())
	f.expect(f.ask("POST", wire.Prefix+"changes", reportOf(tokenChange(name.Value))), 202, "") // another edge saw it
	s.expect(changed(2, name.Value))
	got := f.ask("GET", tokenPath(id), nil)
	f.expect(got, 404, wire.UnknownTokenCode)
	if age := got.problem(t).AgeMS; age > 5000 {
		t.Errorf("age %d ms", age)
	}
}

// TestAllEdgesAtOnce: the workspace is asked once, however many edges ask.
func TestAllEdgesAtOnce(t *testing.T) {
	f, behind := resolving(t)
	id := tokens.IDOf(behind.Mint(fakeworkspace.TokenSpec{}).Value)
	before := behind.Lookups()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			if got := f.ask("GET", tokenPath(id), nil, named(fmt.Sprint(i))); got.status != 200 {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		})
	}
	all.Wait()
	if n := behind.Lookups() - before; n != 1 {
		t.Errorf("%d look-ups, want 1", n)
	}
}

// TestOutageAtAuthority: an edge is told how old facts are, or why there are none.
func TestOutageAtAuthority(t *testing.T) {
	f, behind := resolving(t)
	known := tokens.IDOf(behind.Mint(fakeworkspace.TokenSpec{}).Value)
	f.expect(f.ask("GET", tokenPath(known), nil), 200, "")
	behind.Close()
	time.Sleep(20 * time.Millisecond) // facts grow old
	got := f.ask("GET", tokenPath(known)+"?newer_than_ms=10", nil)
	f.expect(got, 200, "")
	if age := decode[wire.TokenAnswer](t, got).AgeMS; age < 20 {
		t.Errorf("the age is said to be %d ms", age)
	}
	got = f.ask("GET", tokenPath(tokens.IDOf("other")), nil)
	f.expect(got, 503, wire.UnavailableCode)
	if got.problem(t).Outage != string(tokens.Unreachable) || got.header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q", got.body, got.header.Get("Retry-After"))
	}
}
