package caddymodule

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/databricks/databricks-sdk-go/service/iam"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// startSecureGateway runs databricks_gateway in front of a workspace that speaks
// TLS, as all real ones do. Nothing but its certificate authority, which is not of
// this world, is put into the configuration by hand.
func startSecureGateway(t testing.TB) *harness {
	t.Helper()
	w := fakeworkspace.New()
	if err := w.StartTLS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	clientID, secret := w.AdminClient()
	t.Setenv("TEST_ADMIN_ID", clientID)
	t.Setenv("TEST_ADMIN_SECRET", secret)

	// Look-ups clone the default transport.
	usual := http.DefaultTransport
	trusting := usual.(*http.Transport).Clone()
	trusting.TLSClientConfig = &tls.Config{RootCAs: w.CAPool()}
	http.DefaultTransport = trusting
	t.Cleanup(func() { http.DefaultTransport = usual })

	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, w.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &harness{workspace: w, listen: freeAddress(t)}
	h.url = "http://" + h.listen
	config, err := adapt(fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	grace_period 2s
	log default {
		output discard
	}
	servers {
		protocols h1 h2 h2c
	}
}
http://%s {
	databricks_gateway %s {
		usage off
		%s
	}
}
`, h.listen, w.TLSURL(), adminBlock))
	if err != nil {
		t.Fatal(err)
	}
	before := []byte(`"tls":{"server_name":"127.0.0.1"}`)
	after := fmt.Appendf(nil, `"tls":{"server_name":"127.0.0.1","ca":{"provider":"file","pem_files":[%q]}}`, authority)
	if bytes.Count(config, before) != 1 {
		t.Fatalf("no place for the certificate authority in %s", config)
	}
	if err := caddy.Load(bytes.Replace(config, before, after, 1), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestProxyTLS(t *testing.T) {
	h := startSecureGateway(t)
	client := sdkClient(t, h, legacyToken(h.workspace))
	if _, err := client.CurrentUser.Me(t.Context(), iam.MeRequest{}); err != nil {
		t.Fatal(err)
	}
	got := onlyArrival(t, h.workspace)
	if got.Proto != "HTTP/2.0" || got.Host != strings.TrimPrefix(h.workspace.TLSURL(), "https://") {
		t.Errorf("arrived over %s for %s", got.Proto, got.Host)
	}
	refused := proxyDo(t, proxyClient(t), proxyRequest(t, "GET", h.url+"/api/2.2/jobs/list", revokedToken(h.workspace), nil))
	refused.refused(t, 403, "unknown_token")
}

// HTTP/2 to the workspace is what databricks_gateway needs for gRPC.
func TestProxyTLSGRPC(t *testing.T) {
	h := startSecureGateway(t)
	sparkCalls(t, h.workspace, dialGRPC(t, h))
}

// WebSockets do not exist in that HTTP/2: the gateway must speak HTTP/1.1 for them.
func TestProxyTLSWebSocket(t *testing.T) {
	h := startSecureGateway(t)
	webSocketEchoes(t, h)
	if got := onlyArrival(t, h.workspace).Proto; got != "HTTP/1.1" {
		t.Errorf("arrived over %s", got)
	}
}
