package webhook

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// What Pods say to the webhook.
const (
	labelInject         = "scopegate.io/inject"
	annotationWorkspace = "scopegate.io/workspace"
	annotationMode      = "scopegate.io/mode"
	annotationImage     = "scopegate.io/image"
	hostVariable        = "DATABRICKS_HOST"
)

// What a webhook did with a Pod, for its log.
const (
	outcomeInjected  = "injected"
	outcomePresent   = "already injected"
	outcomeIgnored   = "not asked for"
	outcomeRefused   = "refused"
	outcomeWithout   = "allowed without the gateway"
	outcomeEphemeral = "ephemeral containers allowed"
)

// ErrorPolicy says what becomes of a Pod that cannot get the gateway.
type ErrorPolicy string

// The policies of --on-error.
const (
	Deny  ErrorPolicy = "deny"
	Allow ErrorPolicy = "allow"
)

// verdict is what the webhook decides about a Pod.
type verdict struct {
	outcome  string
	reason   string // of a refusal, or of going without the gateway
	patch    []operation
	warnings []string
}

// decide returns what becomes of a Pod. It has no side effects, so dry runs are alike.
func decide(config *Config, policy ErrorPolicy, p *pod) verdict {
	if value, asked := p.Metadata.Labels[labelInject]; value != "true" {
		v := verdict{outcome: outcomeIgnored}
		if asked && value != "false" {
			v.warnings = []string{fmt.Sprintf("scopegate: the label %s must be \"true\" or \"false\", not %q; the gateway was not added", labelInject, value)}
		}
		return v
	}
	c, err := choose(config, p.Metadata.Annotations)
	if err != nil {
		return verdict{outcome: outcomeRefused, reason: err.Error()}
	}
	present := p.gateway()
	if present != nil {
		// This is not for --on-error: a container that only bears the name would let its
		// author choose what is enforced.
		if err := c.verify(p, present); err != nil {
			return verdict{outcome: outcomeRefused, reason: err.Error()}
		}
	}
	if err := conflict(c, p); err != nil {
		if policy == Allow && present == nil {
			return verdict{outcome: outcomeWithout, reason: err.Error(), warnings: []string{"scopegate: the gateway was not added: " + err.Error()}}
		}
		return verdict{outcome: outcomeRefused, reason: err.Error()}
	}
	v := verdict{outcome: outcomePresent}
	v.patch, v.warnings = pointClients(c.Config, p)
	if present == nil {
		v.outcome = outcomeInjected
		v.patch = append(v.patch, c.add(p)...)
	} else if at := p.gatewayAt(); at > 0 {
		// Another webhook has put a container first. It would run without the gateway, and
		// could listen in its place.
		v.patch = append(v.patch, move(fmt.Sprintf("/spec/initContainers/%d", at), "/spec/initContainers/0"))
	}
	if s := c.Credential.Secret; s != nil && p.reads(s.Name) {
		v.warnings = append(v.warnings, fmt.Sprintf("scopegate: this Pod reads the Secret %s itself, which holds the gateway's credential; take it from the other containers", s.Name))
	}
	return v
}

// choose applies the annotations of a Pod that the configuration permits.
func choose(config *Config, annotations map[string]string) (choice, error) {
	c := choice{Config: config, image: config.Image, workspace: config.Workspace, mode: config.Mode}
	for _, override := range []struct {
		annotation, field string
		value             *string
		allowed           []string
	}{
		{annotationWorkspace, "workspace", &c.workspace, config.AllowOverrides.Workspace},
		{annotationMode, "mode", &c.mode, config.AllowOverrides.Mode},
		{annotationImage, "image", &c.image, config.AllowOverrides.Image},
	} {
		wanted, set := annotations[override.annotation]
		wanted = strings.TrimSuffix(wanted, "/")
		if !set || wanted == *override.value {
			continue
		}
		if !slices.Contains(override.allowed, wanted) {
			return c, fmt.Errorf("the annotation %s asks for a %s that the webhook's configuration does not allow; remove the annotation, or ask the cluster's operator to add the value to allowOverrides.%s", override.annotation, override.field, override.field)
		}
		*override.value = wanted
	}
	return c, nil
}

// add returns the operations that put the gateway first among the init containers, so
// that it runs before all others. They come after those on other init containers, whose
// places they change.
func (c choice) add(p *pod) []operation {
	var patch []operation
	volumes := c.volumes()
	if len(p.Spec.Volumes) == 0 {
		patch = append(patch, add("/spec/volumes", volumes))
	} else {
		for _, v := range volumes {
			patch = append(patch, add("/spec/volumes/-", v))
		}
	}
	if len(p.Spec.InitContainers) == 0 {
		return append(patch, add("/spec/initContainers", []any{c.container()}))
	}
	return append(patch, add("/spec/initContainers/0", c.container()))
}

// pointClients returns the operations that point the other containers at the gateway,
// and warnings about those that it leaves.
func pointClients(config *Config, p *pod) (patch []operation, warnings []string) {
	if config.Env == envLeave {
		return nil, nil
	}
	host := object{"name": hostVariable, "value": config.clientURL()}
	for _, c := range p.others() {
		at := slices.IndexFunc(c.Env, func(e podEnv) bool { return e.Name == hostVariable })
		switch {
		case len(c.Env) == 0:
			patch = append(patch, add(c.path+"/env", []any{host}))
		case at < 0:
			// First, because later variables may refer to it as $(DATABRICKS_HOST).
			patch = append(patch, add(c.path+"/env/0", host))
		case c.allSet(config.clientURL()):
		case config.Env == envReplace:
			for i, e := range c.Env {
				if e.Name == hostVariable && (e.Value != config.clientURL() || e.ValueFrom != nil) {
					patch = append(patch, replace(fmt.Sprintf("%s/env/%d", c.path, i), host))
				}
			}
		default:
			warnings = append(warnings, fmt.Sprintf("scopegate: the container %s sets %s itself and may go around the gateway; remove the variable, or set it to %s", c.Name, hostVariable, config.clientURL()))
		}
	}
	return patch, warnings
}

// allSet reports whether each DATABRICKS_HOST of a container is the gateway.
func (c *podContainer) allSet(url string) bool {
	for _, e := range c.Env {
		if e.Name == hostVariable && (e.Value != url || e.ValueFrom != nil) {
			return false
		}
	}
	return true
}

// encode returns a patch as it is sent.
func encode(patch []operation) ([]byte, error) {
	if len(patch) == 0 {
		return nil, nil
	}
	return json.Marshal(patch)
}
