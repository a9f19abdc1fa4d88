package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// pod is what the webhook reads of a Pod. Patches address the document that the API
// server holds, so nothing is lost by not reading the rest.
type pod struct {
	Metadata metadata `json:"metadata"`
	Spec     podSpec  `json:"spec"`
}

type metadata struct {
	Name         string            `json:"name"`
	GenerateName string            `json:"generateName"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
}

type podSpec struct {
	Containers            []podContainer    `json:"containers"`
	InitContainers        []podContainer    `json:"initContainers"`
	EphemeralContainers   []podContainer    `json:"ephemeralContainers"`
	Volumes               []podVolume       `json:"volumes"`
	HostNetwork           bool              `json:"hostNetwork"`
	HostPID               bool              `json:"hostPID"`
	HostIPC               bool              `json:"hostIPC"`
	ShareProcessNamespace *bool             `json:"shareProcessNamespace"`
	SecurityContext       *userContext      `json:"securityContext"`
	NodeSelector          map[string]string `json:"nodeSelector"`
	OS                    *struct {
		Name string `json:"name"`
	} `json:"os"`
}

type userContext struct {
	RunAsUser      *int64          `json:"runAsUser"`
	WindowsOptions json.RawMessage `json:"windowsOptions"`
}

type containerContext struct {
	RunAsUser    *int64 `json:"runAsUser"`
	Privileged   bool   `json:"privileged"`
	ProcMount    string `json:"procMount"`
	Capabilities struct {
		Add []string `json:"add"`
	} `json:"capabilities"`
}

type podContainer struct {
	Name                string `json:"name"`
	TargetContainerName string `json:"targetContainerName"` // of an ephemeral one
	Ports               []struct {
		ContainerPort int    `json:"containerPort"`
		Protocol      string `json:"protocol"`
	} `json:"ports"`
	Env             []podEnv          `json:"env"`
	EnvFrom         []podSource       `json:"envFrom"`
	VolumeMounts    []namedItem       `json:"volumeMounts"`
	VolumeDevices   []namedItem       `json:"volumeDevices"`
	SecurityContext *containerContext `json:"securityContext"`
	raw             json.RawMessage
}

// UnmarshalJSON keeps the document beside what is read of it.
func (c *podContainer) UnmarshalJSON(data []byte) error {
	type plain podContainer // without this method
	if err := json.Unmarshal(data, (*plain)(c)); err != nil {
		return err
	}
	c.raw = append(json.RawMessage(nil), data...)
	return nil
}

type podEnv struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	ValueFrom *struct {
		SecretKeyRef *namedItem `json:"secretKeyRef"`
	} `json:"valueFrom"`
}

type podSource struct {
	SecretRef *namedItem `json:"secretRef"`
}

type namedItem struct {
	Name string `json:"name"`
}

type podVolume struct {
	Name     string `json:"name"`
	HostPath *struct {
		Path string `json:"path"`
	} `json:"hostPath"`
	raw json.RawMessage
}

// UnmarshalJSON keeps the document beside what is read of it.
func (v *podVolume) UnmarshalJSON(data []byte) error {
	type plain podVolume // without this method
	if err := json.Unmarshal(data, (*plain)(v)); err != nil {
		return err
	}
	v.raw = append(json.RawMessage(nil), data...)
	return nil
}

// readPod decodes the object of a request.
func readPod(object []byte) (*pod, error) {
	if len(object) == 0 || string(object) == "null" {
		return nil, errors.New("the request has no object")
	}
	if err := checkSize(object); err != nil {
		return nil, err
	}
	var p pod
	if err := json.Unmarshal(object, &p); err != nil {
		return nil, fmt.Errorf("the object is not a Pod: %w", err)
	}
	if len(p.Spec.Containers) == 0 {
		return nil, errors.New("the object is not a Pod: it has no containers")
	}
	return &p, nil
}

// maxItems bounds the lists of a Pod. Empty items are three bytes in a review, and take a
// hundred times as much once they are read and answered.
const maxItems = 1000

// errTooLong is about a Pod that is refused. It is no malformed review, with which a
// failurePolicy of Ignore would let the Pod start without the gateway.
var errTooLong = errors.New("the Pod has lists that are too long")

// checkSize refuses longer lists. It reads items of no size, which take no memory.
func checkSize(object []byte) error {
	var outer struct {
		Spec struct {
			Containers, InitContainers, EphemeralContainers, Volumes []struct{}
		}
	}
	if err := json.Unmarshal(object, &outer); err != nil {
		return fmt.Errorf("the object is not a Pod: %w", err)
	}
	if len(outer.Spec.Containers)+len(outer.Spec.InitContainers)+len(outer.Spec.EphemeralContainers) > maxItems || len(outer.Spec.Volumes) > maxItems {
		return fmt.Errorf("%w: more than %d containers or volumes", errTooLong, maxItems)
	}
	var inner struct {
		Spec struct {
			Containers, InitContainers, EphemeralContainers []struct {
				Env, EnvFrom, Ports, VolumeMounts, VolumeDevices []struct{}
			}
		}
	}
	if err := json.Unmarshal(object, &inner); err != nil {
		return fmt.Errorf("the object is not a Pod: %w", err)
	}
	for _, c := range slices.Concat(inner.Spec.Containers, inner.Spec.InitContainers, inner.Spec.EphemeralContainers) {
		if len(c.EnvFrom) > maxItems || len(c.Ports) > maxItems || len(c.VolumeMounts) > maxItems || len(c.VolumeDevices) > maxItems || len(c.Env) > 10*maxItems {
			return fmt.Errorf("%w: a container has more than %d items in one, or %d variables", errTooLong, maxItems, 10*maxItems)
		}
	}
	return nil
}

// title is what the Pod is called, or will be.
func (p *pod) title() string {
	if p.Metadata.Name != "" {
		return p.Metadata.Name
	}
	return p.Metadata.GenerateName
}

// others returns each container that is not the gateway, with its place in the document.
func (p *pod) others() []placed {
	var all []placed
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; c.Name != containerName {
			all = append(all, placed{c, fmt.Sprintf("/spec/initContainers/%d", i)})
		}
	}
	for i := range p.Spec.Containers {
		all = append(all, placed{&p.Spec.Containers[i], fmt.Sprintf("/spec/containers/%d", i)})
	}
	return all
}

type placed struct {
	*podContainer
	path string
}

// gateway returns the container that the webhook has added, or that pretends to be it.
func (p *pod) gateway() *podContainer {
	if at := p.gatewayAt(); at >= 0 {
		return &p.Spec.InitContainers[at]
	}
	return nil
}

// gatewayAt returns its place among the init containers, or -1.
func (p *pod) gatewayAt() int {
	return slices.IndexFunc(p.Spec.InitContainers, func(c podContainer) bool { return c.Name == containerName })
}

// user returns whom a container runs as, if the Pod says so.
func (p *pod) user(c *podContainer) (int64, bool) {
	if own := c.SecurityContext; own != nil && own.RunAsUser != nil {
		return *own.RunAsUser, true
	}
	if pods := p.Spec.SecurityContext; pods != nil && pods.RunAsUser != nil {
		return *pods.RunAsUser, true
	}
	return 0, false
}

// windows reports whether the Pod is for a Windows node.
func (p *pod) windows() bool {
	if p.Spec.OS != nil && strings.EqualFold(p.Spec.OS.Name, "windows") || strings.EqualFold(p.Spec.NodeSelector["kubernetes.io/os"], "windows") {
		return true
	}
	return p.Spec.SecurityContext != nil && len(p.Spec.SecurityContext.WindowsOptions) > 0 && string(p.Spec.SecurityContext.WindowsOptions) != "null"
}
