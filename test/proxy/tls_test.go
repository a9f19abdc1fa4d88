package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/iam"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// startSecureGateway runs databricks_gateway in front of a workspace that speaks TLS, as
// real ones do. The test only adds the workspace's CA to the configuration.
func startSecureGateway(t testing.TB) *harness.Gateway {
	t.Helper()
	return secureGatewayTo(t, "", nil)
}

// secureGatewayTo is [startSecureGateway], but sends the requests that pass to another
// address, unless that is empty, where a certificate of the given authority is shown.
func secureGatewayTo(t testing.TB, address string, pemAuthority []byte) *harness.Gateway {
	t.Helper()
	w := fakeworkspace.New()
	if err := w.StartTLS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	harness.SetAdmin(t, w)

	// Look-ups clone the default transport.
	usual := http.DefaultTransport
	trusting := usual.(*http.Transport).Clone()
	trusting.TLSClientConfig = &tls.Config{RootCAs: w.CAPool()}
	http.DefaultTransport = trusting
	t.Cleanup(func() { http.DefaultTransport = usual })

	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, append(w.CAPEM(), pemAuthority...), 0o600); err != nil {
		t.Fatal(err)
	}
	g := harness.NewGateway(t, w)
	g.Change = func(config []byte) []byte {
		before := []byte(`"tls":{"server_name":"127.0.0.1"}`)
		after := fmt.Appendf(nil, `"tls":{"server_name":"127.0.0.1","ca":{"provider":"file","pem_files":[%q]}}`, authority)
		if bytes.Count(config, before) != 1 {
			t.Fatalf("no place for the certificate authority in %s", config)
		}
		config = bytes.Replace(config, before, after, 1)
		if address == "" {
			return config
		}
		return redialed(t, config, strings.TrimPrefix(w.TLSURL(), "https://"), address)
	}
	g.Load(t, fmt.Sprintf("databricks_gateway %s {\nusage off\n%s}", w.TLSURL(), harness.AdminBlock))
	return g
}

func TestTLS(t *testing.T) {
	g := startSecureGateway(t)
	client := sdkClient(t, g, harness.LegacyToken(g.Workspace))
	if _, err := client.CurrentUser.Me(t.Context(), iam.MeRequest{}); err != nil {
		t.Fatal(err)
	}
	got := harness.OnlyArrival(t, g.Workspace)
	if got.Proto != "HTTP/2.0" || got.Host != strings.TrimPrefix(g.Workspace.TLSURL(), "https://") {
		t.Errorf("arrived over %s for %s", got.Proto, got.Host)
	}
	refused := harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", g.URL+"/api/2.2/jobs/list", harness.RevokedToken(g.Workspace), nil))
	refused.Refused(t, 403, "unknown_token")
}

// databricks_gateway speaks HTTP/2 to the workspace, which gRPC requires.
func TestTLSGRPC(t *testing.T) {
	g := startSecureGateway(t)
	sparkCalls(t, g.Workspace, dialGRPC(t, g))
}

// Caddy cannot forward WebSockets over HTTP/2, so the gateway must use HTTP/1.1 for them.
func TestTLSWebSocket(t *testing.T) {
	g := startSecureGateway(t)
	webSocketEchoes(t, g)
	if got := harness.OnlyArrival(t, g.Workspace).Proto; got != "HTTP/1.1" {
		t.Errorf("arrived over %s", got)
	}
}
