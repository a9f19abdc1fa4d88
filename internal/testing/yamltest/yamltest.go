// Package yamltest reads the documents of a YAML file strictly, for tests that hold manifests to
// the fields that their APIs have.
package yamltest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Object is an object of Kubernetes.
type Object[S any] struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   map[string]string `yaml:"metadata"`
	Spec       S                 `yaml:"spec"`
}

// Open returns what reads the documents of a file, of which every field must be known.
func Open(t *testing.T, name string) *yaml.Decoder {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	from := yaml.NewDecoder(bytes.NewReader(content))
	from.KnownFields(true)
	return from
}

// Next reads the next document.
func Next[T any](t *testing.T, from *yaml.Decoder) (document T) {
	t.Helper()
	if err := from.Decode(&document); err != nil {
		t.Fatal(err)
	}
	return document
}

// End checks that there is no further document.
func End(t *testing.T, from *yaml.Decoder) {
	t.Helper()
	if err := from.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Errorf("more than was checked: %v", err)
	}
}
