package webhook

import (
	"net"
	"strconv"
	"strings"
)

// Names of what the webhook adds.
const (
	containerName    = "scopegate"
	volumePrefix     = "scopegate-"
	runVolume        = volumePrefix + "run"
	credentialVolume = volumePrefix + "credential"
	trustVolume      = volumePrefix + "trust"
	program          = "/usr/bin/scopegate"
	runFolder        = "/run/scopegate"
	credentialFolder = "/etc/scopegate/credentials"
	trustFolder      = "/etc/scopegate/trust"
	configFileName   = "databrickscfg"
	tokenFileName    = "token"
	trustFileName    = "ca.pem"
)

// object is a JSON object. Its members are sorted when it is written, so a patch is
// always the same.
type object = map[string]any

// choice is a gateway as one Pod gets it: the configuration with what the Pod may
// choose.
type choice struct {
	*Config
	image, workspace, mode string
}

// clientURL is where the clients of the Pod send their requests.
func (c *Config) clientURL() string { return "http://127.0.0.1:" + strconv.Itoa(c.Ports.Proxy) }

func (c choice) args() []any {
	health := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Ports.Health))
	if c.Probes == probesHTTP {
		health = ":" + strconv.Itoa(c.Ports.Health) // the node does not come by loopback
	}
	args := []any{
		"sidecar",
		"--workspace=" + c.workspace,
		"--mode=" + c.mode,
		"--listen=127.0.0.1:" + strconv.Itoa(c.Ports.Proxy),
		"--health=" + health,
		"--usage=off", // no storage to save it in
	}
	if s := c.Credential.Secret; s != nil && s.ConfigFile != "" {
		args = append(args, "--profile="+s.Profile)
	}
	if a := c.Credential.Authority; a != nil {
		args = append(args, "--authority="+strings.Join(a.URLs, ","), "--authority-token-file="+credentialFolder+"/"+tokenFileName)
		if a.Trust != nil {
			args = append(args, "--authority-trust="+trustFolder+"/"+trustFileName)
		}
	}
	for _, arg := range c.ExtraArgs {
		args = append(args, arg)
	}
	return args
}

// container returns the gateway's container.
func (c choice) container() object {
	container := object{
		"name":            containerName,
		"image":           c.image,
		"imagePullPolicy": c.ImagePullPolicy,
		"restartPolicy":   "Always", // what makes an init container a sidecar
		"command":         []any{program},
		"args":            c.args(),
		"securityContext": object{
			"runAsUser":                c.RunAsUser,
			"runAsGroup":               c.RunAsGroup,
			"runAsNonRoot":             true,
			"privileged":               false,
			"readOnlyRootFilesystem":   true,
			"allowPrivilegeEscalation": false,
			"capabilities":             object{"drop": []any{"ALL"}},
			"seccompProfile":           object{"type": "RuntimeDefault"},
		},
		// A slow workspace must not kill a gateway that starts: two minutes.
		"startupProbe":   c.probe("/readyz", object{"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 60}),
		"readinessProbe": c.probe("/readyz", object{"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}),
		"livenessProbe":  c.probe("/livez", object{"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}),
		"volumeMounts":   c.mounts(),
	}
	if env := c.env(); len(env) > 0 {
		container["env"] = env
	}
	if len(c.Resources.Requests)+len(c.Resources.Limits) > 0 {
		container["resources"] = c.Resources
	}
	return container
}

func (c choice) probe(path string, probe object) object {
	if c.Probes == probesHTTP {
		probe["httpGet"] = object{"path": path, "port": c.Ports.Health}
		return probe
	}
	command := []any{program, "probe", "--address", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Ports.Health))}
	if path == "/livez" {
		command = append(command, "--live")
	}
	probe["exec"] = object{"command": command}
	return probe
}

// env returns the gateway's environment: where its credential is.
func (c choice) env() []any {
	s := c.Credential.Secret
	switch {
	case s == nil:
		return nil
	case s.ConfigFile != "":
		return []any{object{"name": "DATABRICKS_CONFIG_FILE", "value": credentialFolder + "/" + configFileName}}
	}
	from := func(name, key string) any {
		return object{"name": name, "valueFrom": object{"secretKeyRef": object{"name": s.Name, "key": key}}}
	}
	return []any{from("DATABRICKS_CLIENT_ID", s.ClientID), from("DATABRICKS_CLIENT_SECRET", s.ClientSecret)}
}

func (c choice) mounts() []any {
	mounts := []any{object{"name": runVolume, "mountPath": runFolder}}
	for _, v := range c.volumes() {
		switch v["name"] {
		case credentialVolume:
			mounts = append(mounts, object{"name": credentialVolume, "mountPath": credentialFolder, "readOnly": true})
		case trustVolume:
			mounts = append(mounts, object{"name": trustVolume, "mountPath": trustFolder, "readOnly": true})
		}
	}
	return mounts
}

// volumes returns what the gateway mounts. The files belong to root and are readable
// for all, because a group of their own (fsGroup) would change the Pod's other volumes;
// only the gateway mounts them.
func (c choice) volumes() []object {
	const readable = 0o444
	volumes := []object{{"name": runVolume, "emptyDir": object{"medium": "Memory", "sizeLimit": "16Mi"}}}
	if s := c.Credential.Secret; s != nil && s.ConfigFile != "" {
		volumes = append(volumes, object{"name": credentialVolume, "secret": object{
			"secretName":  s.Name,
			"defaultMode": readable,
			"items":       []any{object{"key": s.ConfigFile, "path": configFileName}},
		}})
	}
	if a := c.Credential.Authority; a != nil {
		volumes = append(volumes, object{"name": credentialVolume, "projected": object{
			"defaultMode": readable,
			"sources": []any{object{"serviceAccountToken": object{
				"audience":          a.Audience,
				"expirationSeconds": a.ExpirationSeconds,
				"path":              tokenFileName,
			}}},
		}})
		if a.Trust != nil {
			volumes = append(volumes, object{"name": trustVolume, "configMap": object{
				"name":        a.Trust.ConfigMap,
				"defaultMode": readable,
				"items":       []any{object{"key": a.Trust.Key, "path": trustFileName}},
			}})
		}
	}
	return volumes
}
