package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/iam"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestSidecarDiscovery: behind a sidecar a service principal signs in by the SDK although
// it can reach nothing else, but with --discovery pass it is led to the workspace.
func TestSidecarDiscovery(t *testing.T) {
	t.Parallel()
	const address = "http://ws.example.test"
	workspace := fakeworkspace.New(fakeworkspace.WithAddress(address))
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	id, secret := workspace.AdminClient()
	// Only the sidecar can reach the name, through a proxy that is the workspace itself.
	env := []string{
		"DATABRICKS_CLIENT_ID=" + id, "DATABRICKS_CLIENT_SECRET=" + secret,
		"HTTP_PROXY=" + workspace.URL(), "http_proxy=" + workspace.URL(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
	}
	for _, test := range []struct {
		name  string
		flags []string
		stays bool
	}{
		{"default", nil, true},
		{"rewrite", []string{"--discovery", "rewrite"}, true},
		{"pass", []string{"--discovery", "pass"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			listen := processtest.FreeAddress(t)
			args := append([]string{"sidecar", "--workspace", address, "--listen", listen, "--oauth", "verify", "--admin", "off", "--usage", "off"}, test.flags...)
			sidecar := processtest.Start(t, listen, env, "scopegate", args...)
			var mu sync.Mutex
			var elsewhere []string
			network := &http.Transport{DialContext: func(ctx context.Context, kind, to string) (net.Conn, error) {
				if to == listen {
					return new(net.Dialer).DialContext(ctx, kind, to)
				}
				mu.Lock()
				defer mu.Unlock()
				elsewhere = append(elsewhere, to)
				return nil, fmt.Errorf("%s is out of reach", to)
			}}
			t.Cleanup(network.CloseIdleConnections)
			client, err := databricks.NewWorkspaceClient(&databricks.Config{
				Host: sidecar.URL, ClientID: id, ClientSecret: secret, AuthType: "oauth-m2m", HTTPTransport: network, RetryTimeoutSeconds: 1,
				ConfigFile: filepath.Join(t.TempDir(), "none"), Loaders: []config.Loader{config.ConfigFile},
			})
			if err != nil {
				t.Fatal(err)
			}
			me, err := client.CurrentUser.Me(t.Context(), iam.MeRequest{})
			mu.Lock()
			defer mu.Unlock()
			if stayed := err == nil && me.UserName == id && len(elsewhere) == 0; stayed != test.stays {
				t.Errorf("%v; the client tried %q\n%s", err, elsewhere, sidecar.Log)
			}
			if !test.stays && !slices.Contains(elsewhere, strings.TrimPrefix(address, "http://")+":80") {
				t.Errorf("the client tried %q", elsewhere)
			}
		})
	}
}
