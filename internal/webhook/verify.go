package webhook

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// verify holds a container that is called like the gateway, and its volumes, to what the
// webhook adds. Only what Kubernetes and other webhooks are known to add is accepted
// beside it: a field that is not known here may change what runs.
func (c choice) verify(p *pod, present *podContainer) error {
	var have, want object
	if err := decode(present.raw, &have); err != nil {
		return err
	}
	if err := convert(c.container(), &want); err != nil {
		return err
	}
	if err := verifyEnv(list(have["env"]), list(want["env"])); err != nil {
		return err
	}
	if err := verifyMounts(list(have["volumeMounts"]), list(want["volumeMounts"])); err != nil {
		return err
	}
	// Kubernetes writes quantities in other words, and other webhooks change them; less of
	// them fails closed. Claims would bring devices.
	resources, _ := have["resources"].(object)
	for name, value := range resources {
		if name != "limits" && name != "requests" && !empty(value) {
			return forged("its resources have " + name)
		}
	}
	for _, name := range []string{"env", "volumeMounts", "resources"} {
		delete(have, name)
		delete(want, name)
	}
	dropDefaults(have, want)
	for name, value := range have {
		switch _, known := want[name]; {
		case known && !reflect.DeepEqual(value, want[name]):
			return forged("its " + name + " differs")
		case !known && !empty(value):
			return forged("it has " + name)
		}
	}
	for name := range want {
		if have[name] == nil {
			return forged("its " + name + " is missing")
		}
	}
	return c.verifyVolumes(p)
}

// dropDefaults removes what Kubernetes adds to a container.
func dropDefaults(have, want object) {
	if have["imagePullPolicy"] == "Always" { // as the admission plugin AlwaysPullImages sets it
		have["imagePullPolicy"] = want["imagePullPolicy"]
	}
	drop := func(from any, name string, standard any) {
		if o, ok := from.(object); ok && o[name] == standard {
			delete(o, name)
		}
	}
	drop(have, "terminationMessagePath", "/dev/termination-log")
	drop(have, "terminationMessagePolicy", "File")
	drop(have["securityContext"], "procMount", "Default")
	for _, name := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		drop(have[name], "successThreshold", 1.0)
		if probe, ok := have[name].(object); ok {
			drop(probe["httpGet"], "scheme", "HTTP")
		}
	}
}

// verifyEnv accepts the gateway's variables, each once, and others that are harmless.
func verifyEnv(have, want []any) error {
	missing := slices.Clone(want)
	for _, item := range have {
		variable, _ := item.(object)
		name, _ := variable["name"].(string)
		at := slices.IndexFunc(missing, func(w any) bool { return reflect.DeepEqual(w, item) })
		switch {
		case at >= 0:
			missing = slices.Delete(missing, at, at+1)
		case name == "" || sensitive(strings.ToUpper(name)):
			return forged("it has the variable " + name)
		}
	}
	if len(missing) > 0 {
		return forged(fmt.Sprintf("it does not have the variable %v", missing[0].(object)["name"]))
	}
	return nil
}

// verifyMounts accepts the gateway's mounts, each once, and those of tokens of the service
// account, which Kubernetes and clouds add.
func verifyMounts(have, want []any) error {
	missing := slices.Clone(want)
	for _, item := range have {
		mount, _ := item.(object)
		for name, value := range mount {
			if empty(value) {
				delete(mount, name)
			}
		}
		if at := slices.IndexFunc(missing, func(w any) bool { return reflect.DeepEqual(w, item) }); at >= 0 {
			missing = slices.Delete(missing, at, at+1)
			continue
		}
		name, _ := mount["name"].(string)
		path, _ := mount["mountPath"].(string)
		if len(mount) != 3 || mount["readOnly"] != true || strings.HasPrefix(name, volumePrefix) || !strings.HasPrefix(path, "/var/run/secrets/") || strings.Contains(path, "..") {
			return forged(fmt.Sprintf("it mounts %s in another way or at another place", name))
		}
	}
	if len(missing) > 0 {
		return forged(fmt.Sprintf("it does not mount %v", missing[0].(object)["name"]))
	}
	return nil
}

// sensitive reports whether a variable, in capital letters, configures the gateway, the
// Databricks SDK, the Go runtime, whom TLS trusts, which programs run or where
// OpenTelemetry sends what the gateway records.
func sensitive(name string) bool {
	if strings.HasSuffix(name, "_PROXY") {
		return true
	}
	for _, prefix := range []string{"DATABRICKS_", "SCOPEGATE_", "ARM_", "GOOGLE_", "XDG_", "CADDY_", "SSL_CERT_", "GODEBUG", "GOTRACEBACK", "HOME", "LD_", "OTEL_", "PATH"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// verifyVolumes holds the volumes of the gateway's names to what the webhook adds.
func (c choice) verifyVolumes(p *pod) error {
	want := map[string]object{}
	for _, volume := range c.volumes() {
		want[volume["name"].(string)] = volume
	}
	for _, volume := range p.Spec.Volumes {
		if !strings.HasPrefix(volume.Name, volumePrefix) {
			continue
		}
		var have, expected object
		if err := decode(volume.raw, &have); err != nil {
			return err
		}
		if err := convert(want[volume.Name], &expected); err != nil {
			return err
		}
		if want[volume.Name] == nil || !reflect.DeepEqual(have, expected) {
			return forged("the volume " + volume.Name + " differs")
		}
		delete(want, volume.Name)
	}
	for name := range want {
		return forged("the volume " + name + " is missing")
	}
	return nil
}

func forged(why string) error {
	return fmt.Errorf("the Pod has an init container %s that is not the webhook's: %s; remove it, the webhook adds the gateway", containerName, why)
}

// empty reports whether a member of an object says no more than its absence.
func empty(value any) bool {
	switch value := value.(type) {
	case object:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return value == nil || value == "" || value == false || value == 0.0
}

// list returns an array, or nothing for any other value.
func list(value any) []any {
	l, _ := value.([]any)
	return l
}

func decode(data []byte, into any) error { return json.Unmarshal(data, into) }

// convert returns what a value is once it has been JSON.
func convert(value, into any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
