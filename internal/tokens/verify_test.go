package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// hide makes a workspace answer look-ups of hidden tokens as if they did not exist. It
// does not affect lists and changes.
func hide(workspace *fakeworkspace.Workspace, hidden func(id string) bool) {
	workspace.Handle("GET /api/2.0/token-management/tokens/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		info, found := workspace.Info(r.PathValue("id"))
		if !found || hidden(info.TokenId) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No valid token found."}`)
			return
		}
		_ = json.NewEncoder(w).Encode(settings.GetTokenResponse{TokenInfo: &info})
	}))
}

func TestServiceProvesIDRule(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{})
	var broken atomic.Bool
	own := IDOf(workspace.AdminToken()).String()
	hide(workspace, func(id string) bool { return broken.Load() && id == own })

	c, seen := newClock(), new(recorder)
	r := newResolver(NewService(workspace.URL(), Admin{Token: given(workspace.AdminToken())}, quick.Timeout), quick,
		WithClock(c.Now), WithObserver(seen), withJitter(never))
	t.Cleanup(r.Close)

	broken.Store(true)
	for range 3 {
		_, err := r.Resolve(t.Context(), IDOf(token.Value), fresh)
		var outage *UnavailableError
		if !errors.As(err, &outage) || outage.Outage != IDRuleBroken && outage.Outage != Paused {
			t.Fatalf("got %v, want %s", err, IDRuleBroken)
		}
		if !strings.Contains(err.Error(), "scopes verify") {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
	if lookups, changes, _ := seen.take(); len(lookups) != 1 || len(changes) != 1 || changes[0] != IDRuleBroken {
		t.Errorf("%d look-ups, changed to %q", len(lookups), changes)
	}
	broken.Store(false)
	c.advance(breakerFirstPause)
	if _, err := r.Resolve(t.Context(), IDOf(token.Value), fresh); err != nil {
		t.Errorf("once the rule holds again: %v", err)
	}
	if got := r.WorkspaceID(); got != workspace.WorkspaceID() {
		t.Errorf("workspace %d, want %d", got, workspace.WorkspaceID())
	}

	// The proof is made once, not for every look-up.
	workspace.Reset()
	for i := range 3 {
		_, _ = r.Resolve(t.Context(), garbage(i), fresh)
	}
	if got := workspace.Lookups(); got != 3 {
		t.Errorf("%d requests for 3 look-ups", got)
	}
}

// TestServiceProofNeedsAnAnswer checks that an outage neither proves nor disproves the ID
// rule.
func TestServiceProofNeedsAnAnswer(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{})
	d := startService(t, workspace.URL(), Admin{Token: given(workspace.AdminToken())}, 5*time.Second)
	workspace.Faults().Set(managementAPI, fakeworkspace.InternalError(), fakeworkspace.Times(1))
	_, err := d.Lookup(t.Context(), Query{ID: IDOf(token.Value)})
	var outage *UnavailableError
	if !errors.As(err, &outage) || outage.Outage != ServerError {
		t.Fatalf("got %v, want %s", err, ServerError)
	}
	if _, err := d.Lookup(t.Context(), Query{ID: IDOf(token.Value)}); err != nil {
		t.Error(err)
	}
	if got := workspace.Lookups(); got != 3 {
		t.Errorf("%d requests, want the failed proof, the proof and the look-up", got)
	}
}

// minted returns the IDs of all tokens except the admin's.
func minted(t *testing.T, workspace *fakeworkspace.Workspace) (ids []ID) {
	t.Helper()
	list, _, err := startService(t, workspace.URL(), m2m(workspace), 5*time.Second).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		if info.ID != IDOf(workspace.AdminToken()) {
			ids = append(ids, info.ID)
		}
	}
	return ids
}

