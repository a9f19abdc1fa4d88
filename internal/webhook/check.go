package webhook

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// check holds a configuration to what Kubernetes and the gateway take, so that a
// mistake shows when the file is read and not in every Pod.
type check struct {
	root   *yaml.Node
	config *Config
}

var (
	imageForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`)
	nameForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	keyForm      = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)
	quantityForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(m|[kKMGTPE]i?)?$`)
)

// ownFlags are those that the webhook sets itself.
var ownFlags = []string{"--workspace", "--listen", "--mode", "--profile", "--health", "--admin", "--usage", "--authority", "--authority-token-file", "--authority-trust", "--authority-certificate", "--authority-key", "--edge-name"}

func (c *check) all() error {
	for _, step := range []func() error{c.image, c.workspace, c.mode, c.credential, c.args, c.resources, c.numbers, c.words, c.powers} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// wrong is an error about the value at a path, or about where it is missing.
func (c *check) wrong(format string, args []any, path ...string) error {
	return at(find(c.root, path...), format, args...)
}

func (c *check) image() error {
	if c.config.Image == "" {
		return c.wrong("image is missing; write image: scopegate/scopegate:<version>", nil, "image")
	}
	for _, image := range append([]string{c.config.Image}, c.config.AllowOverrides.Image...) {
		if !imageForm.MatchString(image) {
			return c.wrong("%q is not the name of an image, such as scopegate/scopegate:1.0.0", []any{image}, "image")
		}
	}
	return nil
}

func (c *check) workspace() error {
	if c.config.Workspace == "" {
		return c.wrong("workspace is missing; write workspace: https://<name>.cloud.databricks.com", nil, "workspace")
	}
	canonical := func(s *string, path ...string) error {
		u, err := workspaceurl.Parse(*s)
		if err == nil {
			err = workspaceurl.CheckScheme(u, slices.Contains(c.config.ExtraArgs, "--insecure-http"))
		}
		if err != nil {
			return c.wrong("%w", []any{err}, path...)
		}
		*s = u.String()
		return nil
	}
	if err := canonical(&c.config.Workspace, "workspace"); err != nil {
		return err
	}
	for i := range c.config.AllowOverrides.Workspace {
		if err := canonical(&c.config.AllowOverrides.Workspace[i], "allowOverrides", "workspace"); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) mode() error {
	if !isMode(c.config.Mode) {
		return c.wrong("mode must be enforce or observe, not %q", []any{c.config.Mode}, "mode")
	}
	for _, mode := range c.config.AllowOverrides.Mode {
		if !isMode(mode) {
			return c.wrong("mode must be enforce or observe, not %q", []any{mode}, "allowOverrides", "mode")
		}
	}
	return nil
}

func isMode(s string) bool { return s == "enforce" || s == "observe" }

func (c *check) credential() error {
	secret, authority := c.config.Credential.Secret, c.config.Credential.Authority
	switch {
	case secret == nil && authority == nil:
		return c.wrong("credential needs secret (a Secret in the Pod's namespace) or authority (gateways to ask)", nil, "credential")
	case secret != nil && authority != nil:
		return c.wrong("credential has secret and authority; keep one of them", nil, "credential", "authority")
	case secret != nil:
		return c.secret(secret)
	}
	return c.authority(authority)
}

func (c *check) secret(s *SecretCredential) error {
	here := []string{"credential", "secret"}
	if !nameForm.MatchString(s.Name) {
		return c.wrong("credential.secret.name must be the name of a Secret, not %q", []any{s.Name}, append(here, "name")...)
	}
	switch {
	case s.ConfigFile != "" && (s.ClientID != "" || s.ClientSecret != ""):
		return c.wrong("credential.secret has configFile and clientID or clientSecret; keep one of the two ways", nil, append(here, "configFile")...)
	case s.ConfigFile == "" && (s.ClientID == "" || s.ClientSecret == ""):
		return c.wrong("credential.secret needs the key of a Databricks configuration file as configFile, or two keys as clientID and clientSecret", nil, here...)
	}
	switch {
	case s.ConfigFile == "" && s.Profile != "":
		return c.wrong("credential.secret.profile goes with configFile", nil, append(here, "profile")...)
	case s.Profile == "":
		s.Profile = "DEFAULT"
	case !keyForm.MatchString(s.Profile):
		return c.wrong("credential.secret.profile must be the name of a profile: letters, digits, dots, dashes and underscores", nil, append(here, "profile")...)
	}
	for name, key := range map[string]string{"configFile": s.ConfigFile, "clientID": s.ClientID, "clientSecret": s.ClientSecret} {
		if key != "" && !keyForm.MatchString(key) {
			return c.wrong("credential.secret.%s must be a key of the Secret: letters, digits, dots, dashes and underscores", []any{name}, append(here, name)...)
		}
	}
	return nil
}

func (c *check) authority(a *AuthorityCredential) error {
	here := []string{"credential", "authority"}
	if len(a.URLs) == 0 {
		return c.wrong("credential.authority.urls is missing; write urls: [https://authority.scopegate.svc:9443]", nil, append(here, "urls")...)
	}
	for _, u := range a.URLs {
		if !usesHTTPS(u) || strings.Contains(u, ",") {
			return c.wrong("each of credential.authority.urls must be https://<host>:<port>", nil, append(here, "urls")...)
		}
	}
	if a.Audience == "" {
		return c.wrong("credential.authority.audience is missing; write the audience that the authorities expect, such as scopegate", nil, append(here, "audience")...)
	}
	if a.ExpirationSeconds == 0 {
		a.ExpirationSeconds = 3600
	}
	if a.ExpirationSeconds < 600 || a.ExpirationSeconds > 1<<32 {
		return c.wrong("credential.authority.expirationSeconds must be at least 600", nil, append(here, "expirationSeconds")...)
	}
	if a.Trust != nil && (!nameForm.MatchString(a.Trust.ConfigMap) || !keyForm.MatchString(a.Trust.Key)) {
		return c.wrong("credential.authority.trust needs configMap and key", nil, append(here, "trust")...)
	}
	return nil
}

func (c *check) args() error {
	for _, arg := range c.config.ExtraArgs {
		flag, _, _ := strings.Cut(arg, "=")
		switch {
		case !strings.HasPrefix(flag, "--") || flag == "--":
			return c.wrong("each of extraArgs must be --flag or --flag=value, not %q", []any{arg}, "extraArgs")
		case slices.Contains(ownFlags, flag):
			return c.wrong("extraArgs must not have %s: the webhook sets it; use the fields of this file", []any{flag}, "extraArgs")
		}
	}
	return nil
}

func (c *check) resources() error {
	for name, list := range map[string]map[string]string{"requests": c.config.Resources.Requests, "limits": c.config.Resources.Limits} {
		for resource, quantity := range list {
			if !quantityForm.MatchString(quantity) {
				return c.wrong("resources.%s.%s must be a quantity such as 50m or 128Mi, not %q", []any{name, resource, quantity}, "resources", name, resource)
			}
		}
	}
	return nil
}

func (c *check) numbers() error {
	for name, port := range map[string]int{"proxy": c.config.Ports.Proxy, "health": c.config.Ports.Health} {
		if port < 1024 || port > 65535 {
			return c.wrong("ports.%s must be from 1024 to 65535, because the gateway is not root; not %d", []any{name, port}, "ports", name)
		}
	}
	if c.config.Ports.Proxy == c.config.Ports.Health {
		return c.wrong("ports.proxy and ports.health must differ", nil, "ports", "health")
	}
	if c.config.RunAsUser < 1 || c.config.RunAsUser > 1<<31-1 {
		return c.wrong("runAsUser must be a user other than root, such as 65532", nil, "runAsUser")
	}
	if c.config.RunAsGroup < 1 || c.config.RunAsGroup > 1<<31-1 {
		return c.wrong("runAsGroup must be a group other than root's, such as 65532", nil, "runAsGroup")
	}
	return nil
}

func (c *check) words() error {
	for _, word := range []struct {
		name, value string
		known       []string
	}{
		{"imagePullPolicy", c.config.ImagePullPolicy, []string{"Always", "IfNotPresent", "Never"}},
		{"probes", c.config.Probes, []string{probesExec, probesHTTP}},
		{"env", c.config.Env, []string{envSet, envReplace, envLeave}},
	} {
		if !slices.Contains(word.known, word.value) {
			return c.wrong("%s must be one of %s, not %q", []any{word.name, strings.Join(word.known, ", "), word.value}, word.name)
		}
	}
	return nil
}
