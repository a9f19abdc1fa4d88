package manifests_test

import (
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// observe is the line of the Caddyfiles that they say to drop.
const observe = "\t\tmode observe\n"

// secrets has a value for everything that docs/kubernetes.md tells an operator to make.
func secrets(t *testing.T, id, secret string) (map[string]string, *fleettest.Certificates) {
	t.Helper()
	authority := fleettest.NewCertificates(t)
	certificate, key := authority.Issue(t, "scopegate")
	root := string(readFile(t, authority.RootFile()))
	return map[string]string{
		"scopegate/client-id":       id,
		"scopegate/client-secret":   secret,
		"scopegate/fleet-key":       base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"scopegate/redis-password":  "redis",
		"scopegate-tls/tls.crt":     string(readFile(t, certificate)),
		"scopegate-tls/tls.key":     string(readFile(t, key)),
		"scopegate-ca/ca.crt":       root,
		"scopegate-redis-ca/ca.crt": root,
		"kube-root-ca.crt/ca.crt":   root,
		"token/scopegate":           "a token of the edge's service account",
		"token/":                    "a token for the API server",
	}, authority
}

// environment returns a container's variables.
func environment(t *testing.T, m *machine, c container, overlay string) (env []string) {
	t.Helper()
	values := literals(t, path.Join(overlay, "kustomization.yaml"))
	for _, variable := range c.Env {
		value := variable.Value
		if ref := variable.ValueFrom.ConfigMapKeyRef; ref.Name != "" {
			var ok bool
			if value, ok = values[ref.Key]; !ok || ref.Name != "scopegate" {
				t.Errorf("%s is of the ConfigMap %s, which has no %s", variable.Name, ref.Name, ref.Key)
			}
		}
		env = append(env, variable.Name+"="+m.text.Replace(value))
	}
	return env
}

// TestCaddyfiles validates each with the files that its container has, and no others.
func TestCaddyfiles(t *testing.T) {
	t.Parallel()
	for _, test := range gateways {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gateway, pod := gatewayOf(t, test.file, test.native)
			content, _ := secrets(t, "id", "secret")
			m := newMachine(t, gateway, pod, string(readFile(t, path.Join(test.overlay, "Caddyfile"))), content)
			command := exec.Command("scopegate", "adapt", "--validate", "--config", m.root+"/etc/scopegate/Caddyfile")
			command.Env = append(processtest.Environment(t), environment(t, m, gateway, test.overlay)...)
			if output, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// TestStart runs the containers' own command lines against a workspace, and asks what
// the kubelet, Prometheus and a client would.
func TestStart(t *testing.T) {
	t.Parallel()
	for _, test := range gateways {
		if test.name == "edge" || test.name == "authority" {
			continue // they need each other: TestEdge
		}
		for _, mode := range []string{"observe", "enforce"} {
			t.Run(test.name+" "+mode, func(t *testing.T) {
				t.Parallel()
				workspace := fakeworkspace.New()
				if err := workspace.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(workspace.Close)
				id, secret := workspace.AdminClient()
				content, authority := secrets(t, id, secret)
				gateway, pod := gatewayOf(t, test.file, test.native)
				caddyfile := string(readFile(t, path.Join(test.overlay, "Caddyfile")))
				if mode == "enforce" {
					if !strings.Contains(caddyfile, observe) {
						t.Fatal("the Caddyfile does not observe")
					}
					caddyfile = strings.Replace(caddyfile, observe, "", 1)
				}
				m := newMachine(t, gateway, pod, caddyfile, content)
				p := launch(t, m, gateway, test.overlay, workspace.URL())
				m.awaitProbes(t, p, gateway)

				token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}}
				want := map[string]int{"/api/2.2/jobs/list": 200, "/api/2.1/clusters/list": map[string]int{"observe": 200, "enforce": 403}[mode]}
				for call, status := range want {
					if got, body := get(t, client, m.proxied(t)+call, token.Value); got != status {
						t.Errorf("%s: %d %s, want %d", call, got, body, status)
					}
				}
				if status, body := get(t, client, "http://"+m.ports[9180]+"/metrics", ""); status != 200 || !strings.Contains(body, "scopegate_ready") {
					t.Errorf("metrics: %d", status)
				}
				log := p.AwaitLog(t, token.Info.TokenId) // records are written behind
				if strings.Contains(log, token.Value) || strings.Contains(log, secret) {
					t.Error("a secret is in the log")
				}
			})
		}
	}
}

// launch starts a container's command line.
func launch(t *testing.T, m *machine, c container, overlay, workspace string) *processtest.Process {
	t.Helper()
	if len(c.Command) != 0 {
		t.Fatal("the container replaces the image's entry point")
	}
	var args []string
	for _, arg := range c.Args {
		args = append(args, m.text.Replace(arg))
	}
	env := append(environment(t, m, c, overlay), "DATABRICKS_HOST="+workspace) // the last one counts
	return processtest.Start(t, m.ports[8081], env, "scopegate", args...)
}

// awaitProbes asks as the kubelet does, until all probes succeed.
func (m *machine) awaitProbes(t *testing.T, p *processtest.Process, c container) {
	t.Helper()
	for name, probe := range map[string]*probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
		for _, port := range c.Ports {
			if port.Name != probe.HTTPGet.Port {
				continue
			}
			p.Await(t, name+" probe that succeeds", func() bool {
				status, _ := get(t, http.DefaultClient, "http://"+m.ports[port.ContainerPort]+probe.HTTPGet.Path, "")
				return status == 200
			})
		}
	}
}

// proxied returns the URL for clients.
func (m *machine) proxied(t *testing.T) string {
	t.Helper()
	if address, ok := m.ports[8443]; ok {
		return "https://" + address
	}
	// What the client's manifest says must lead there.
	for _, variable := range readWorkload(t, "client/client.yaml").Spec.Template.Spec.Containers[0].Env {
		if variable.Name == "DATABRICKS_HOST" {
			host, err := url.Parse(variable.Value)
			if err != nil || host.Host != "127.0.0.1:8080" {
				t.Fatalf("the client calls %s", variable.Value)
			}
		}
	}
	return "http://" + m.ports[8080]
}

func get(t *testing.T, client *http.Client, target, token string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