func TestVerify(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	robot := workspace.AddServicePrincipal("robot", false)
	for _, test := range []struct {
		name  string
		admin Admin
	}{
		{"service principal", m2m(workspace)},
		{"personal access token", Admin{Token: given(workspace.AdminToken())}},
	} {
		t.Run(test.name, func(t *testing.T) {
			report, err := Verify(t.Context(), workspace.URL(), test.admin, VerifyOptions{ApplicationID: robot.ApplicationID})
			if err != nil {
				t.Fatal(err)
			}
			if report.WorkspaceID != workspace.WorkspaceID() {
				t.Errorf("workspace %d", report.WorkspaceID)
			}
			for name, proof := range map[string]*TokenProof{"own": report.Own, "on behalf": report.OnBehalf} {
				if proof == nil || !proof.proven() || !proof.WorkspaceIDFits || !proof.Deleted || proof.Suffixed {
					t.Errorf("%s: %+v", name, proof)
					continue
				}
				if life, _ := proof.Info.Lifetime(); life != verifyLifetime {
					t.Errorf("%s: the token lived %s", name, life)
				}
			}
			if report.OnBehalf.Info.Owner == report.Own.Info.Owner {
				t.Error("the token on behalf of a service principal belongs to the admin")
			}
			if report.ListErr != nil || report.List.Tokens != 1 || report.List.UnknownExpiry != 0 || len(report.List.Unusable) != 0 {
				t.Errorf("the list: %+v, %v", report.List, report.ListErr)
			}
			if left := minted(t, workspace); len(left) > 0 {
				t.Errorf("%d tokens are left", len(left))
			}
		})
	}
}

