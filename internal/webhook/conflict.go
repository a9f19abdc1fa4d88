package webhook

import (
	"errors"
	"fmt"
	"strings"
)

// conflict says why a Pod and the gateway do not go together, and what to do.
func conflict(c choice, p *pod) error {
	share := p.Spec.ShareProcessNamespace
	switch {
	case p.windows():
		return errors.New("the Pod is for Windows, where the gateway's image does not run; remove the label " + labelInject + " and run the gateway in a Pod of its own")
	case p.Spec.HostNetwork:
		return errors.New("the Pod has hostNetwork: true, so every Pod of the node that has it could use this gateway, and two of them would listen on one port; remove hostNetwork, or run the gateway in a Pod of its own")
	case p.Spec.HostPID:
		return errors.New("the Pod has hostPID: true, so its containers can see the gateway's process and its secrets; remove hostPID")
	case p.Spec.HostIPC:
		return errors.New("the Pod has hostIPC: true, so it shares memory with the node and its other Pods; remove hostIPC")
	case share != nil && *share:
		return errors.New("the Pod has shareProcessNamespace: true, so its containers can see the gateway's process and may read its secrets; remove shareProcessNamespace")
	}
	for _, volume := range p.Spec.Volumes {
		if p.gateway() == nil && strings.HasPrefix(volume.Name, volumePrefix) {
			return fmt.Errorf("the Pod has a volume %s; names that start with %s are the gateway's, so rename the volume", volume.Name, volumePrefix)
		}
		if err := c.hostPath(volume); err != nil {
			return err
		}
	}
	for _, other := range p.others() {
		if err := c.against(p, other); err != nil {
			return err
		}
	}
	return c.ephemeral(p)
}

// sameUser says that a container runs as the gateway does.
func sameUser(c *podContainer, user int64) string {
	return fmt.Sprintf("the container %s runs as the gateway's user %d; give it another runAsUser (also if it is the Pod's), or set runAsUser in the webhook's configuration", c.Name, user)
}

// against says what keeps one container from running beside the gateway.
func (c choice) against(p *pod, other placed) error {
	if other.Name == containerName {
		return fmt.Errorf("the Pod has a container %s; the name is the gateway's, so rename the container", containerName)
	}
	if user, known := p.user(other.podContainer); known && user == c.RunAsUser {
		return errors.New(sameUser(other.podContainer, user))
	}
	if err := c.powers(other.podContainer); err != nil {
		return err
	}
	for _, port := range other.Ports {
		field := ""
		switch {
		case port.Protocol != "" && port.Protocol != "TCP":
		case port.ContainerPort == c.Ports.Proxy:
			field = "proxy"
		case port.ContainerPort == c.Ports.Health:
			field = "health"
		}
		if field != "" {
			return fmt.Errorf("the container %s has port %d, which the gateway needs; change it, or set ports.%s in the webhook's configuration", other.Name, port.ContainerPort, field)
		}
	}
	for _, used := range append(other.VolumeMounts, other.VolumeDevices...) {
		// A mount of a volume that does not exist yet becomes valid with the gateway's.
		if strings.HasPrefix(used.Name, volumePrefix) {
			return fmt.Errorf("the container %s mounts the volume %s; names that start with %s are the gateway's, which no other container may mount", other.Name, used.Name, volumePrefix)
		}
	}
	return nil
}
