package caddymodule

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestOAuthVerify(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "oauth verify")
	sign := func(claims map[string]any) string { return workspace.SignJWT(claims) }
	foreign := fakeworkspace.New()
	if err := foreign.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(foreign.Close)
	pat := h.mint("jobs")
	for _, test := range []struct {
		name, token, path string
		status            int
		reason            string
	}{
		{"all-apis", sign(map[string]any{"scope": "all-apis"}), clustersList, 200, "permitted"},
		{"its scope", sign(map[string]any{"scope": "jobs offline_access"}), jobsList, 200, "permitted"},
		{"another scope", sign(map[string]any{"scope": "jobs"}), clustersList, 403, "missing_scope"},
		{"who am I", sign(map[string]any{"scope": "jobs"}), me, 200, "permitted"},
		{"no scope is no permission", sign(map[string]any{"scope": nil}), jobsList, 403, "unknown_token"},
		{"log-in scopes are no permission", sign(map[string]any{"scope": "openid email"}), jobsList, 403, "unknown_token"},
		{"expired", sign(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), jobsList, 403, "token_expired"},
		{"of another workspace", foreign.SignJWT(nil), jobsList, 403, "unknown_token"},
		{"signature changed", sign(nil)[:len(sign(nil))-8] + "AAAAAAAA", jobsList, 403, "unknown_token"},
		{"personal tokens as ever", pat.Value, jobsList, 200, "permitted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(h.readRecords(t))
			got := h.send(t, "GET", test.path, bearer(test.token))
			record := h.records(t, before+1)[before]
			if got.status != test.status || record["reason"] != test.reason || record["token_id"] == "" {
				t.Errorf("status %d, record %v", got.status, record)
			}
		})
	}
}

func TestOAuthVerifyInAnOutage(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "oauth verify\nlookup {\ntimeout 1s\n}")
	workspace.Faults().Set("/oidc/", fakeworkspace.Unavailable("2"))
	got := h.send(t, "GET", jobsList, bearer(workspace.SignJWT(nil)))
	if got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d", got.status)
	}
}
