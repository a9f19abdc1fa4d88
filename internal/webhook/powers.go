package webhook

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// harmlessCapabilities are those that the Pod Security Standard baseline lets a container
// add. None of them reaches out of the container.
var harmlessCapabilities = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

// powers says what lets a container reach the gateway's memory, files or network from
// beside it.
func (c *Config) powers(other *podContainer) error {
	context := other.SecurityContext
	if context == nil {
		return nil
	}
	if context.Privileged {
		return fmt.Errorf("the container %s is privileged, so it can read the memory and the files of the gateway; remove privileged, or run the container in a Pod without the label %s", other.Name, labelInject)
	}
	for _, added := range context.Capabilities.Add {
		name := capability(added)
		if !slices.Contains(harmlessCapabilities, name) && !slices.Contains(c.AllowCapabilities, name) {
			return fmt.Errorf("the container %s adds the capability %q, with which it may reach the gateway's memory, files or network; remove it, or add it to allowCapabilities in the webhook's configuration", other.Name, added)
		}
	}
	if context.ProcMount != "" && context.ProcMount != "Default" {
		return fmt.Errorf("the container %s has procMount %q, which shows it more of the node's kernel; remove procMount", other.Name, context.ProcMount)
	}
	return nil
}

// capability returns a name as Kubernetes documents it. Runtimes take it with CAP_, too.
func capability(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "CAP_") }

// hostPath refuses folders of the node: below the kubelet's are the volumes of all Pods,
// and sockets of the runtime start any process.
func (c *Config) hostPath(volume podVolume) error {
	if volume.HostPath == nil || slices.Contains(c.AllowHostPaths, path.Clean(volume.HostPath.Path)) {
		return nil
	}
	return fmt.Errorf("the volume %s is the hostPath %q of the node, where the gateway's files and processes may be reached; use another kind of volume, or add the path to allowHostPaths in the webhook's configuration", volume.Name, volume.HostPath.Path)
}

// gatewayPaths are where a node keeps the volumes and processes of its Pods.
var gatewayPaths = []string{"/var/lib/kubelet", "/proc"}

// powers checks the exceptions, and writes them as they are compared.
func (c *check) powers() error {
	for i, allowed := range c.config.AllowHostPaths {
		clean := path.Clean(allowed)
		if !path.IsAbs(allowed) || strings.Contains(allowed, "..") {
			return c.wrong("each of allowHostPaths must be an absolute path without .., not %q", []any{allowed}, "allowHostPaths")
		}
		for _, known := range gatewayPaths {
			if within(known, clean) || within(clean, known) {
				return c.wrong("allowHostPaths must not have %s: with it, Pods read the gateway's credential in %s", []any{allowed, known}, "allowHostPaths")
			}
		}
		c.config.AllowHostPaths[i] = clean
	}
	for i, allowed := range c.config.AllowCapabilities {
		name := capability(allowed)
		if name == "" || name == "ALL" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
			return c.wrong("each of allowCapabilities must be the name of one capability, such as NET_ADMIN, not %q", []any{allowed}, "allowCapabilities")
		}
		c.config.AllowCapabilities[i] = name
	}
	return nil
}

// within reports whether a clean path is a folder or below it.
func within(folder, name string) bool {
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, "/")+"/")
}
