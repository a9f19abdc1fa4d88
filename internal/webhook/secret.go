package webhook

import (
	"encoding/json"
	"slices"
	"strings"
)

// secretFields are the members of volumes that name a Secret in an object of their own. A
// list of kinds of volumes would miss the next one.
var secretFields = []string{
	"secret",               // of a source of projected
	"secretRef",            // of flexVolume, cephfs, cinder, iscsi, rbd, scaleIO and storageos
	"nodePublishSecretRef", // of csi
}

// reads reports whether the Pod itself mounts or reads a Secret.
func (p *pod) reads(secret string) bool {
	for _, v := range p.Spec.Volumes {
		if strings.HasPrefix(v.Name, volumePrefix) {
			continue // the webhook's own
		}
		var document any
		if json.Unmarshal(v.raw, &document) == nil && names(document, secret) {
			return true
		}
	}
	for _, c := range p.others() {
		if c.reads(secret) {
			return true
		}
	}
	return false
}

// reads reports whether a container has variables of a Secret.
func (c *podContainer) reads(secret string) bool {
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == secret {
			return true
		}
	}
	for _, e := range c.EnvFrom {
		if e.SecretRef != nil && e.SecretRef.Name == secret {
			return true
		}
	}
	return false
}

// names reports whether any part of a volume names a Secret.
func names(value any, secret string) bool {
	switch value := value.(type) {
	case object:
		if value["secretName"] == secret { // of secret and azureFile
			return true
		}
		for name, inner := range value {
			if o, ok := inner.(object); ok && slices.Contains(secretFields, name) && o["name"] == secret {
				return true
			}
			if names(inner, secret) {
				return true
			}
		}
	case []any:
		for _, inner := range value {
			if names(inner, secret) {
				return true
			}
		}
	}
	return false
}
