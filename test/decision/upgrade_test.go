package decision

import (
	"net/http"
	"testing"
)

// TestUpgrade: only WebSocket leaves a Caddy that asks, and not for a path that needs no token:
// after another upgrade, and there, nothing would be judged.
func TestUpgrade(t *testing.T) {
	p := startCaddy(t, nil)
	for _, test := range []struct {
		path, upgrade, token string
		arrives              bool
	}{
		{files, "websocket", "{files}", true},
		{files, "h2c", "{files}", true}, // the shipped file takes it off
		{files, "other", "{files}", true},
		{files, "websocket, h2c", "{files}", true},
		{"/oidc/v1/token", "websocket", "", false},
		{"/oidc/v1/token", "h2c", "", true},
	} {
		t.Run(test.upgrade+" "+test.path, func(t *testing.T) {
			text := "GET " + test.path + " HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: " + test.upgrade + "\r\n"
			if test.token != "" {
				text += "Authorization: Bearer " + test.token + "\r\n"
			}
			before := len(p.Workspace.Requests())
			p.exchange(t, text+"\r\n", 1)
			arrived := p.Workspace.Requests()[before:]
			if (len(arrived) == 1) != test.arrives {
				t.Fatalf("%d arrived", len(arrived))
			}
			for _, got := range arrived {
				if value := got.Header.Get("Upgrade"); value != "" && value != "websocket" {
					t.Errorf("arrived with %q", value)
				}
			}
		})
	}
}

// TestUpgradeLeft: a proxy that leaves one is refused.
func TestUpgradeLeft(t *testing.T) {
	r := start(t, "")
	for _, upgrade := range []string{"h2c", "other"} {
		a := r.ask(t, "/decide", r.files, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", files, "Connection", "Upgrade", "Upgrade", upgrade)
		a.Refused(t, http.StatusBadRequest, "ambiguous_request")
	}
}
