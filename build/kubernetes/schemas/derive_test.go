package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"
)

// template is how .ci/full.d/30-kubernetes names schemas to kubeconform.
const template = "{{.ResourceKind}}{{.KindSuffix}}.json"

func TestFileNames(t *testing.T) {
	t.Parallel()
	files, err := derive(fixture(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"customresourcedefinition-apiextensions-v1.json", "deployment-apps-v1.json", "networkpolicy-networking-v1.json", "pod-v1.json"}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// TestKubeconform asks kubeconform itself, because what counts is what it makes of them.
func TestKubeconform(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := run(t.Context(), "testdata/swagger.json", folder); err != nil {
		t.Fatal(err)
	}
	check, err := validator.New([]string{filepath.Join(folder, template)}, validator.Opts{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	const pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers: [{name: client}]\n"
	for _, test := range []struct {
		name, manifest, says string // says nothing if it is valid
	}{
		{"native sidecar", pod + "  initContainers: [{name: gateway, restartPolicy: Always}]", ""},
		{"typo in a native sidecar", pod + "  initContainers: [{name: gateway, restartpolicy: Always}]", "restartpolicy"},
		{"wrong type in a native sidecar", pod + "  initContainers: [{name: gateway, restartPolicy: true}]", "restartPolicy"},
		{"unknown member at the top", pod + "sepc: {}", "sepc"},
		{"member twice", pod + "spec: {}", "already set"},
		{"required member", "apiVersion: v1\nkind: Pod\nspec: {}", "containers"},
		{"forgotten value", pod + "  initContainers: [{name: gateway, restartPolicy: }]", "restartPolicy"},
		{"labels are free", pod + "metadata: {labels: {app: etl}}", ""},
		{"labels are strings", pod + "metadata: {labels: {app: 1}}", "labels"},
		{"port by name", pod + "  initContainers: [{name: gateway, port: health}]", ""},
		{"port by number", pod + "  initContainers: [{name: gateway, port: 8081}]", ""},
		{"port is a number of a kind", pod + "  initContainers: [{name: gateway, port: 80.5}]", "port"},
		{"quantities", pod + "  initContainers: [{name: gateway, limits: {cpu: 0.5, memory: 1Gi}}]", ""},
		{"quantity is no list", pod + "  initContainers: [{name: gateway, limits: {cpu: []}}]", "cpu"},
		{"a member called properties", "apiVersion: apps/v1\nkind: Deployment\nproperties: {any: 1}", ""},
		{"an object without properties is free", "apiVersion: apps/v1\nkind: Deployment\nspec: {any: 1}", ""},
		{"a schema in itself", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nschema: {not: {not: {}}}", ""},
		{"a typo in a schema in itself", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nschema: {not: {nto: {}}}", "nto"},
		{"unknown kind", "apiVersion: v1\nkind: Prod", "could not find schema"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := check.ValidateResource(resource.Resource{Path: "test.yaml", Bytes: []byte(test.manifest)})
			if test.says == "" {
				if result.Status != validator.Valid {
					t.Errorf("refused: %v", result.Err)
				}
				return
			}
			if result.Status == validator.Valid || result.Err == nil || !strings.Contains(result.Err.Error(), test.says) {
				t.Errorf("status %v, error %v; want one that says %q", result.Status, result.Err, test.says)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	const gvk = `"x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}]`
	for _, test := range []struct{ name, document, says string }{
		{"no JSON", "kind: Pod", "reading the OpenAPI document"},
		{"no kinds", `{"definitions": {"a": {"type": "object"}}}`, "no kinds"},
		{"dangling reference", `{"definitions": {"a": {"$ref": "#/definitions/b", ` + gvk + `}}}`, "a: #/definitions/b is not defined"},
		{"one kind twice", `{"definitions": {"a": {` + gvk + `}, "b": {` + gvk + `}}}`, "two definitions for Pod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := derive([]byte(test.document)); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
		})
	}
}

func fixture(t *testing.T) []byte {
	t.Helper()
	document, err := os.ReadFile("testdata/swagger.json")
	if err != nil {
		t.Fatal(err)
	}
	return document
}
