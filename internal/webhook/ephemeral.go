package webhook

import "fmt"

// decideEphemeral returns what becomes of ephemeral containers that are added to a running
// Pod. It does not ask for the label, which whoever may update Pods can remove, nor for
// --on-error: the gateway runs already, and has secrets.
func decideEphemeral(config *Config, p *pod) verdict {
	gateway := p.gateway()
	if gateway == nil {
		return verdict{outcome: outcomeIgnored}
	}
	c := choice{Config: config}
	if err := c.ephemeral(p); err != nil {
		return verdict{outcome: outcomeRefused, reason: err.Error()}
	}
	v := verdict{outcome: outcomeEphemeral}
	// The configuration may have changed since the Pod got its gateway.
	user, known := p.user(gateway)
	for i := range p.Spec.EphemeralContainers {
		added := &p.Spec.EphemeralContainers[i]
		if own, set := p.user(added); known && set && own == user {
			return verdict{outcome: outcomeRefused, reason: sameUser(added, user)}
		}
		if s := config.Credential.Secret; s != nil && added.reads(s.Name) {
			v.warnings = append(v.warnings, fmt.Sprintf("scopegate: the ephemeral container %s reads the Secret %s itself, which holds the gateway's credential", added.Name, s.Name))
		}
	}
	return v
}

// ephemeral says what keeps an ephemeral container from running beside the gateway.
func (c choice) ephemeral(p *pod) error {
	for i := range p.Spec.EphemeralContainers {
		added := &p.Spec.EphemeralContainers[i]
		if added.TargetContainerName == containerName {
			return fmt.Errorf("the ephemeral container %s has targetContainerName: %s, so it can see the gateway's process and may read its secrets; target another container (kubectl debug --target)", added.Name, containerName)
		}
		if err := c.against(p, placed{podContainer: added}); err != nil {
			return err
		}
	}
	return nil
}
