package kubernetes_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	chart = "chart/scopegate"
	// A helm that was built from its module renders for a much older version by itself.
	kubeVersion = "1.35.0"
)

// object is a YAML mapping.
type object = map[string]any

// helm runs helm and returns what it printed. Tests are skipped where there is none; if
// the variable HELM names one, it must be there.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program := os.Getenv("HELM")
	if program == "" {
		var err error
		if program, err = exec.LookPath("helm"); err != nil {
			t.Skip("helm is not installed; put it on PATH, or name it in HELM")
		}
	}
	cmd := exec.Command(program, args...)
	// Neither plugins nor settings of whoever runs the tests.
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String() + stderr.String(), err
}

var templates sync.Map // by the file with the values: what helm template printed

// template renders the chart with a file of values.
func template(t *testing.T, values string) string {
	t.Helper()
	if out, ok := templates.Load(values); ok {
		return out.(string)
	}
	out, err := helm(t, "template", "test", chart, "--kube-version", kubeVersion, "--namespace", "gateways", "--values", values)
	if err != nil {
		t.Fatalf("%s: %s", values, out)
	}
	templates.Store(values, out)
	return out
}

// objects parses the documents of a stream.
func objects(t *testing.T, stream string) []object {
	t.Helper()
	var all []object
	for decoder := yaml.NewDecoder(strings.NewReader(stream)); ; {
		var one object
		switch err := decoder.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%v in\n%s", err, stream)
		case one != nil:
			all = append(all, one)
		}
	}
}

// examples returns the files with values that must work.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no example values: %v", err)
	}
	return files
}

// eachExample calls a test with the objects of each example.
func eachExample(t *testing.T, test func(*testing.T, string, []object)) {
	t.Helper()
	for _, values := range examples(t) {
		name := strings.TrimSuffix(filepath.Base(values), ".yaml")
		t.Run(name, func(t *testing.T) { test(t, name, objects(t, template(t, values))) })
	}
}

// at returns what is at a path of keys, or nil.
func at(value any, keys ...string) any {
	for _, key := range keys {
		mapping, _ := value.(object)
		value = mapping[key]
	}
	return value
}

// text returns the string at a path of keys.
func text(value any, keys ...string) string {
	s, _ := at(value, keys...).(string)
	return s
}

// list returns the mappings of the list at a path of keys.
func list(value any, keys ...string) []object {
	items, _ := at(value, keys...).([]any)
	mappings := make([]object, 0, len(items))
	for _, item := range items {
		if mapping, ok := item.(object); ok {
			mappings = append(mappings, mapping)
		}
	}
	return mappings
}
