package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

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
	token := harness.LegacyToken(g.Workspace)
	for name, client := range map[string]*http.Client{"HTTP/1.1": harness.Client(t), "HTTP/2": harness.ClientH2C(t)} {
		t.Run(name, func(t *testing.T) {
			file := "/Volumes/main/default/v/" + name[5:6]
			body, more := io.Pipe()
			defer more.Close()
			go func() {
				for {
					if _, err := more.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
						return
					}
				}
			}()
			answered := make(chan harness.Answer, 1)
			request := harness.NewRequest(t, "PUT", g.URL+"/api/2.0/fs/files"+file, token, body)
			go func() { answered <- harness.Do(t, client, request) }()
			harness.WaitFor(t, "the upload to begin", func() bool {
				received, _ := g.Workspace.Uploading(file)
				return received > 0
			})
			network.Reset()
			(<-answered).Refused(t, http.StatusServiceUnavailable, "upstream_unavailable")
		})
	}
}
