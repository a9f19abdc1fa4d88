package oauth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
)

// TestCrowd checks that a hundred first callers share one fetch.
func TestCrowd(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	w.Faults().Set(keysPath, fakeworkspace.Latency(100*time.Millisecond))
	raws := make([]string, 100)
	for i := range raws {
		raws[i] = w.SignJWT(changes{"jti": strconv.Itoa(i)})
	}
	var wg sync.WaitGroup
	for _, raw := range raws {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, path := range []string{metadataPath, configPath, keysPath} {
		if n := requestsTo(w, path); n != 1 {
			t.Errorf("%s was requested %d times", path, n)
		}
	}
	if n := v.verified.Len(); n != len(raws) {
		t.Errorf("%d tokens are cached", n)
	}
	// A caller who looked before the keys came and fetches only now fetches nothing.
	if set, err := v.keys.fetch(nil); err != nil || set != v.keys.set.Load() || requestsTo(w, keysPath) != 1 {
		t.Errorf("a late caller fetched the keys again, error %v", err)
	}
	for range rotationBurst + 1 {
		if _, err := v.keys.rotate(nil); err != nil {
			t.Errorf("a late caller used up a fetch: %v", err)
		}
	}
}

// TestCallerLeaves checks that the fetch continues for the others.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	hang := w.Faults().Set(keysPath, fakeworkspace.Hang())
	raw := w.SignJWT(nil)
	ctx, leave := context.WithCancel(t.Context())
	stays := make(chan error, 1)
	go func() {
		_, err := v.Verify(t.Context(), raw)
		stays <- err
	}()
	leaves := make(chan error, 1)
	go func() {
		_, err := v.Verify(ctx, raw)
		leaves <- err
	}()
	eventually(t, func() bool { return hang.Hits() == 1 })
	leave()
	if err := <-leaves; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller who left got %v", err)
	}
	hang.Remove()
	if err := <-stays; err != nil {
		t.Errorf("the caller who stayed got %v", err)
	}
}

func TestCloseEndsFetches(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newVerifier(w.URL(), time.Minute, c.Now)
	hang := w.Faults().Set("/oidc/", fakeworkspace.Hang())
	got := make(chan error, 1)
	go func() {
		_, err := v.Verify(t.Context(), w.SignJWT(nil))
		got <- err
	}()
	eventually(t, func() bool { return hang.Hits() == 1 })
	v.Close()
	wantOutage(t, <-got, tokens.Closed)
	_, err := v.Verify(t.Context(), w.SignJWT(nil))
	wantOutage(t, err, tokens.Closed)
}

// TestBadTokensCauseNoRequests presents tokens that are rejected without a key.
func TestBadTokensCauseNoRequests(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	key, kid := w.SigningKey()
	for _, raw := range []string{
		somePAT, "eyJ.eyJ.AA",
		w.SignJWT(changes{"iss": "https://login.microsoftonline.com/x/v2.0"}),
		w.SignJWT(changes{"scope": nil}),
		forge(changes{"alg": "HS256", "kid": kid}, goodClaims(w, c), signPKCS1(key, crypto.SHA256)),
		forge(changes{"alg": "RS256", "kid": strings.Repeat("k", maxKeyID+1)}, goodClaims(w, c), nil),
	} {
		_, err := v.Verify(t.Context(), raw)
		checkError(t, err, ErrInvalid, raw)
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("the workspace got %d requests", n)
	}
}

func TestVerifiedTokenIsCached(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	raw := w.SignJWT(changes{"exp": c.Now().Add(2 * time.Minute).Unix()})
	first, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	c.advance(2*time.Minute - time.Second)
	again, err := v.Verify(t.Context(), raw)
	if err != nil || again != first {
		t.Errorf("verified again, error %v", err)
	}
	c.advance(time.Second)
	_, err = v.Verify(t.Context(), raw)
	checkError(t, err, ErrExpired, raw)
	if n := requestsTo(w, keysPath); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	type step struct {
		name   string
		do     func(w *fakeworkspace.Workspace, c *clock)
		signer int // index of the key that signed the presented token
		want   error
		fetch  int // of keys, so far
	}
	rotate := func(drop bool) func(*fakeworkspace.Workspace, *clock) {
		return func(w *fakeworkspace.Workspace, _ *clock) { w.RotateKey(drop) }
	}
	pass := func(d time.Duration) func(*fakeworkspace.Workspace, *clock) {
		return func(_ *fakeworkspace.Workspace, c *clock) { c.advance(d) }
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"a new key is noticed at once", []step{
			{"first", nil, 0, nil, 1},
			{"second", rotate(false), 1, nil, 2},
			{"first again", nil, 0, nil, 2},
			{"third, at the same time", rotate(false), 2, nil, 3},
		}},
		{"a withdrawn key is noticed within five minutes", []step{
			{"first", nil, 0, nil, 1},
			{"first, still trusted", rotate(true), 0, nil, 1},
			{"first, five minutes later", pass(keysMaxAge), 0, ErrInvalid, 3},
			{"first, again", nil, 0, ErrInvalid, 3},
			{"second", nil, 1, nil, 3},
		}},
		{"a withdrawn key is noticed with the first token of the next key", []step{
			{"first", nil, 0, nil, 1},
			{"second", rotate(true), 1, nil, 2},
			{"first, which was cached", nil, 0, ErrInvalid, 3},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClock()
			w := startIssuer(t, c)
			v := newTestVerifier(t, w.URL(), c)
			signed := []string{w.SignJWT(nil)}
			for _, step := range test.steps {
				_, before := w.SigningKey()
				if step.do != nil {
					step.do(w, c)
				}
				if _, now := w.SigningKey(); now != before {
					signed = append(signed, w.SignJWT(nil))
				}
				_, err := v.Verify(t.Context(), signed[step.signer])
				if !errors.Is(err, step.want) {
					t.Fatalf("%s: error %v, want %v", step.name, err, step.want)
				}
				if n := requestsTo(w, keysPath); n != step.fetch {
					t.Fatalf("%s: keys were fetched %d times, want %d", step.name, n, step.fetch)
				}
			}
		})
	}
}

