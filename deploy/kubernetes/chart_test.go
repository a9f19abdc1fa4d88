package kubernetes_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestLint(t *testing.T) {
	for _, values := range examples(t) {
		if out, err := helm(t, "lint", "--strict", "--kube-version", kubeVersion, chart, "--values", values); err != nil {
			t.Errorf("%s: %s", values, out)
		}
	}
}

// TestGolden shows in a review what a change of the chart does to two modes.
func TestGolden(t *testing.T) {
	for _, mode := range []string{"standalone", "edge"} {
		golden := "testdata/" + mode + ".golden.yaml"
		got := template(t, chart+"/ci/"+mode+".yaml")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; run the test with -update and review the change. Got:\n%s", golden, got)
		}
	}
}

// TestBadValues holds each file in ci/bad to the message in its first line.
func TestBadValues(t *testing.T) {
	files, err := filepath.Glob(chart + "/ci/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad values: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(content), "\n")
		want, ok := strings.CutPrefix(first, "# ")
		if !ok || want == "" {
			t.Fatalf("%s must begin with a comment that says what the error says", file)
		}
		switch out, err := helm(t, "template", "test", chart, "--kube-version", kubeVersion, "--values", file); {
		case err == nil:
			t.Errorf("%s is accepted", file)
		case !strings.Contains(out, want):
			t.Errorf("%s: got %q, want %q", file, out, want)
		}
	}
}

func TestObjectsOfModes(t *testing.T) {
	want := map[string][]string{
		"standalone":             {"ConfigMap", "Deployment", "NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"standalone-tls":         {"Certificate", "ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"authority":              {"Certificate", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount", "StatefulSet"},
		"authority-certificates": {"ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount", "StatefulSet"},
		"edge":                   {"ConfigMap", "Deployment", "NetworkPolicy", "NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"edge-certificate":       {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"webhook":                {"Certificate", "ConfigMap", "Deployment", "MutatingWebhookConfiguration", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"webhook-secret":         {"ConfigMap", "Deployment", "MutatingWebhookConfiguration", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"extras":                 {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget", "Service", "Service", "ServiceMonitor"},
		"caddyfile":              {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"sidecar":                nil,
	}
	eachExample(t, func(t *testing.T, name string, all []object) {
		var kinds []string
		for _, one := range all {
			kinds = append(kinds, text(one, "kind"))
		}
		slices.Sort(kinds)
		if expected, ok := want[name]; !ok || !slices.Equal(kinds, expected) {
			t.Errorf("got %q, want %q", kinds, expected)
		}
	})
}

// TestWebhookAsksForLabelledPodsOnly: the API server must be able to start the webhook,
// and itself, without the webhook.
func TestWebhookAsksForLabelledPodsOnly(t *testing.T) {
	for file, policy := range map[string]string{"webhook": "Ignore", "webhook-secret": "Fail"} {
		for _, one := range objects(t, template(t, chart+"/ci/"+file+".yaml")) {
			if text(one, "kind") != "MutatingWebhookConfiguration" {
				continue
			}
			hook := list(one, "webhooks")[0]
			excluded := at(list(hook, "namespaceSelector", "matchExpressions")[0], "values").([]any)
			switch {
			case text(hook, "failurePolicy") != policy:
				t.Errorf("%s: failurePolicy is %v", file, hook["failurePolicy"])
			case text(hook, "objectSelector", "matchLabels", "scopegate.io/inject") != "true":
				t.Errorf("%s: asks for pods without the label: %v", file, hook["objectSelector"])
			case !slices.Contains(excluded, any("gateways")) || !slices.Contains(excluded, any("kube-system")):
				t.Errorf("%s: asks in %v", file, excluded)
			case text(hook, "clientConfig", "caBundle") == "" && text(one, "metadata", "annotations", "cert-manager.io/inject-ca-from") != "gateways/test-scopegate":
				t.Errorf("%s: the API server cannot verify the webhook", file)
			}
		}
	}
}
