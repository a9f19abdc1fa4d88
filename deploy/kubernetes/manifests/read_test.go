package manifests_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workload is what these tests read of a Deployment or a StatefulSet.
type workload struct {
	Kind string
	Spec struct {
		Template struct{ Spec pod }
	}
}

type pod struct {
	AutomountServiceAccountToken  *bool       `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int         `yaml:"terminationGracePeriodSeconds"`
	HostNetwork                   bool        `yaml:"hostNetwork"`
	HostPID                       bool        `yaml:"hostPID"`
	HostIPC                       bool        `yaml:"hostIPC"`
	ShareProcessNamespace         bool        `yaml:"shareProcessNamespace"`
	InitContainers                []container `yaml:"initContainers"`
	Containers                    []container
	Volumes                       []volume
}

type container struct {
	Name          string
	Image         string
	RestartPolicy string `yaml:"restartPolicy"`
	Command, Args []string
	Env           []variable
	Ports         []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe    *probe `yaml:"startupProbe"`
	ReadinessProbe  *probe `yaml:"readinessProbe"`
	LivenessProbe   *probe `yaml:"livenessProbe"`
	SecurityContext struct {
		RunAsNonRoot             bool  `yaml:"runAsNonRoot"`
		RunAsUser                int   `yaml:"runAsUser"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		Privileged               bool
		Capabilities             struct{ Add, Drop []string }
		SeccompProfile           struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type variable struct {
	Name, Value string
	ValueFrom   struct {
		ConfigMapKeyRef struct{ Name, Key string } `yaml:"configMapKeyRef"`
		SecretKeyRef    struct{ Name, Key string } `yaml:"secretKeyRef"`
	} `yaml:"valueFrom"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

type volume struct {
	Name     string
	EmptyDir *struct{ Medium string } `yaml:"emptyDir"`
	// Everything else that a volume may be is left out, because a manifest should not use it.
	Projected *struct{ Sources []source }
}

type source struct {
	ConfigMap           *items `yaml:"configMap"`
	Secret              *items
	ServiceAccountToken *struct{ Audience, Path string } `yaml:"serviceAccountToken"`
}

// items are the files that a volume makes of a ConfigMap or a Secret.
type items struct {
	Name  string
	Items []struct{ Key, Path string }
}

// readWorkload returns the only Deployment or StatefulSet of a file.
func readWorkload(t *testing.T, name string) workload {
	t.Helper()
	var found []workload
	for documents := yaml.NewDecoder(bytes.NewReader(readFile(t, name))); ; {
		var read workload
		err := documents.Decode(&read)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if read.Kind == "Deployment" || read.Kind == "StatefulSet" {
			found = append(found, read)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d workloads, want 1", name, len(found))
	}
	return found[0]
}

// literals returns what a kustomization puts into the ConfigMap scopegate.
func literals(t *testing.T, name string) map[string]string {
	t.Helper()
	var kustomization struct {
		ConfigMapGenerator []struct {
			Name            string
			Files, Literals []string
		} `yaml:"configMapGenerator"`
	}
	if err := yaml.Unmarshal(readFile(t, name), &kustomization); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	values := make(map[string]string)
	for _, generator := range kustomization.ConfigMapGenerator {
		if generator.Name != "scopegate" {
			continue
		}
		for _, file := range generator.Files {
			values[file] = file
		}
		for _, literal := range generator.Literals {
			key, value, _ := strings.Cut(literal, "=")
			values[key] = value
		}
	}
	return values
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
