package caddymodule

import (
	"errors"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/actions"
	"github.com/scopegate/scopegate/internal/sanitize"
)

// eventChanged: a person changed a token on the page. Data: workspace, token_id, by, action (narrow
// or revoke), former, scopes.
const eventChanged = "databricks_token_changed"

// ConsoleActions lets people narrow and revoke tokens on the page, which is off without it. Who
// confirms a change signs in to the workspace for it, and the change is made as that person. The
// gateway's own credential is never used.
type ConsoleActions struct {
	// Id of an OAuth app connection of the Databricks account (a custom app) whose redirect URLs
	// have `https://<host>/actions/callback` of this page. Placeholders are supported.
	ClientID string `json:"client_id,omitempty"`

	// Its secret, as a placeholder: `{file./path}` or `{env.NAME}`. Default: none, for a public
	// client.
	ClientSecret string `json:"client_secret,omitempty"`

	// OAuth scope that people sign in for: `authentication`, which is what managing tokens needs,
	// or `all-apis` where the account offers nothing narrower. Default: `authentication`.
	Scope string `json:"scope,omitempty"`
}

// actionScopes are what people can sign in for.
var actionScopes = []string{"authentication", "all-apis"}

func (a *ConsoleActions) validate() error {
	if a == nil {
		return nil
	}
	if a.ClientID == "" {
		return errors.New("actions needs the client_id of an OAuth app connection of the account")
	}
	return errors.Join(secretPlaceholder("actions client_secret", a.ClientSecret), oneOf("actions scope", a.Scope, actionScopes))
}

// desk returns what carries the actions out, nil if they are off.
func (c *Console) desk() (*actions.Desk, error) {
	a := c.Actions
	if a == nil {
		return nil, nil
	}
	options := actions.Options{ClientID: caddy.NewReplacer().ReplaceKnown(a.ClientID, ""), Scope: a.Scope, Audit: c.record, Now: c.app.now}
	if options.ClientID == "" {
		return nil, errors.New("actions client_id is empty; it is the id of an OAuth app connection of the account")
	}
	if options.Scope == "" {
		options.Scope = actionScopes[0]
	}
	if a.ClientSecret != "" {
		options.ClientSecret = func() (string, error) { return readSecret("actions client_secret", a.ClientSecret) }
		if _, err := options.ClientSecret(); err != nil {
			return nil, err
		}
	}
	return actions.NewDesk(options), nil
}

// record logs what a person did to a token, or tried to do, and emits an event if it was changed.
func (c *Console) record(attempt *actions.Attempt) {
	clean := func(text string) string { return sanitize.String(text, sanitize.MaxText) }
	former, scopes := clean(strings.Join(attempt.Target.Former, " ")), clean(strings.Join(attempt.Target.To, " "))
	fields := []zap.Field{
		zap.String("workspace", attempt.Workspace), zap.Stringer("token_id", attempt.Target.ID), zap.String("by", clean(attempt.By)), zap.String("user", clean(attempt.User)),
		zap.String("action", string(attempt.Verb)), zap.String("former", former), zap.String("scopes", scopes), zap.String("result", string(attempt.Status)),
	}
	switch {
	case attempt.Changed():
		c.app.logger.Info("a person changed a token on the page", fields...)
		c.app.emit(eventChanged, map[string]any{
			"workspace": attempt.Workspace, "token_id": attempt.Target.ID.String(), "by": clean(attempt.By),
			"action": string(attempt.Verb), "former": former, "scopes": scopes,
		})
	case attempt.Problem == "":
		c.app.logger.Info("a person found that nothing was left to change about a token on the page", fields...)
	case attempt.Sent:
		c.app.logger.Warn("a person may have changed a token on the page: the workspace was asked, and how that ended is not known", append(fields, zap.String("problem", clean(attempt.Problem)))...)
	default:
		c.app.logger.Warn("a person could not change a token on the page", append(fields, zap.String("problem", clean(attempt.Problem)))...)
	}
}

// parseActions reads the block of the option actions.
func parseActions(d *caddyfile.Dispenser, to **ConsoleActions) error {
	*to = new(ConsoleActions)
	if err := eachOption(d, (*to).options(d)); err != nil {
		return err
	}
	return at(d, (*to).validate())
}

func (a *ConsoleActions) options(d *caddyfile.Dispenser) options {
	return options{
		"client_id":     func() error { return oneArg(d, &a.ClientID) },
		"client_secret": func() error { return secretArg(d, "actions", &a.ClientSecret) },
		"scope":         func() error { return choice(d, &a.Scope, actionScopes) },
	}
}
