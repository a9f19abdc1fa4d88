package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/secretref"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// Admin is the credential that scopegate uses to look up tokens. Set a profile, or a
// client id and secret, or a token; or, for none at all, authorities.
type Admin struct {
	// Name of a profile of the Databricks configuration file (`~/.databrickscfg`,
	// or the file that `DATABRICKS_CONFIG_FILE` names).
	Profile string `json:"profile,omitempty"`

	// Client id (application id) of a service principal that is a workspace admin.
	// This is the recommended way. Placeholders are supported.
	ClientID string `json:"client_id,omitempty"`

	// OAuth secret of the service principal, as a placeholder: `{file./path}` or
	// `{env.NAME}`. A literal secret is refused, because the configuration can be
	// read in many places.
	ClientSecret string `json:"client_secret,omitempty"`

	// Personal access token of a workspace admin, as a placeholder.
	Token string `json:"token,omitempty"`

	// Gateways that look up tokens for this one, which then is an edge without an admin
	// credential.
	Authority *AdminAuthority `json:"authority,omitempty"`
}

func (a *Admin) validate() error {
	if a == nil {
		return nil
	}
	ways := 0
	for _, used := range []bool{a.Profile != "", a.ClientID != "" || a.ClientSecret != "", a.Token != "", a.Authority != nil} {
		if used {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("admin is empty; set profile, or client_id and client_secret, or token, or authority, or omit admin to use the SDK's unified authentication")
	case ways > 1 && a.Authority != nil:
		return errors.New("admin has an authority and a credential; an edge holds no credential of the workspace, so keep one of the two")
	case ways > 1:
		return errors.New("admin has more than one credential; set profile, or client_id and client_secret, or token")
	case a.ClientID != "" && a.ClientSecret == "":
		return errors.New("admin has a client_id but no client_secret")
	case a.ClientID == "" && a.ClientSecret != "":
		return errors.New("admin has a client_secret but no client_id")
	}
	return errors.Join(secretPlaceholder("admin client_secret", a.ClientSecret), secretPlaceholder("admin token", a.Token), a.Authority.validate())
}

// isEdge reports whether the gateway asks authorities. It works on nil.
func (a *Admin) isEdge() bool { return a != nil && a.Authority != nil }

// secretPlaceholder refuses a secret that is written into the configuration. {$NAME}
// counts as such: Caddy replaces it when it reads the Caddyfile, so the secret would
// end up in the JSON that the admin API shows and that Caddy saves.
func secretPlaceholder(name, value string) error {
	if value == "" || secretref.IsOne(value) {
		return nil
	}
	return fmt.Errorf("%s must be a placeholder, {file./path/to/secret} or {env.NAME}, which keeps the secret out of the configuration ({$NAME} does not)", name)
}

// credential returns the credential as look-ups take it. Secrets are read when they are
// used, so that validation needs none and a rotated secret is picked up.
func (a Admin) credential() tokens.Admin {
	admin := tokens.Admin{Profile: a.Profile}
	if a.Authority != nil {
		// Not the environment's credential, which is most likely the client's own.
		admin.Token = func() (string, error) { return "", errEdge }
	}
	if a.ClientSecret != "" {
		admin.ClientID = caddy.NewReplacer().ReplaceKnown(a.ClientID, "")
		admin.ClientSecret = func() (string, error) { return readSecret("admin client_secret", a.ClientSecret) }
	}
	if a.Token != "" {
		admin.Token = func() (string, error) { return readSecret("admin token", a.Token) }
	}
	return admin
}

// check reports a credential that cannot work because what it names does not exist or is
// empty. It reads files and the environment only. It works on nil.
func (a *Admin) check(workspace string) error {
	if a == nil {
		return nil
	}
	if a.Authority != nil {
		return a.Authority.check()
	}
	if a.ClientID != "" && caddy.NewReplacer().ReplaceKnown(a.ClientID, "") == "" {
		return fmt.Errorf("admin client_id: %s", cmp.Or(secretref.Problem(a.ClientID), a.ClientID+" is empty"))
	}
	for name, secret := range map[string]string{"client_secret": a.ClientSecret, "token": a.Token} {
		if secret == "" {
			continue
		}
		if _, err := readSecret("admin "+name, secret); err != nil {
			return err
		}
	}
	if err := a.credential().Check(workspace); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

func readSecret(name, secret string) (string, error) {
	value, problem := secretref.Read(secret)
	switch {
	case problem != "":
		return "", fmt.Errorf("%s: %s", name, problem)
	case value == "": // it is no placeholder, which validation refuses
		return "", fmt.Errorf("%s: %s is empty or unreadable; check that it exists and that this process may read it", name, secret)
	}
	return value, nil
}

// readSecrets is readSecret for several.
func readSecrets(name string, secrets []string) (values []string, err error) {
	for _, secret := range secrets {
		value, err := readSecret(name, secret)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// resolveWorkspace returns the URL of the workspace that is configured or, where none
// is, of the environment or the admin's profile.
func resolveWorkspace(configured string, admin *Admin) (string, error) {
	named := caddy.NewReplacer().ReplaceKnown(configured, "")
	if configured == "" {
		named = os.Getenv(workspaceurl.Variable)
	}
	profile := ""
	if admin != nil {
		profile = admin.Profile
	}
	return workspaceurl.Find(named, profile)
}
