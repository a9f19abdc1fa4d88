package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/webhook"
)

// TestOverrides: a Pod chooses among what the configuration allows.
func TestOverrides(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "secret.yaml"))
	review := read(t, "secret-plain.review.json")
	w := start(t, f, webhook.Allow) // refusals of overrides do not depend on it
	for _, c := range []struct{ annotation, value, arg string }{
		{"workspace", "https://other.cloud.databricks.com", "--workspace=https://other.cloud.databricks.com"},
		{"workspace", "https://example.cloud.databricks.com", "--workspace=https://example.cloud.databricks.com"},
		{"mode", "enforce", "--mode=enforce"},
		{"workspace", "https://attacker.example.com", ""},
		{"workspace", "https://other.cloud.databricks.com.attacker.example.com", ""},
		{"workspace", "https://other.cloud.databricks.com --mode=observe", ""},
		{"workspace", "", ""},
		{"mode", "observe", ""},
		{"mode", "OBSERVE", ""},
		{"image", "attacker/scopegate:1", ""},
		{"image", "scopegate/scopegate:latest", ""},
	} {
		pod, err := json.Marshal(map[string]any{
			"metadata": map[string]any{
				"labels":      map[string]string{"scopegate.io/inject": "true"},
				"annotations": map[string]string{"scopegate.io/" + c.annotation: c.value},
			},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "c"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := w.post(t, with(t, review, pod)).Response
		switch {
		case c.arg == "" && (got.Allowed || !strings.Contains(got.Status.Message, "allowOverrides."+c.annotation)):
			t.Errorf("%s %q: %+v", c.annotation, c.value, got)
		case c.arg == "" && c.value != "" && strings.Contains(got.Status.Message, c.value):
			t.Errorf("%s %q is repeated: %s", c.annotation, c.value, got.Status.Message)
		case c.arg != "" && (!got.Allowed || !strings.Contains(string(got.Patch), `"`+c.arg+`"`)):
			t.Errorf("%s %q: %+v %s", c.annotation, c.value, got, got.Patch)
		}
	}
}

// TestForgeries: each edits a Pod that has the gateway, so that the container only
// bears its name.
func TestForgeries(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "file.yaml")), webhook.Allow) // nor do these
	review := read(t, "file-leave.review.json")
	golden := read(t, "file-leave.pod.json")
	type object = map[string]any
	volumeOf := func(spec object, name string) object {
		for _, v := range spec["volumes"].([]any) {
			if v.(object)["name"] == name {
				return v.(object)
			}
		}
		t.Fatal("no volume ", name)
		return nil
	}
	appendTo := func(o object, name string, value any) {
		list, _ := o[name].([]any)
		o[name] = append(list, value)
	}
	for name, edit := range map[string]func(gateway, spec object){
		"image":          func(g, _ object) { g["image"] = "attacker/scopegate:1" },
		"command":        func(g, _ object) { g["command"] = []any{"/bin/sh"} },
		"more arguments": func(g, _ object) { appendTo(g, "args", "--unscoped-tokens=allow") },
		"fewer":          func(g, _ object) { g["args"] = g["args"].([]any)[:2] },
		"not a sidecar":  func(g, _ object) { delete(g, "restartPolicy") },
		"privileged":     func(g, _ object) { g["securityContext"].(object)["privileged"] = true },
		"capabilities": func(g, _ object) {
			g["securityContext"].(object)["capabilities"].(object)["add"] = []any{"NET_ADMIN"}
		},
		"more security": func(g, _ object) { g["securityContext"].(object)["seLinuxOptions"] = object{"type": "spc_t"} },
		"none":          func(g, _ object) { delete(g, "securityContext") },
		"probe":         func(g, _ object) { delete(g, "startupProbe") },
		"variable":      func(g, _ object) { appendTo(g, "env", object{"name": "HTTPS_PROXY", "value": "http://attacker"}) },
		"lower case":    func(g, _ object) { appendTo(g, "env", object{"name": "https_proxy", "value": "http://attacker"}) },
		"SDK's variable": func(g, _ object) {
			appendTo(g, "env", object{"name": "DATABRICKS_TOKEN", "value": "x"})
		},
		"variable twice": func(g, _ object) {
			appendTo(g, "env", object{"name": "DATABRICKS_CONFIG_FILE", "value": "/x"})
		},
		"variables": func(g, _ object) { appendTo(g, "envFrom", object{"configMapRef": object{"name": "x"}}) },
		"sub path":  func(g, _ object) { g["volumeMounts"].([]any)[0].(object)["subPath"] = "a" },
		"sub path of variables": func(g, _ object) {
			g["volumeMounts"].([]any)[0].(object)["subPathExpr"] = "$(CLUSTER)"
		},
		"propagated": func(g, _ object) {
			g["volumeMounts"].([]any)[0].(object)["mountPropagation"] = "HostToContainer"
		},
		"writable": func(g, _ object) { delete(g["volumeMounts"].([]any)[1].(object), "readOnly") },
		"token of a part": func(g, _ object) {
			appendTo(g, "volumeMounts", object{"name": "t", "mountPath": "/var/run/secrets/t", "readOnly": true, "subPath": "x"})
		},
		"termination log": func(g, _ object) { g["terminationMessagePath"] = "/etc/scopegate/credentials/databrickscfg" },
		"termination":     func(g, _ object) { g["terminationMessagePolicy"] = "FallbackToLogsOnError" },
		"host port":       func(g, _ object) { g["ports"] = []any{object{"containerPort": 8080, "hostPort": 8080}} },
		"resize":          func(g, _ object) { g["resizePolicy"] = []any{object{"resourceName": "cpu"}} },
		"of tomorrow":     func(g, _ object) { g["someNewField"] = "x" },
		"device claim":    func(g, _ object) { g["resources"] = object{"claims": []any{object{"name": "x"}}} },
		"probe's grace":   func(g, _ object) { g["livenessProbe"].(object)["terminationGracePeriodSeconds"] = 1 },
		"volume's option": func(_, s object) { volumeOf(s, "scopegate-credential")["secret"].(object)["optional"] = true },
		"crash dumps":     func(g, _ object) { appendTo(g, "env", object{"name": "GOTRACEBACK", "value": "crash"}) },
		"lifecycle":       func(g, _ object) { g["lifecycle"] = object{"postStart": object{}} },
		"own program":     func(g, _ object) { appendTo(g, "volumeMounts", object{"name": "data", "mountPath": "/usr/bin"}) },
		"up": func(g, _ object) {
			appendTo(g, "volumeMounts", object{"name": "data", "mountPath": "/var/run/secrets/../../../usr/bin"})
		},
		"own volume elsewhere": func(g, _ object) {
			appendTo(g, "volumeMounts", object{"name": "scopegate-run", "mountPath": "/usr/bin"})
		},
		"another Secret": func(_, s object) {
			volumeOf(s, "scopegate-credential")["secret"].(object)["secretName"] = "attacker"
		},
		"host path": func(_, s object) {
			volume := volumeOf(s, "scopegate-run")
			delete(volume, "emptyDir")
			volume["hostPath"] = object{"path": "/tmp"}
		},
		"no volumes":     func(_, s object) { delete(s, "volumes") },
		"another volume": func(_, s object) { appendTo(s, "volumes", object{"name": "scopegate-x", "emptyDir": object{}}) },
		"mounted by the client": func(_, s object) {
			appendTo(s["containers"].([]any)[0].(object), "volumeMounts", object{"name": "scopegate-credential", "mountPath": "/x"})
		},
		"shared processes": func(_, s object) { s["shareProcessNamespace"] = true },
		"client of the same name": func(_, s object) {
			s["containers"].([]any)[0].(object)["name"] = "scopegate"
		},
	} {
		got := w.post(t, with(t, review, edited(t, golden, edit))).Response
		if got.Allowed || got.Status.Message == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// What Kubernetes and other webhooks do is no forgery.
	for name, edit := range map[string]func(gateway, spec object){
		"nothing":     func(_, _ object) {},
		"pull policy": func(g, _ object) { g["imagePullPolicy"] = "Always" },
		"defaults": func(g, _ object) {
			g["terminationMessagePath"], g["terminationMessagePolicy"] = "/dev/termination-log", "File"
			g["startupProbe"].(object)["successThreshold"] = 1
		},
		"limits":   func(g, _ object) { g["resources"] = object{"limits": object{"cpu": "1"}} },
		"variable": func(g, _ object) { appendTo(g, "env", object{"name": "CLUSTER", "value": "a"}) },
		"service account": func(g, s object) {
			appendTo(g, "volumeMounts", object{"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true})
			appendTo(s, "volumes", object{"name": "kube-api-access-x", "projected": object{"sources": []any{}}})
		},
		"empty fields":      func(g, _ object) { g["stdin"], g["envFrom"], g["lifecycle"] = false, []any{}, nil },
		"default procMount": func(g, _ object) { g["securityContext"].(object)["procMount"] = "Default" },
	} {
		got := w.post(t, with(t, review, edited(t, golden, edit))).Response
		if !got.Allowed || got.Patch != nil {
			t.Errorf("%s: %+v %s", name, got, got.Patch)
		}
	}
}

// TestStaysFirst: what another webhook has put before the gateway goes behind it.
func TestStaysFirst(t *testing.T) {
	t.Parallel()
	w := start(t, newFiles(t, read(t, "file.yaml")), webhook.Deny)
	review := read(t, "file-leave.review.json")
	pod := edited(t, read(t, "file-leave.pod.json"), func(_, s map[string]any) {
		s["initContainers"] = append([]any{map[string]any{"name": "mesh"}}, s["initContainers"].([]any)...)
	})
	got := w.post(t, with(t, review, pod)).Response
	if !got.Allowed {
		t.Fatalf("%+v", got)
	}
	pod = patch(t, pod, got.Patch)
	var p struct {
		Spec struct{ InitContainers []struct{ Name string } }
	}
	if err := json.Unmarshal(pod, &p); err != nil {
		t.Fatal(err)
	}
	if c := p.Spec.InitContainers; len(c) < 2 || c[0].Name != "scopegate" || c[1].Name != "mesh" {
		t.Errorf("%+v", c)
	}
	if again := w.post(t, with(t, review, pod)).Response; !again.Allowed || again.Patch != nil {
		t.Errorf("a second review: %+v %s", again, again.Patch)
	}
}

// edited returns a Pod with a changed gateway or specification.
func edited(t *testing.T, pod string, edit func(gateway, spec map[string]any)) []byte {
	t.Helper()
	var p struct {
		Metadata any            `json:"metadata"`
		Spec     map[string]any `json:"spec"`
	}
	if err := json.Unmarshal([]byte(pod), &p); err != nil {
		t.Fatal(err)
	}
	edit(p.Spec["initContainers"].([]any)[0].(map[string]any), p.Spec)
	changed, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}
