package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/webhook"
)

// powers are conflicts with Pods that reach what is beside them.
var powers = []conflictingPod{
	{"host IPC", `{` + labels + `},"spec":{"hostIPC":true,"containers":[{"name":"c"}]}}`, "remove hostIPC"},
	{"privileged", `{` + labels + `},"spec":{"containers":[{"name":"c","securityContext":{"privileged":true}}]}}`, "remove privileged"},
	{"privileged at init", `{` + labels + `},"spec":{"containers":[{"name":"c"}],"initContainers":[{"name":"i","securityContext":{"privileged":true}}]}}`, "the container i is privileged"},
	{"ptrace", `{` + labels + `},"spec":{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["CHOWN","SYS_PTRACE"]}}}]}}`, `the capability "SYS_PTRACE"`},
	{"net admin", `{` + labels + `},"spec":{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["NET_ADMIN"]}}}]}}`, "add it to allowCapabilities"},
	{"runtime's name", `{` + labels + `},"spec":{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["cap_sys_admin"]}}}]}}`, `the capability "cap_sys_admin"`},
	{"all capabilities", `{` + labels + `},"spec":{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["ALL"]}}}]}}`, `the capability "ALL"`},
	{"unmasked", `{` + labels + `},"spec":{"containers":[{"name":"c","securityContext":{"procMount":"Unmasked"}}]}}`, "remove procMount"},
	{"host path", `{` + labels + `},"spec":{"volumes":[{"name":"v","hostPath":{"path":"/var/lib/kubelet/pods"}}],"containers":[{"name":"c"}]}}`, "add the path to allowHostPaths"},
	{"root of the node", `{` + labels + `},"spec":{"volumes":[{"name":"v","hostPath":{"path":"/"}}],"containers":[{"name":"c"}]}}`, `the hostPath "/"`},
}

// TestAllowedPowers: the configuration makes exceptions, and none beyond them.
func TestAllowedPowers(t *testing.T) {
	t.Parallel()
	config := read(t, "secret.yaml") + "\nallowHostPaths: [/var/log/app/]\nallowCapabilities: [CAP_NET_ADMIN]\n"
	w := start(t, newFiles(t, config), webhook.Deny)
	post := func(volume, capability string) bool {
		pod := fmt.Sprintf(`{%s},"spec":{"volumes":[{"name":"v","hostPath":{"path":%q}}],"containers":[{"name":"c","securityContext":{"procMount":"Default","capabilities":{"add":["CHOWN",%q]}}}]}}`, labels, volume, capability)
		return w.post(t, with(t, read(t, "secret-plain.review.json"), []byte(pod))).Response.Allowed
	}
	if !post("/var/log/app", "NET_ADMIN") {
		t.Error("what is allowed is refused")
	}
	for _, c := range [][2]string{{"/var/log", "NET_ADMIN"}, {"/var/log/app/../..", "NET_ADMIN"}, {"/var/log/app", "SYS_ADMIN"}} {
		if post(c[0], c[1]) {
			t.Errorf("%v is allowed", c)
		}
	}
}

// TestSecretReaders: each way to the gateway's Secret is warned about.
func TestSecretReaders(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "secret.yaml")), webhook.Deny)
	warned := func(spec string) bool {
		got := w.post(t, with(t, read(t, "secret-plain.review.json"), []byte(`{`+labels+`},"spec":{`+spec+`}}`))).Response
		return got.Allowed && len(got.Warnings) == 1 && strings.Contains(got.Warnings[0], "reads the Secret databricks-admin itself")
	}
	for name, source := range map[string]string{
		"secret":     `"secret":{"secretName":"databricks-admin"}`,
		"projected":  `"projected":{"sources":[{"configMap":{"name":"x"}},{"secret":{"name":"databricks-admin"}}]}`,
		"csi":        `"csi":{"driver":"d","nodePublishSecretRef":{"name":"databricks-admin"}}`,
		"flexVolume": `"flexVolume":{"driver":"d","secretRef":{"name":"databricks-admin"}}`,
		"azureFile":  `"azureFile":{"secretName":"databricks-admin","shareName":"s"}`,
		"cephfs":     `"cephfs":{"monitors":["m"],"secretRef":{"name":"databricks-admin"}}`,
		"cinder":     `"cinder":{"volumeID":"v","secretRef":{"name":"databricks-admin"}}`,
		"iscsi":      `"iscsi":{"iqn":"i","secretRef":{"name":"databricks-admin"}}`,
		"rbd":        `"rbd":{"image":"i","secretRef":{"name":"databricks-admin"}}`,
		"scaleIO":    `"scaleIO":{"system":"s","secretRef":{"name":"databricks-admin"}}`,
		"storageos":  `"storageos":{"volumeName":"v","secretRef":{"name":"databricks-admin"}}`,
	} {
		if !warned(`"volumes":[{"name":"v",` + source + `}],"containers":[{"name":"c"}]`) {
			t.Errorf("%s: no warning", name)
		}
		if warned(`"volumes":[{"name":"v",` + strings.ReplaceAll(source, "databricks-admin", "other") + `}],"containers":[{"name":"c"}]`) {
			t.Errorf("%s: a warning about another Secret", name)
		}
	}
	for name, container := range map[string]string{
		"env":     `"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"databricks-admin","key":"k"}}}]`,
		"envFrom": `"envFrom":[{"configMapRef":{"name":"x"}},{"secretRef":{"name":"databricks-admin"}}]`,
	} {
		if !warned(`"initContainers":[{"name":"i",` + container + `}],"containers":[{"name":"c"}]`) {
			t.Errorf("%s: no warning", name)
		}
	}
	if warned(`"volumes":[{"name":"v","configMap":{"name":"databricks-admin"}}],"containers":[{"name":"c"}]`) {
		t.Error("a warning about a ConfigMap")
	}
}
