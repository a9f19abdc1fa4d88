package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// driverPath is the path to a port on a cluster's driver, as debugging and SSH clients
// use it.
func driverPath(w *fakeworkspace.Workspace) string {
	return fmt.Sprintf("/driver-proxy-api/o/%d/%s/7772/ssh", w.WorkspaceID(), fakeworkspace.RunningCluster)
}

// dialWebSocket opens a WebSocket through the gateway. The response is nil if there was
// none; otherwise its body has been read.
func dialWebSocket(ctx context.Context, g *harness.Gateway, client *http.Client, token string) (*websocket.Conn, *harness.Answer, error) {
	header := make(http.Header)
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, resp, err := websocket.Dial(ctx, g.URL+driverPath(g.Workspace), &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
	if err != nil && resp != nil {
		content, _ := io.ReadAll(resp.Body)
		return nil, &harness.Answer{Response: resp, Body: string(content)}, err
	}
	return conn, nil, err
}

func TestWebSocket(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	webSocketEchoes(t, g)
	g.Records(t, 1)
}

// webSocketEchoes sends and receives messages over a WebSocket, and closes it.
func webSocketEchoes(t *testing.T, g *harness.Gateway) {
	t.Helper()
	ctx := harness.Context(t)
	client := harness.Client(t)
	client.Timeout = 0 // a timeout would end the connection
	conn, _, err := dialWebSocket(ctx, g, client, harness.LegacyToken(g.Workspace))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(2 << 20)
	for _, tt := range []struct {
		name    string
		kind    websocket.MessageType
		message []byte
	}{
		{"text", websocket.MessageText, []byte("hello")},
		{"binary", websocket.MessageBinary, []byte{0, 1, 2, 0xff}},
		{"empty", websocket.MessageText, nil},
		{"large", websocket.MessageBinary, bytes.Repeat([]byte("large"), 200_000)},
		{"another", websocket.MessageText, []byte("still there")},
	} {
		if err := conn.Write(ctx, tt.kind, tt.message); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		kind, message, err := conn.Read(ctx)
		if err != nil || kind != tt.kind || !bytes.Equal(message, tt.message) {
			t.Fatalf("%s: %v, %d bytes, %v", tt.name, kind, len(message), err)
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("closing: %v", err)
	}
	harness.WaitFor(t, "the end of the connection at the workspace", func() bool { return harness.OnlyArrival(t, g.Workspace).Done })
	got := harness.OnlyArrival(t, g.Workspace)
	if got.Status != http.StatusSwitchingProtocols || !strings.EqualFold(got.Header.Get("Upgrade"), "websocket") {
		t.Errorf("status %d, upgrade %q", got.Status, got.Header.Get("Upgrade"))
	}
}

// Each side notices when the other drops the connection.
func TestWebSocketCut(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	client := harness.Client(t)
	client.Timeout = 0
	open := func(t *testing.T) *websocket.Conn {
		w.Reset()
		conn, _, err := dialWebSocket(harness.Context(t), g, client, token)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return conn
	}
	t.Run("by the client", func(t *testing.T) {
		if err := open(t).CloseNow(); err != nil {
			t.Fatal(err)
		}
		harness.WaitFor(t, "the end of the connection at the workspace", func() bool { return harness.OnlyArrival(t, w).Done })
	})
	t.Run("by the workspace", func(t *testing.T) {
		conn := open(t)
		w.Close()
		if _, _, err := conn.Read(harness.Context(t)); err == nil || harness.Context(t).Err() != nil {
			t.Errorf("reading: %v", err)
		}
	})
	g.Records(t, 2)
}

// A refused upgrade gets an ordinary response.
func TestWebSocketRefused(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	for _, tt := range []struct {
		name, token, reason string
		status              int
	}{
		{"revoked", harness.RevokedToken(w), "unknown_token", 403},
		{"missing scope", g.Mint("sql").Value, "missing_scope", 403},
		{"none", "", "missing_credential", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, answer, err := dialWebSocket(harness.Context(t), g, harness.Client(t), tt.token)
			if err == nil || answer == nil {
				t.Fatalf("not refused: %v", err)
			}
			answer.Refused(t, tt.status, tt.reason)
			if got := answer.Header.Get("Upgrade") + answer.Header.Get("Connection"); got != "" {
				t.Errorf("the refusal still has upgrade headers: %q", got)
			}
		})
	}
	if found := harness.Arrivals(w); len(found) != 0 {
		t.Errorf("%d requests reached the workspace", len(found))
	}
}

// WebSocket is the only upgrade that is forwarded. An upgrade to cleartext HTTP/2 would
// be a tunnel past every check, so the request is served without it.
func TestOtherUpgrades(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, tt := range []struct{ name, upgrade string }{
		{"h2c", "h2c"},
		{"h2c in upper case", "H2C"},
		{"one of several", "websocket, h2c"},
		{"anything", "anything/1.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			c := g.Dial(t)
			c.Send(t, "GET /api/2.0/serving-endpoints HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token,
				"Connection: Upgrade, HTTP2-Settings", "Upgrade: "+tt.upgrade, "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
			if answer := c.Answer(t, "GET"); answer.StatusCode != 200 || !strings.Contains(answer.Body, "endpoints") {
				t.Errorf("answered %d %s", answer.StatusCode, answer.Body)
			}
			got := harness.OnlyArrival(t, w)
			for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
				if value, sent := got.Header[name]; sent {
					t.Errorf("%s: %q was forwarded", name, value)
				}
			}
		})
	}
}