// TestVerifyCounts: tokens that no gateway would judge are counted; a list that cannot be
// had does not make the proof fail.
func TestVerifyCounts(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	list := func(body string) *fakeworkspace.Fault {
		return workspace.Faults().Set(managementAPI+"tokens", fakeworkspace.Respond(200, "application/json", body), fakeworkspace.Exactly())
	}
	of := func(n int, changes ...string) string {
		return answerFacts(append(changes, `token_id: "`+garbage(n).String()+`"`)...)
	}
	fault := list(`{"token_infos":[` + strings.Join([]string{
		of(1), of(2, "expiry_time: 0"), of(3, "expiry_time: "), of(4, "expiry_time: -7"), of(5, "expiry_time: -1"), of(6, "scopes: null"), of(7, "owner_id: -1"),
	}, ",") + `]}`)
	report, err := Verify(t.Context(), workspace.URL(), m2m(workspace), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := report.List; got == nil || got.Tokens != 7 || got.UnknownExpiry != 3 || got.Unusable[WrongType] != 1 || got.Unusable[OutOfRange] != 1 {
		t.Errorf("%+v, %v", got, report.ListErr)
	}
	fault.Remove()
	list(`{"token_infos":null}`)
	if report, err = Verify(t.Context(), workspace.URL(), m2m(workspace), VerifyOptions{}); err != nil || report.List != nil || report.ListErr == nil {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestVerifyFailures(t *testing.T) {
	t.Parallel()
	const value = "dapi00112233445566778899aabbccddeeff-3"
	// create mints tokens whose ID is the hash of another text.
	create := func(workspace *fakeworkspace.Workspace, hashed string) {
		workspace.Handle("POST /api/2.0/token/create", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token := workspace.Mint(fakeworkspace.TokenSpec{Value: hashed, Lifetime: time.Minute})
			_ = json.NewEncoder(w).Encode(settings.CreateTokenResponse{
				TokenInfo: &settings.PublicTokenInfo{TokenId: token.Info.TokenId}, TokenValue: value,
			})
		}))
	}
	for _, test := range []struct {
		name  string
		with  func(*fakeworkspace.Workspace)
		app   string
		want  Outage // empty for another error
		check func(t *testing.T, report VerifyReport)
	}{
		{"the id is the hash of something else", func(w *fakeworkspace.Workspace) { create(w, "dapi-something-else") }, "", IDRuleBroken,
			func(t *testing.T, report VerifyReport) {
				if p := report.Own; p.IDIsHash || p.IDIsHashWithoutSuffix || p.Found || !p.Deleted || !p.Suffixed {
					t.Errorf("%+v", p)
				}
			}},
		{"the id is the hash without the suffix", func(w *fakeworkspace.Workspace) { create(w, strings.TrimSuffix(value, "-3")) }, "", IDRuleBroken,
			func(t *testing.T, report VerifyReport) {
				if p := report.Own; p.IDIsHash || !p.IDIsHashWithoutSuffix || p.Found || !p.Deleted {
					t.Errorf("%+v", p)
				}
			}},
		{"the token is not found", func(w *fakeworkspace.Workspace) { hide(w, func(string) bool { return true }) }, "", IDRuleBroken,
			func(t *testing.T, report VerifyReport) {
				if p := report.Own; !p.IDIsHash || p.Found || !p.Deleted {
					t.Errorf("%+v", p)
				}
			}},
		{"the look-up fails", func(w *fakeworkspace.Workspace) {
			w.Faults().Set(managementAPI, fakeworkspace.InternalError(), fakeworkspace.OnMethod("GET"))
		}, "", ServerError, func(t *testing.T, report VerifyReport) {
			if p := report.Own; p == nil || !p.Deleted {
				t.Errorf("%+v", p)
			}
		}},
		{"minting is refused", func(w *fakeworkspace.Workspace) {
			w.Faults().Set("/api/2.0/token/create", fakeworkspace.Refuse(403, "PERMISSION_DENIED", "Tokens may not be made here."))
		}, "", Rejected, nil},
		{"the service principal does not exist", func(*fakeworkspace.Workspace) {}, "6f9a0d5e-0000-0000-0000-000000000000", "", func(t *testing.T, report VerifyReport) {
			if report.Own == nil || !report.Own.proven() || report.OnBehalf != nil {
				t.Errorf("%+v", report)
			}
		}},
		{"it cannot be deleted", func(w *fakeworkspace.Workspace) {
			w.Faults().Set(managementAPI, fakeworkspace.InternalError(), fakeworkspace.OnMethod("DELETE"))
			create(w, value)
		}, "none", "", func(t *testing.T, report VerifyReport) {
			if p := report.Own; !p.proven() || p.Deleted || !p.Suffixed {
				t.Errorf("%+v", p)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workspace := startWorkspace(t)
			test.with(workspace)
			report, err := Verify(t.Context(), workspace.URL(), m2m(workspace), VerifyOptions{ApplicationID: test.app, Patience: 50 * time.Millisecond})
			var outage *UnavailableError
			if err == nil || test.want != "" && (!errors.As(err, &outage) || outage.Outage != test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if test.check != nil {
				test.check(t, report)
			}
			if text := fmt.Sprintf("%+v %+v %v", report, report.Own, err); strings.Contains(text, "dapi00") {
				t.Errorf("the token is quoted: %s", text)
			}
			workspace.Faults().Clear()
			if left := minted(t, workspace); len(left) > 0 && !strings.Contains(test.name, "cannot be deleted") {
				t.Errorf("%d tokens are left", len(left))
			}
		})
	}
}

// TestVerifyCleansUp cancels the context between minting and deleting.
func TestVerifyCleansUp(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	ctx, giveUp := context.WithCancel(t.Context())
	hide(workspace, func(string) bool { giveUp(); return true })
	if _, err := Verify(ctx, workspace.URL(), m2m(workspace), VerifyOptions{}); !errors.Is(err, context.Canceled) && !isOutage(err) {
		t.Errorf("got %v", err)
	}
	if left := minted(t, workspace); len(left) > 0 {
		t.Errorf("%d tokens are left", len(left))
	}
}

// TestVerifyWaits has a workspace that finds a new token only after a while.
func TestVerifyWaits(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	var asked atomic.Int32
	hide(workspace, func(string) bool { return asked.Add(1) <= 2 })
	report, err := Verify(t.Context(), workspace.URL(), m2m(workspace), VerifyOptions{})
	if err != nil || report.Own.FoundAfter < verifyEvery {
		t.Errorf("found after %s, %v", report.Own.FoundAfter, err)
	}
}
