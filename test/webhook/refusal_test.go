package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/webhook"
)

const labels = `"metadata":{"name":"etl","labels":{"scopegate.io/inject":"true"}`

// conflictingPod does not go together with the gateway; its author is told why.
type conflictingPod struct{ name, pod, says string }

var conflicts = []conflictingPod{
	{"proxy port", `{` + labels + `},"spec":{"containers":[{"name":"c","ports":[{"containerPort":8080}]}]}}`, "the container c has port 8080"},
	{"health port", `{` + labels + `},"spec":{"containers":[{"name":"c"}],"initContainers":[{"name":"i","ports":[{"containerPort":8081,"protocol":"TCP"}]}]}}`, "set ports.health"},
	{"volume", `{` + labels + `},"spec":{"volumes":[{"name":"scopegate-run","emptyDir":{}}],"containers":[{"name":"c"}]}}`, "rename the volume"},
	{"mount of what will be", `{` + labels + `},"spec":{"containers":[{"name":"c","volumeMounts":[{"name":"scopegate-run","mountPath":"/x"}]}]}}`, "no other container may mount"},
	{"device", `{` + labels + `},"spec":{"containers":[{"name":"c","volumeDevices":[{"name":"scopegate-credential","devicePath":"/x"}]}]}}`, "no other container may mount"},
	{"host network", `{` + labels + `},"spec":{"hostNetwork":true,"containers":[{"name":"c"}]}}`, "remove hostNetwork"},
	{"host processes", `{` + labels + `},"spec":{"hostPID":true,"containers":[{"name":"c"}]}}`, "remove hostPID"},
	{"shared processes", `{` + labels + `},"spec":{"shareProcessNamespace":true,"containers":[{"name":"c"}]}}`, "remove shareProcessNamespace"},
	{"container's user", `{` + labels + `},"spec":{"containers":[{"name":"c","securityContext":{"runAsUser":65532}}]}}`, "runs as the gateway's user 65532"},
	{"Pod's user", `{` + labels + `},"spec":{"securityContext":{"runAsUser":65532},"containers":[{"name":"c"}]}}`, "runs as the gateway's user 65532"},
	{"container's name", `{` + labels + `},"spec":{"containers":[{"name":"scopegate"}]}}`, "rename the container"},
	{"Windows by os", `{` + labels + `},"spec":{"os":{"name":"windows"},"containers":[{"name":"c"}]}}`, "for Windows"},
	{"Windows by node", `{` + labels + `},"spec":{"nodeSelector":{"kubernetes.io/os":"windows"},"containers":[{"name":"c"}]}}`, "for Windows"},
	{"Windows by options", `{` + labels + `},"spec":{"securityContext":{"windowsOptions":{"hostProcess":true}},"containers":[{"name":"c"}]}}`, "for Windows"},
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "secret.yaml"))
	review := read(t, "secret-plain.review.json")
	deny, allow := start(t, f, webhook.Deny), start(t, f, webhook.Allow)
	for _, c := range append(conflicts, powers...) {
		pod := with(t, review, []byte(c.pod))
		if got := deny.post(t, pod).Response; got.Allowed || got.Patch != nil || !strings.Contains(got.Status.Message, c.says) {
			t.Errorf("%s, deny: %+v", c.name, got)
		}
		got := allow.post(t, pod).Response
		if !got.Allowed || got.Patch != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.says) {
			t.Errorf("%s, allow: %+v", c.name, got)
		}
	}
}

// TestNearMisses: what only resembles a conflict gets the gateway.
func TestNearMisses(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "secret.yaml")), webhook.Deny)
	for name, spec := range map[string]string{
		"UDP port":             `"containers":[{"name":"c","ports":[{"containerPort":8080,"protocol":"UDP"}]}]`,
		"other port":           `"containers":[{"name":"c","ports":[{"containerPort":80}]}]`,
		"processes not shared": `"shareProcessNamespace":false,"containers":[{"name":"c"}]`,
		"Linux":                `"os":{"name":"linux"},"containers":[{"name":"c"}]`,
		"overridden user":      `"securityContext":{"runAsUser":65532},"containers":[{"name":"c","securityContext":{"runAsUser":1000}}]`,
		"no Windows options":   `"securityContext":{"windowsOptions":null},"containers":[{"name":"c"}]`,
	} {
		got := w.post(t, with(t, read(t, "secret-plain.review.json"), []byte(`{`+labels+`},"spec":{`+spec+`}}`))).Response
		if !got.Allowed || got.Patch == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestLeavesOthers: only the creation of Pods with the label is the webhook's matter.
func TestLeavesOthers(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "secret.yaml")), webhook.Deny)
	review := read(t, "secret-plain.review.json")
	pod := func(label string) string {
		return with(t, review, []byte(`{"metadata":{"labels":{`+label+`}},"spec":{"hostNetwork":true,"containers":[{"name":"c"}]}}`))
	}
	for name, sent := range map[string]struct {
		review   string
		warnings int
	}{
		"no label":    {pod(""), 0},
		"false":       {pod(`"scopegate.io/inject":"false"`), 0},
		"another":     {pod(`"scopegate.io/inject":"yes"`), 1},
		"update":      {change(t, review, func(r map[string]any) { r["operation"] = "UPDATE" }), 0},
		"delete":      {change(t, review, func(r map[string]any) { r["operation"], r["object"] = "DELETE", nil }), 0},
		"subresource": {change(t, review, func(r map[string]any) { r["subResource"] = "ephemeralcontainers" }), 0},
		"deployment": {change(t, review, func(r map[string]any) {
			r["kind"] = json.RawMessage(`{"group":"apps","version":"v1","kind":"Deployment"}`)
		}), 0},
	} {
		got := w.post(t, sent.review).Response
		if !got.Allowed || got.Patch != nil || len(got.Warnings) != sent.warnings {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
