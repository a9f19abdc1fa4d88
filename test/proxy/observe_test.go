package proxy

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// In mode observe the workspace gets exactly what the client sent, whatever the decision:
// a rehearsal must not change anything. Forwarding headers are the exception, see
// TestForwardingHeaders.
func TestObserveChangesNothing(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "mode observe")
	legacy, scoped, revoked := harness.LegacyToken(w), g.Mint("sql").Value, harness.RevokedToken(w)
	conflicting := []string{
		"Cookie: a=1; b=2", "Cookie~: c=3", "X-HTTP-Method-Override: DELETE", "X-Rewrite-URL: /api/2.0/clusters/list",
		"X-Databricks-Azure-SP-Management-Token: eyJ", "X-Databricks-GCP-SA-Access-Token: eyJ", "X-Api-Key: x",
	}
	const path = "/api/2.0/fs/files/Volumes/main/a%2Fb?b=2&a=1"
	for _, tt := range []struct {
		name, reason, target string
		lines                []string
	}{
		{"permitted", "permitted", path, []string{"Authorization: Bearer " + legacy}},
		{"basic", "permitted", path, []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("token:"+legacy))}},
		{"missing scope", "missing_scope", path, []string{"Authorization: Bearer " + scoped}},
		{"unknown", "unknown_token", path, []string{"Authorization: Bearer " + revoked}},
		{"none", "missing_credential", path, nil},
		{"unsupported", "unsupported_credential", path, []string{"Authorization: Negotiate abc"}},
		{"access token", "unsupported_credential", path, []string{"Authorization: Bearer " + w.SignJWT(nil)}},
		{"two", "ambiguous_request", path, []string{"Authorization: Bearer " + legacy, "Authorization: Bearer " + scoped}},
		{"malformed path", "malformed_path", "/api/2.0/fs/files/a%00b", []string{"Authorization: Bearer " + legacy}},
		{"public", "public_route", "/.well-known/databricks-config?", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			before := len(g.ReadRecords(t))
			lines := slices.Concat(tt.lines, conflicting)
			c := g.Dial(t)
			c.Send(t, slices.Concat([]string{"GET " + tt.target + " HTTP/1.1", "Host: " + g.Listen}, lines)...)
			if answer := c.Answer(t, "GET"); answer.Header.Get("X-Scopegate-Reason") != "" {
				t.Errorf("refused: %d %s", answer.StatusCode, answer.Body)
			}
			want := make(http.Header)
			for _, line := range lines {
				name, value, _ := strings.Cut(line, ": ")
				want.Add(name, value)
			}
			got := lastFrom(t, w, tt.target)
			if diff := cmp.Diff(want, sentHeaders(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("headers (-sent +arrived):\n%s", diff)
			}
			if got := g.Records(t, before+1)[before]["reason"]; got != tt.reason {
				t.Errorf("recorded %v, want %s: the case does not test what it says", got, tt.reason)
			}
		})
	}
}

// lastFrom returns the one request with this target.
func lastFrom(t testing.TB, w *fakeworkspace.Workspace, target string) fakeworkspace.Request {
	t.Helper()
	var found []fakeworkspace.Request
	for _, r := range w.Requests() {
		if r.URI == target {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d requests reached the workspace with the target %s, want 1", len(found), target)
	}
	return found[0]
}

// Upgrades that enforcement would remove are forwarded too.
func TestObserveUpgrade(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "mode observe")
	c := g.Dial(t)
	c.Send(t, "GET /api/2.0/serving-endpoints HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+harness.LegacyToken(w),
		"Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
	if answer := c.Answer(t, "GET"); answer.StatusCode != http.StatusOK {
		t.Errorf("answered %d %s", answer.StatusCode, answer.Body)
	}
	if got := harness.OnlyArrival(t, w).Header; got.Get("Upgrade") != "h2c" || got.Get("Http2-Settings") == "" {
		t.Errorf("arrived with %v", got)
	}
}

// Mode observe delays streams as little as mode enforce.
func TestObserveWebSocket(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "mode observe")
	webSocketEchoes(t, g)
	g.Records(t, 1)
}
