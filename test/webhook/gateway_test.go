package webhook_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/internal/webhook"
)

// TestGatewayRuns runs the container that the webhook adds, as a process: its arguments
// and variables make a gateway that signs in, gets ready and judges.
func TestGatewayRuns(t *testing.T) {
	t.Parallel()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	id, secret := workspace.AdminClient()
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	file := filepath.Join(t.TempDir(), "databrickscfg")
	write(t, file, fmt.Sprintf("[DEFAULT]\nhost = %s\nclient_id = %s\nclient_secret = %s\n", workspace.URL(), id, secret))
	// What Kubernetes takes from the Secret.
	values := map[string]string{"client-id": id, "client-secret": secret}
	for name, credential := range map[string]string{
		"variables": "{name: admin, clientID: client-id, clientSecret: client-secret}",
		"file":      "{name: admin, configFile: databrickscfg}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen, health := processtest.FreeAddress(t), processtest.FreeAddress(t)
			w := start(t, newFiles(t, fmt.Sprintf("image: i\nworkspace: %s\ncredential: {secret: %s}\nports: {proxy: %s, health: %s}\n",
				workspace.URL(), credential, port(t, listen), port(t, health))), webhook.Deny)
			review := read(t, "secret-plain.review.json")
			var pod struct {
				Spec struct {
					Containers     []container
					InitContainers []container
				}
			}
			if err := json.Unmarshal(patch(t, podOf(t, review), w.post(t, review).Response.Patch), &pod); err != nil {
				t.Fatal(err)
			}
			gateway := pod.Spec.InitContainers[0]
			var env []string
			for _, e := range gateway.Env {
				switch {
				case e.Value == "/etc/scopegate/credentials/databrickscfg":
					e.Value = file // where Kubernetes mounts it
				case e.ValueFrom.SecretKeyRef.Key != "":
					e.Value = values[e.ValueFrom.SecretKeyRef.Key]
				}
				env = append(env, e.Name+"="+e.Value)
			}
			p := processtest.Start(t, listen, env, filepath.Base(gateway.Command[0]), gateway.Args...)
			p.Await(t, "the startup probe", func() bool {
				response, err := http.Get("http://" + health + "/readyz")
				if err != nil {
					return false
				}
				_ = response.Body.Close()
				return response.StatusCode == http.StatusOK
			})
			p.URL = pod.Spec.Containers[0].Env[0].Value // DATABRICKS_HOST
			if status, _, body := p.Get(t, "/api/2.2/jobs/list", token.Value); status != http.StatusOK {
				t.Errorf("permitted: %d %s", status, body)
			}
			if status, _, body := p.Get(t, "/api/2.1/clusters/list", token.Value); status != http.StatusForbidden || !strings.Contains(body, "required scopes") {
				t.Errorf("refused: %d %s", status, body)
			}
		})
	}
}

type container struct {
	Command, Args []string
	Env           []struct {
		Name, Value string
		ValueFrom   struct{ SecretKeyRef struct{ Key string } }
	}
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
