package kubernetes_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// podSpec returns the spec of the pods that an object makes, or nil.
func podSpec(one object) object {
	spec, _ := at(one, "spec", "template", "spec").(object)
	return spec
}

func containers(pod object) []object {
	return append(list(pod, "initContainers"), list(pod, "containers")...)
}

// restricted returns what the restricted Pod Security Standard does not allow.
func restricted(pod object) (violations []string) {
	for _, host := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		if pod[host] == true {
			violations = append(violations, host)
		}
	}
	for _, volume := range list(pod, "volumes") {
		if volume["hostPath"] != nil {
			violations = append(violations, "hostPath "+text(volume, "name"))
		}
	}
	for _, container := range containers(pod) {
		own, _ := container["securityContext"].(object)
		setting := func(keys ...string) any {
			if value := at(own, keys...); value != nil {
				return value
			}
			return at(pod, append([]string{"securityContext"}, keys...)...)
		}
		dropped, _ := at(own, "capabilities", "drop").([]any)
		for rule, ok := range map[string]bool{
			"allowPrivilegeEscalation": own["allowPrivilegeEscalation"] == false,
			"capabilities":             slices.Contains(dropped, any("ALL")) && at(own, "capabilities", "add") == nil,
			"privileged":               own["privileged"] != true,
			"runAsNonRoot":             setting("runAsNonRoot") == true,
			"runAsUser":                setting("runAsUser") != 0 && setting("runAsUser") != nil,
			"seccompProfile":           setting("seccompProfile", "type") == "RuntimeDefault",
		} {
			if !ok {
				violations = append(violations, text(container, "name")+": "+rule)
			}
		}
	}
	return violations
}

func TestPodsAreRestricted(t *testing.T) {
	eachExample(t, func(t *testing.T, _ string, all []object) {
		for _, one := range all {
			pod := podSpec(one)
			if pod == nil {
				continue
			}
			if violations := restricted(pod); violations != nil {
				t.Errorf("violates restricted Pod Security: %q", violations)
			}
			if pod["automountServiceAccountToken"] != false {
				t.Error("the pod gets a service account token that it does not need")
			}
			for _, container := range containers(pod) {
				if at(container, "securityContext", "readOnlyRootFilesystem") != true {
					t.Error("the root file system is writable")
				}
			}
		}
	})
}

// TestRestrictedFindsViolations holds the check above to pods that are not restricted.
func TestRestrictedFindsViolations(t *testing.T) {
	bare := object{"containers": []any{object{"name": "c"}}, "hostNetwork": true}
	if got := restricted(bare); len(got) != 6 {
		t.Errorf("a bare pod has 6 violations, not %q", got)
	}
}

// named is what environment variables with secrets are called, and secret what their
// values look like.
var (
	named  = regexp.MustCompile(`(?i)(secret|token|password|credential|key)$`)
	secret = regexp.MustCompile(`\b(dapi|dose|dkea|dosa)[0-9a-f]{8}|-----BEGIN [A-Z ]*PRIVATE KEY|eyJ[A-Za-z0-9_-]{8,}\.eyJ`)
)

func TestNoCredentialsInObjects(t *testing.T) {
	eachExample(t, func(t *testing.T, name string, all []object) {
		if found := secret.FindString(template(t, chart+"/ci/"+name+".yaml")); found != "" {
			t.Errorf("an object holds a secret: %s", found)
		}
		for _, one := range all {
			if text(one, "kind") == "Secret" {
				t.Errorf("the chart makes a Secret, whose values Helm would keep: %v", at(one, "metadata", "name"))
			}
			for _, container := range containers(podSpec(one)) {
				for _, variable := range list(container, "env") {
					if named.MatchString(text(variable, "name")) || at(variable, "valueFrom", "secretKeyRef") != nil {
						t.Errorf("the variable %v carries a secret; mount it", variable["name"])
					}
				}
			}
		}
	})
}

func TestSecretsAreForTheGroupOnly(t *testing.T) {
	eachExample(t, func(t *testing.T, _ string, all []object) {
		for _, one := range all {
			pod := podSpec(one)
			for _, volume := range list(pod, "volumes") {
				if mode := at(volume, "secret", "defaultMode"); volume["secret"] != nil && mode != 0o440 {
					t.Errorf("the volume %v has mode %v", volume["name"], mode)
				}
			}
			if group := at(pod, "securityContext", "fsGroup"); pod != nil && group != at(pod, "securityContext", "runAsGroup") {
				t.Errorf("the files belong to group %v", group)
			}
		}
	})
}

// TestMountsHaveVolumes: the API server refuses a pod that mounts what it does not have.
func TestMountsHaveVolumes(t *testing.T) {
	eachExample(t, func(t *testing.T, _ string, all []object) {
		for _, one := range all {
			pod := podSpec(one)
			have := list(pod, "volumes")
			if claims := list(one, "spec", "volumeClaimTemplates"); claims != nil {
				for _, claim := range claims {
					have = append(have, object{"name": text(claim, "metadata", "name")})
				}
			}
			var mounted []string
			for _, container := range containers(pod) {
				for _, mount := range list(container, "volumeMounts") {
					mounted = append(mounted, text(mount, "name"))
				}
			}
			for _, volume := range have {
				if name := text(volume, "name"); !slices.Contains(mounted, name) {
					t.Errorf("nothing mounts %s", name)
				}
			}
			for _, name := range mounted {
				if !slices.ContainsFunc(have, func(v object) bool { return v["name"] == name }) {
					t.Errorf("there is no volume %s", name)
				}
			}
		}
	})
}

// TestSidecarInAnotherChart renders a chart that includes the sidecar.
func TestSidecarInAnotherChart(t *testing.T) {
	consumer := t.TempDir() + "/consumer"
	for from, to := range map[string]string{"testdata/consumer": consumer, chart: consumer + "/charts/scopegate"} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := helm(t, "template", "etl", consumer, "--kube-version", kubeVersion)
	if err != nil {
		t.Fatal(out)
	}
	all := objects(t, out)
	if len(all) != 1 {
		t.Fatalf("mode sidecar renders objects of its own:\n%s", out)
	}
	pod := podSpec(all[0])
	if violations := restricted(pod); violations != nil {
		t.Errorf("violates restricted Pod Security: %q", violations)
	}
	sidecar := list(pod, "initContainers")[0]
	if sidecar["restartPolicy"] != "Always" {
		t.Error("not a native sidecar: it would have to end before the client starts")
	}
	for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		if text(sidecar, probe, "httpGet", "port") != "scopegate-probe" {
			t.Errorf("%s: %v", probe, sidecar[probe])
		}
	}
	for _, mount := range list(list(pod, "containers")[0], "volumeMounts") {
		t.Errorf("the client mounts %v", mount["name"])
	}
	if out, err = helm(t, "template", "etl", consumer, "--kube-version", kubeVersion, "--set", "scopegate.sidecar.authorities=null"); err == nil || !strings.Contains(out, "the sidecar cannot ask about tokens") {
		t.Errorf("a sidecar without a credential: %s", out)
	}
}
