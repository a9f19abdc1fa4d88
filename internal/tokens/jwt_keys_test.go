package tokens

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
)

// TestJWTCrowd: a hundred first callers make one round of questions.
func TestJWTCrowd(t *testing.T) {
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
		if n := asked(w, path); n != 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
	if n := v.verified.Len(); n != len(raws) {
		t.Errorf("%d tokens are remembered", n)
	}
	// Whoever looked before the keys came and asks only now asks for nothing.
	if set, err := v.keys.fetch(nil); err != nil || set != v.keys.set.Load() || asked(w, keysPath) != 1 {
		t.Errorf("a latecomer fetched the keys again, error %v", err)
	}
	for range rotationBurst + 1 {
		if _, err := v.keys.rotate(nil); err != nil {
			t.Errorf("a latecomer used up a fetch: %v", err)
		}
	}
}

// TestJWTCallerLeaves: the fetch goes on for the others.
func TestJWTCallerLeaves(t *testing.T) {
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

func TestJWTCloseEndsFetches(t *testing.T) {
	c := newClock()
	w := startIssuer(t, c)
	v := NewVerifier(w.URL(), time.Minute, WithVerifierClock(c.Now))
	hang := w.Faults().Set("/oidc/", fakeworkspace.Hang())
	got := make(chan error, 1)
	go func() {
		_, err := v.Verify(t.Context(), w.SignJWT(nil))
		got <- err
	}()
	eventually(t, func() bool { return hang.Hits() == 1 })
	v.Close()
	outage(t, <-got, Closed)
	_, err := v.Verify(t.Context(), w.SignJWT(nil))
	outage(t, err, Closed)
}

func TestJWTNothingIsAskedBeforeItIsNeeded(t *testing.T) {
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
		checkError(t, err, ErrInvalidJWT, raw)
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("the workspace was asked %d times", n)
	}
}

func TestJWTIsRemembered(t *testing.T) {
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
		t.Errorf("verified anew, error %v", err)
	}
	c.advance(time.Second)
	_, err = v.Verify(t.Context(), raw)
	checkError(t, err, ErrExpiredJWT, raw)
	if n := asked(w, keysPath); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
}

func TestJWTRotation(t *testing.T) {
	type step struct {
		name   string
		do     func(w *fakeworkspace.Workspace, c *clock)
		signer int // whose token is presented: of the first key, the second, ...
		want   error
		fetch  int // of keys, in all
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
			{"third, in the same moment", rotate(false), 2, nil, 3},
		}},
		{"a withdrawn key is noticed within five minutes", []step{
			{"first", nil, 0, nil, 1},
			{"first, still believed", rotate(true), 0, nil, 1},
			{"first, long after", pass(keysMaxAge), 0, ErrInvalidJWT, 3},
			{"first, again", nil, 0, ErrInvalidJWT, 3},
			{"second", nil, 1, nil, 3},
		}},
		{"a withdrawn key is noticed with the first token of the next", []step{
			{"first", nil, 0, nil, 1},
			{"second", rotate(true), 1, nil, 2},
			{"first, which was remembered", nil, 0, ErrInvalidJWT, 3},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClock()
			w := startIssuer(t, c)
			v := newTestVerifier(t, w.URL(), c)
			tokens := []string{w.SignJWT(nil)}
			for _, step := range test.steps {
				_, before := w.SigningKey()
				if step.do != nil {
					step.do(w, c)
				}
				if _, now := w.SigningKey(); now != before {
					tokens = append(tokens, w.SignJWT(nil))
				}
				_, err := v.Verify(t.Context(), tokens[step.signer])
				if !errors.Is(err, step.want) {
					t.Fatalf("%s: error %v, want %v", step.name, err, step.want)
				}
				if n := asked(w, keysPath); n != step.fetch {
					t.Fatalf("%s: keys were fetched %d times, want %d", step.name, n, step.fetch)
				}
			}
		})
	}
}

// TestJWTInventedKeyIDs: a flood of them costs the workspace next to nothing, and
// leaves good tokens alone.
func TestJWTInventedKeyIDs(t *testing.T) {
	c := newClock()
	w := startIssuer(t, c)
	v := newTestVerifier(t, w.URL(), c)
	claims := goodClaims(w, c)
	invent := func(kid string) string { return forge(changes{"alg": "RS256", "kid": kid}, claims, nil) }
	good := w.SignJWT(nil)
	var invalid, unavailable int
	for i := range 2000 {
		_, err := v.Verify(t.Context(), invent(fmt.Sprintf("invented-%d", i)))
		var out *UnavailableError
		switch {
		case errors.Is(err, ErrInvalidJWT):
			invalid++
		case errors.As(err, &out) && out.Outage == Overloaded && out.RetryAfter > 0:
			unavailable++
		default:
			t.Fatalf("error %v", err)
		}
		if _, err := v.Verify(t.Context(), good); err != nil {
			t.Fatalf("a good token in the flood: %v", err)
		}
	}
	if invalid != rotationBurst || unavailable != 2000-rotationBurst {
		t.Errorf("%d invalid, %d unavailable", invalid, unavailable)
	}
	if n := asked(w, keysPath); n != 1+rotationBurst {
		t.Errorf("keys were fetched %d times", n)
	}
	// What was looked for in vain is known to be nobody's; after a while it may
	// have become somebody's.
	_, err := v.Verify(t.Context(), invent("invented-0"))
	checkError(t, err, ErrInvalidJWT, "")
	c.advance(rotationInterval)
	w.RotateKey(false)
	if _, err := v.Verify(t.Context(), w.SignJWT(nil)); err != nil {
		t.Errorf("a new key after the flood: %v", err)
	}
	if n := asked(w, keysPath); n != 2+rotationBurst {
		t.Errorf("keys were fetched %d times", n)
	}
	if n := v.keys.absent.Len(); n > maxAbsent {
		t.Errorf("%d key ids are remembered", n)
	}
}

// TestJWTOutageLater: what was good goes on while the keys are believed, and not
// longer.
func TestJWTOutageLater(t *testing.T) {
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
		t.Fatalf("remembered, in an outage: %v", err)
	}
	fresh := w.SignJWT(changes{"jti": "2"})
	if _, err := v.Verify(t.Context(), fresh); err != nil {
		t.Fatalf("new, in an outage: %v", err)
	}
	eventually(t, func() bool { return down.Hits() > 0 })
	c.advance(time.Second)
	eventually(t, func() bool { // the renewal in the background ends first
		_, err := v.Verify(t.Context(), raw)
		var out *UnavailableError
		return errors.As(err, &out) && out.Outage == Paused && out.RetryAfter > 0
	})
	if n := down.Hits(); n > breakerTrip {
		t.Errorf("the workspace was asked %d times while it was down", n)
	}
	down.Remove()
	c.advance(breakerFirstPause)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

// TestJWTKeysAreRenewedAhead: nobody waits for keys of a workspace in use.
func TestJWTKeysAreRenewedAhead(t *testing.T) {
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
	if n := asked(w, metadataPath); n != 1 {
		t.Errorf("the metadata was asked for %d times", n)
	}
	c.advance(keysMaxAge - time.Second)
	if set := v.keys.young(c.Now()); set == nil {
		t.Error("the renewed keys are old")
	}
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen")
}
