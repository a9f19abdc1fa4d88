package caddymodule

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestOutageAndRecovery(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "lookup {\ntimeout 500ms\n}")
	token := h.mint("jobs")
	for _, test := range []struct {
		name  string
		fault fakeworkspace.Kind
		retry string
	}{
		{"throttled", fakeworkspace.TooManyRequests("2"), "2"},
		{"hanging", fakeworkspace.Hang(), "1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(h.readRecords(t))
			workspace.Faults().Set("/api/2.0/token-management/", test.fault)
			got := h.send(t, "GET", jobsList, bearer(token.Value))
			if got.status != 503 || got.header.Get("Retry-After") != test.retry {
				t.Fatalf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
			}
			checkRefusal(t, got, "directory_unavailable", "TEMPORARILY_UNAVAILABLE: Authentication is temporarily unavailable.")
			if record := h.records(t, before+1)[before]; record["detail"] == "" {
				t.Errorf("the record does not say why: %v", record)
			}
			workspace.Faults().Clear()
			deadline := time.Now().Add(20 * time.Second)
			for {
				other := h.mint("jobs") // nothing is known of it
				if h.send(t, "GET", jobsList, bearer(other.Value)).status == 200 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("no recovery")
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}
