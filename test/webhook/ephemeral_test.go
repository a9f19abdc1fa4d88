package webhook_test

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/webhook"
)

// ephemerals are containers that somebody adds to a Pod with the gateway, and what the
// refusal says; empty for those that are allowed.
var ephemerals = []struct{ name, container, says string }{
	{"mount", `"volumeMounts":[{"name":"scopegate-run","mountPath":"/x"}]`, "mounts the volume scopegate-run"},
	{"device", `"volumeDevices":[{"name":"scopegate-credential","devicePath":"/x"}]`, "mounts the volume scopegate-credential"},
	{"target", `"targetContainerName":"scopegate"`, "target another container"},
	{"user", `"securityContext":{"runAsUser":65532}`, "runs as the gateway's user 65532"},
	{"privileged", `"securityContext":{"privileged":true}`, "remove privileged"},
	{"ptrace", `"securityContext":{"capabilities":{"add":["SYS_PTRACE"]}}`, "SYS_PTRACE"},
	{"another target", `"targetContainerName":"client"`, ""},
	{"plain", `"image":"busybox","volumeMounts":[{"name":"data","mountPath":"/x"}]`, ""},
	{"restricted", `"securityContext":{"runAsUser":1000,"privileged":false,"capabilities":{"drop":["ALL"]}}`, ""},
}

// added returns a review of adding an ephemeral container to a Pod.
func added(t *testing.T, pod, container string) string {
	t.Helper()
	pod = strings.Replace(pod, `"containers":`, `"ephemeralContainers":[{"name":"debugger",`+container+`}],"containers":`, 1)
	return change(t, with(t, read(t, "secret-plain.review.json"), []byte(pod)), func(r map[string]any) {
		r["operation"], r["subResource"] = "UPDATE", "ephemeralcontainers"
	})
}

// TestEphemeralContainers: they are judged whatever --on-error and the label say, because
// the gateway runs already.
func TestEphemeralContainers(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "secret.yaml"))
	pod := read(t, "secret-plain.pod.json")
	unlabelled := strings.Replace(pod, `"scopegate.io/inject": "true"`, `"a": "b"`, 1)
	if unlabelled == pod {
		t.Fatal("the label is not in the Pod")
	}
	w := start(t, f, webhook.Allow)
	for _, c := range ephemerals {
		for _, pod := range []string{pod, unlabelled} {
			got := w.post(t, added(t, pod, c.container)).Response
			if got.Allowed != (c.says == "") || got.Patch != nil || !strings.Contains(got.Status.Message, c.says) || len(got.Warnings) != 0 {
				t.Errorf("%s: %+v", c.name, got)
			}
		}
		const without = `{"metadata":{"labels":{"scopegate.io/inject":"true"}},"spec":{"containers":[{"name":"c"}]}}`
		if got := w.post(t, added(t, without, c.container)).Response; !got.Allowed || got.Patch != nil {
			t.Errorf("%s, without the gateway: %+v", c.name, got)
		}
	}
	got := w.post(t, added(t, pod, `"envFrom":[{"secretRef":{"name":"databricks-admin"}}]`)).Response
	if !got.Allowed || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "debugger reads the Secret databricks-admin") {
		t.Errorf("a reader of the Secret: %+v", got)
	}
}

// TestEphemeralContainersOfOldPods: the configuration has another user now than when the
// Pod got its gateway.
func TestEphemeralContainersOfOldPods(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "secret.yaml")+"\nrunAsUser: 700\n"), webhook.Deny)
	for user, allowed := range map[string]bool{"65532": false, "700": false, "1000": true} {
		if got := w.post(t, added(t, read(t, "secret-plain.pod.json"), `"securityContext":{"runAsUser":`+user+`}`)).Response; got.Allowed != allowed {
			t.Errorf("user %s: %+v", user, got)
		}
	}
}

// TestEphemeralContainersOfNewPods: a Pod that has them at its creation is judged alike.
func TestEphemeralContainersOfNewPods(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "secret.yaml")), webhook.Deny)
	for _, c := range ephemerals {
		pod := `{` + labels + `},"spec":{"ephemeralContainers":[{"name":"debugger",` + c.container + `}],"containers":[{"name":"client"}]}}`
		got := w.post(t, with(t, read(t, "secret-plain.review.json"), []byte(pod))).Response
		if got.Allowed != (c.says == "") || !strings.Contains(got.Status.Message, c.says) || strings.Contains(string(got.Patch), "ephemeral") {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestRegistration: the API server asks about ephemeral containers only if the
// registration says so.
func TestRegistration(t *testing.T) {
	t.Parallel()
	const root = "../../"
	for _, path := range []string{"docs/injection.md", "deploy/kubernetes/chart/scopegate/templates/webhook-configuration.yaml"} {
		_, rules, found := strings.Cut(read2(t, root+path), " rules:\n")
		rule := ""
		for _, item := range strings.Split(rules, "- ") {
			if strings.HasPrefix(item, "apiGroups: [\"\"]\n") && strings.Contains(item, "resources: [pods/ephemeralcontainers]\n") {
				rule = item
			}
		}
		if !found || !strings.Contains(rule, "operations: [UPDATE]\n") {
			t.Errorf("%s has no rule for pods/ephemeralcontainers", path)
		}
	}
}
