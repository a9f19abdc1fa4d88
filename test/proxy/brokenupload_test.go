package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

// TestUploadOverBrokenConnection: a client that uploads while the connection to the
// workspace breaks is told so, and not that its own request is wrong.
func TestUploadOverBrokenConnection(t *testing.T) {
	g := startSecureGateway(t)
	network := relay.Start(t, g.Workspace.TLSURL())
	trust := g.Change
	g.Change = func(config []byte) []byte {
		return redialed(t, trust(config), strings.TrimPrefix(g.Workspace.TLSURL(), "https://"), network.Addr())
	}
	g.Load(t, "databricks_gateway "+g.Workspace.TLSURL()+" {\nusage off\n"+harness.AdminBlock+"}")

	const file = "/Volumes/main/default/v/file"
	body, more := io.Pipe()
	defer more.Close()
	go func() { _, _ = io.WriteString(more, "the beginning") }()
	go func() {
		for received := int64(0); received == 0 && t.Context().Err() == nil; time.Sleep(time.Millisecond) {
			received, _ = g.Workspace.Uploading(file)
		}
		network.Reset()
	}()
	request := harness.NewRequest(t, "PUT", g.URL+"/api/2.0/fs/files"+file, harness.LegacyToken(g.Workspace), body)
	harness.Do(t, harness.ClientH2C(t), request).Refused(t, http.StatusServiceUnavailable, "upstream_unavailable")
}
