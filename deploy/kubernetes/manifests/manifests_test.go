package manifests_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
)

// TestMain makes this test binary serve as the command scopegate.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": gatewaycmd.Main})
}

// gateways are the overlays, and where the gateway's container of each is.
var gateways = []struct {
	name, overlay, file string
	native              bool // a native sidecar
}{
	{"sidecar", "overlays/sidecar", "components/sidecar/patch.yaml", true},
	{"edge", "overlays/edge", "components/edge/patch.yaml", true},
	{"standalone", "overlays/standalone/gateway", "overlays/standalone/gateway/deployment.yaml", false},
	{"authority", "overlays/authority", "overlays/authority/statefulset.yaml", false},
}

// gatewayOf returns the gateway's container and its pod.
func gatewayOf(t *testing.T, file string, native bool) (container, pod) {
	t.Helper()
	pod := readWorkload(t, file).Spec.Template.Spec
	in, other := pod.Containers, pod.InitContainers
	if native {
		in, other = other, in
	}
	if len(in) != 1 || len(other) != 0 || in[0].Name != "scopegate" {
		t.Fatalf("%s: containers %v and init containers %v", file, pod.Containers, pod.InitContainers)
	}
	return in[0], pod
}

func TestPods(t *testing.T) {
	t.Parallel()
	client := readWorkload(t, "client/client.yaml").Spec.Template.Spec.Containers[0]
	restricted(t, "client", client)
	for _, test := range gateways {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gateway, pod := gatewayOf(t, test.file, test.native)
			restricted(t, "gateway", gateway)
			if !gateway.SecurityContext.ReadOnlyRootFilesystem {
				t.Error("the root is writable")
			}
			if gateway.SecurityContext.RunAsUser == client.SecurityContext.RunAsUser {
				t.Error("gateway and client are the same user")
			}
			if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
				t.Error("automountServiceAccountToken is not false")
			}
			if pod.HostNetwork || pod.HostPID || pod.HostIPC || pod.ShareProcessNamespace {
				t.Error("the pod shares namespaces of the host, or its containers processes")
			}
			if want := map[bool]string{true: "Always"}[test.native]; gateway.RestartPolicy != want {
				t.Errorf("restartPolicy of the container %q, want %q", gateway.RestartPolicy, want)
			}
			if pod.TerminationGracePeriodSeconds < 25 {
				t.Errorf("the pod has %d s to end; a gateway may need 25", pod.TerminationGracePeriodSeconds)
			}
			for _, variable := range gateway.Env {
				if variable.ValueFrom.SecretKeyRef.Key != "" {
					t.Errorf("%s is a secret in the environment", variable.Name)
				}
			}
		})
	}
}

// restricted checks a container against the profile "restricted" of the Pod Security
// Standards, as far as it is about containers.
func restricted(t *testing.T, name string, c container) {
	t.Helper()
	s := c.SecurityContext
	for what, holds := range map[string]bool{
		"runAsNonRoot":                    s.RunAsNonRoot && s.RunAsUser > 0,
		"allowPrivilegeEscalation: false": s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation && !s.Privileged,
		"capabilities: {drop: [ALL]}":     slices.Equal(s.Capabilities.Drop, []string{"ALL"}) && len(s.Capabilities.Add) == 0,
		"seccompProfile: RuntimeDefault":  s.SeccompProfile.Type == "RuntimeDefault",
	} {
		if !holds {
			t.Errorf("the %s lacks %s", name, what)
		}
	}
}

// TestProbes compares probes, ports and the Caddyfile: a probe of a port that nothing
// listens on restarts the pod for ever.
func TestProbes(t *testing.T) {
	t.Parallel()
	for _, test := range gateways {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gateway, _ := gatewayOf(t, test.file, test.native)
			listens := sites(string(readFile(t, path.Join(test.overlay, "Caddyfile"))))
			ports := make(map[string]int)
			for _, port := range gateway.Ports {
				ports[port.Name] = port.ContainerPort
				if _, ok := listens[port.ContainerPort]; !ok {
					t.Errorf("port %s: the Caddyfile has no site for %d", port.Name, port.ContainerPort)
				}
			}
			for name, probe := range map[string]*probe{"startup": gateway.StartupProbe, "readiness": gateway.ReadinessProbe, "liveness": gateway.LivenessProbe} {
				if probe == nil {
					t.Errorf("no %s probe", name)
					continue
				}
				if site := listens[ports[probe.HTTPGet.Port]]; !strings.Contains(site, "databricks_scopes_health") || strings.Contains(site, "bind") {
					t.Errorf("the %s probe asks port %s, which is %q", name, probe.HTTPGet.Port, site)
				}
			}
			if gateway.LivenessProbe != nil && gateway.LivenessProbe.HTTPGet.Path != "/livez" {
				t.Error("the liveness probe must not depend on the workspace: ask /livez")
			}
			if gateway.ReadinessProbe != nil && gateway.ReadinessProbe.HTTPGet.Path != "/readyz" {
				t.Error("the readiness probe does not ask /readyz")
			}
		})
	}
}