// TestInventedKeyIDs checks that a flood of them costs the workspace almost nothing and
// does not affect valid tokens.
func TestInventedKeyIDs(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	claims := goodClaims(w, c)
	invent := func(kid string) string { return forge(changes{"alg": "RS256", "kid": kid}, claims, nil) }
	good := w.SignJWT(nil)
	var invalid, unavailable int
	for i := range 2000 {
		_, err := v.Verify(t.Context(), invent(fmt.Sprintf("invented-%d", i)))
		var out *tokens.UnavailableError
		switch {
		case errors.Is(err, ErrInvalid):
			invalid++
		case errors.As(err, &out) && out.Outage == tokens.Overloaded && out.RetryAfter > 0:
			unavailable++
		default:
			t.Fatalf("error %v", err)
		}
		if _, err := v.Verify(t.Context(), good); err != nil {
			t.Fatalf("a valid token in the flood: %v", err)
		}
	}
	if invalid != rotationBurst || unavailable != 2000-rotationBurst {
		t.Errorf("%d invalid, %d unavailable", invalid, unavailable)
	}
	if n := requestsTo(w, keysPath); n != 1+rotationBurst {
		t.Errorf("keys were fetched %d times", n)
	}
	// Unknown key IDs are cached, but only for a while.
	_, err := v.Verify(t.Context(), invent("invented-0"))
	checkError(t, err, ErrInvalid, "")
	c.advance(rotationInterval)
	w.RotateKey(false)
	if _, err := v.Verify(t.Context(), w.SignJWT(nil)); err != nil {
		t.Errorf("a new key after the flood: %v", err)
	}
	if n := requestsTo(w, keysPath); n != 2+rotationBurst {
		t.Errorf("keys were fetched %d times", n)
	}
	if n := v.keys.absent.Len(); n > maxAbsent {
		t.Errorf("%d key ids are cached", n)
	}
}

// TestOutageLater checks that valid tokens are accepted in an outage while the keys are
// trusted, and no longer.
func TestOutageLater(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	raw := w.SignJWT(nil)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	down := w.Faults().Set("/oidc/", fakeworkspace.InternalError())
	c.advance(keysMaxAge - time.Second)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Fatalf("cached, in an outage: %v", err)
	}
	fresh := w.SignJWT(changes{"jti": "2"})
	if _, err := v.Verify(t.Context(), fresh); err != nil {
		t.Fatalf("new, in an outage: %v", err)
	}
	eventually(t, func() bool { return down.Hits() > 0 })
	c.advance(time.Second)
	eventually(t, func() bool { // once the background renewal has ended
		_, err := v.Verify(t.Context(), raw)
		var out *tokens.UnavailableError
		return errors.As(err, &out) && out.Outage == tokens.Paused && out.RetryAfter > 0
	})
	if n := down.Hits(); n > breakerTrip {
		t.Errorf("the workspace got %d requests while it was down", n)
	}
	down.Remove()
	c.advance(breakerFirstPause)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

// TestKeysAreRenewedAhead checks that no caller waits for the keys of a workspace in use.
func TestKeysAreRenewedAhead(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	raw := w.SignJWT(nil)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	hang := w.Faults().Set(keysPath, fakeworkspace.Hang())
	c.advance(keysRenewAge)
	for range 50 {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return hang.Hits() == 1 })
	old := v.keys.set.Load()
	hang.Remove()
	eventually(t, func() bool { return v.keys.set.Load() != old })
	if n := requestsTo(w, metadataPath); n != 1 {
		t.Errorf("the metadata was requested %d times", n)
	}
	c.advance(keysMaxAge - time.Second)
	if set := v.keys.trusted(c.Now()); set == nil {
		t.Error("the renewed keys are too old")
	}
}
