package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
	"github.com/scopegate/scopegate/scopes"
)

const (
	modeEnforce = "enforce"
	modeObserve = "observe"

	unscopedAllow = "allow"
	unscopedDeny  = "deny"

	oauthDeny   = "deny"
	oauthPass   = "pass"
	oauthVerify = "verify"
)

// Choices of the settings that have them; the first is the default.
var (
	modes    = []string{modeEnforce, modeObserve}
	unscoped = []string{unscopedAllow, unscopedDeny}
	oauths   = []string{oauthDeny, oauthPass, oauthVerify}
)

// Admin is the credential with which scopegate looks up tokens. Set a profile, or
// a client id and secret, or a token.
type Admin struct {
	// Name of a profile of the Databricks configuration file (`~/.databrickscfg`,
	// or the file that `DATABRICKS_CONFIG_FILE` names).
	Profile string `json:"profile,omitempty"`

	// Client id (application id) of a service principal that is a workspace admin.
	// This is the recommended way. Placeholders are supported.
	ClientID string `json:"client_id,omitempty"`

	// OAuth secret of the service principal, as one placeholder: `{file./path}` or
	// `{env.NAME}`. A secret written out here is refused, because configuration is
	// readable in many places.
	ClientSecret string `json:"client_secret,omitempty"`

	// Personal access token of a workspace admin, as one placeholder.
	Token string `json:"token,omitempty"`
}

// Cache says how long what is known about tokens is remembered. Whether a token
// has expired or holds a scope is judged on every request, whatever the cache.
type Cache struct {
	// How many tokens are remembered. Default: `100000`.
	Size int `json:"size,omitempty"`

	// How long what the workspace said about a token is used without asking
	// again. A revoked or narrowed token may pass here for as long. Default: `1m`.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// How long an unknown token is refused without asking again. Default: `10s`.
	NegativeTTL caddy.Duration `json:"negative_ttl,omitempty"`

	// How long past `ttl` what is known is used while the workspace cannot be
	// asked; `0` means not at all. Default: `15m`.
	MaxStale *caddy.Duration `json:"max_stale,omitempty"`
}

// Lookup limits the requests to the workspace's Token Management API.
type Lookup struct {
	// How long one look-up may take, waiting for its turn included. Default: `5s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How many look-ups may start in a second. Default: `10`.
	Rate int `json:"rate,omitempty"`

	// How many look-ups may be under way at once. Default: `8`.
	Concurrency int `json:"concurrency,omitempty"`
}

const (
	maxCacheSize = 10_000_000
	maxRate      = 1_000
	maxTTL       = 24 * time.Hour
	maxTimeout   = time.Minute

	defaultExpiryWarning = 7 * 24 * time.Hour
	maxExpiryWarning     = 90 * 24 * time.Hour
)

// validate checks every value, and says which one is wrong and what would be
// right. The Caddyfile parser calls it too, so that its errors name file and line.
func (h *Handler) validate() error {
	return errors.Join(
		oneOf("mode", h.Mode, modes),
		oneOf("unscoped_tokens", h.UnscopedTokens, unscoped),
		oneOf("oauth", h.OAuth, oauths),
		h.Admin.validate(),
		h.Cache.validate(),
		h.Lookup.validate(),
		h.Audit.validate(),
		h.validateSync(),
		betweenDurations("expiry_warning", h.ExpiryWarning, maxExpiryWarning),
		h.validateUsage(),
	)
}

// minSync keeps a misplaced unit from asking for the whole list all the time.
const minSync = 5 * time.Second

func (h *Handler) validateSync() error {
	return intervalOrOff("sync", h.Sync, minSync)
}

// intervalOrOff accepts zero, which stands for the default.
func intervalOrOff(name string, value caddy.Duration, least time.Duration) error {
	if d := time.Duration(value); d != 0 && (d < least || d > maxTTL) {
		return fmt.Errorf("%s must be between %s and %s, or off, not %s", name, least, maxTTL, d)
	}
	return nil
}

func oneOf(name, value string, choices []string) error {
	if value == "" {
		return nil
	}
	for _, choice := range choices {
		if value == choice {
			return nil
		}
	}
	return fmt.Errorf("%s must be %s, not %q", name, strings.Join(choices, " or "), value)
}

func (a *Admin) validate() error {
	if a == nil {
		return nil
	}
	ways := 0
	for _, used := range []bool{a.Profile != "", a.ClientID != "" || a.ClientSecret != "", a.Token != ""} {
		if used {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("admin is empty; set profile, or client_id and client_secret, or token, or leave admin out to use the SDK's unified authentication")
	case ways > 1:
		return errors.New("admin has more than one credential; set profile, or client_id and client_secret, or token")
	case a.ClientID != "" && a.ClientSecret == "":
		return errors.New("admin has a client_id but no client_secret")
	case a.ClientID == "" && a.ClientSecret != "":
		return errors.New("admin has a client_secret but no client_id")
	}
	return errors.Join(secretPlaceholder("client_secret", a.ClientSecret), secretPlaceholder("token", a.Token))
}

// onePlaceholder matches a value that is one placeholder for a file or an
// environment variable.
var onePlaceholder = regexp.MustCompile(`^\{(file\.[^{}]+|env\.[A-Za-z_][A-Za-z0-9_]*)\}$`)

// secretPlaceholder refuses a secret that stands in the configuration itself.
// {$NAME} counts as such: it is replaced when the Caddyfile is read, and so ends
// in the JSON that the admin API shows and that Caddy saves.
func secretPlaceholder(name, value string) error {
	if value == "" || onePlaceholder.MatchString(value) {
		return nil
	}
	return fmt.Errorf("admin %s must be a placeholder, {file./path/to/secret} or {env.NAME}, so that the secret does not stand in the configuration (a value from {$NAME} does)", name)
}

func (c *Cache) validate() error {
	if c == nil {
		return nil
	}
	problems := []error{
		between("cache size", c.Size, maxCacheSize),
		betweenDurations("cache ttl", c.TTL, maxTTL),
		betweenDurations("cache negative_ttl", c.NegativeTTL, maxTTL),
	}
	if c.MaxStale != nil && (*c.MaxStale < 0 || time.Duration(*c.MaxStale) > maxTTL) {
		problems = append(problems, fmt.Errorf("cache max_stale must be between 0 and %s", maxTTL))
	}
	return errors.Join(problems...)
}

func (l *Lookup) validate() error {
	if l == nil {
		return nil
	}
	return errors.Join(
		betweenDurations("lookup timeout", l.Timeout, maxTimeout),
		between("lookup rate", l.Rate, maxRate),
		between("lookup concurrency", l.Concurrency, maxRate),
	)
}

// between and betweenDurations accept zero, which stands for the default.
func between(name string, value, limit int) error {
	if value < 0 || value > limit {
		return fmt.Errorf("%s must be between 1 and %d, not %d", name, limit, value)
	}
	return nil
}

func betweenDurations(name string, value caddy.Duration, limit time.Duration) error {
	if value < 0 || time.Duration(value) > limit {
		return fmt.Errorf("%s must be more than 0 and at most %s, not %s", name, limit, time.Duration(value))
	}
	return nil
}

func (h *Handler) modeName() string {
	if h.Mode == "" {
		return modeEnforce
	}
	return h.Mode
}

func (h *Handler) expiryWarning() time.Duration {
	if h.ExpiryWarning == 0 {
		return defaultExpiryWarning
	}
	return time.Duration(h.ExpiryWarning)
}

// policyRules returns the rules to judge by, with a catalogue.
func (h *Handler) policyRules(catalog *scopes.Catalog) (policy.Rules, error) {
	policies, err := compilePolicies(h.Policies)
	if err != nil {
		return policy.Rules{}, err
	}
	for i := range policies {
		p := &policies[i]
		switch {
		case p.PermitsAny(catalog.Operations()):
		case len(p.Deny) == 0:
			return policy.Rules{}, fmt.Errorf("policy %s permits nothing: no operation of the catalogue asks for %s; add a scope, allow a route, or name operations in a routes file", p.Name, strings.Join(p.Ceiling, " or "))
		default:
			return policy.Rules{}, fmt.Errorf("policy %s permits nothing: what it allows, it denies as well; remove a deny, or revoke the tokens", p.Name)
		}
	}
	return policy.Rules{AllowUnscoped: h.UnscopedTokens != unscopedDeny, Policies: policies}, nil
}

// freshness returns the cache's settings with their defaults. It works on nil.
func (c *Cache) freshness() tokens.Freshness {
	f := tokens.DefaultFreshness
	if c == nil {
		return f
	}
	if c.TTL > 0 {
		f.TTL = time.Duration(c.TTL)
	}
	if c.NegativeTTL > 0 {
		f.NegativeTTL = time.Duration(c.NegativeTTL)
	}
	if c.MaxStale != nil {
		f.MaxStale = time.Duration(*c.MaxStale)
	}
	return f
}

// settings returns the resolver's settings with their defaults.
func (h *Handler) settings() tokens.Settings {
	s := tokens.DefaultSettings
	s.Sync = time.Duration(h.Sync)
	if h.Cache != nil && h.Cache.Size > 0 {
		s.Size = h.Cache.Size
	}
	if l := h.Lookup; l != nil {
		if l.Timeout > 0 {
			s.Timeout = time.Duration(l.Timeout)
		}
		if l.Rate > 0 {
			s.Rate = l.Rate
		}
		if l.Concurrency > 0 {
			s.Concurrency = l.Concurrency
		}
	}
	return s
}

// credential translates to the form that the resolver's directory takes. Secrets
// are read when they are used, so that validation needs none and a rotated one is
// found.
func (a Admin) credential() tokens.Admin {
	admin := tokens.Admin{Profile: a.Profile}
	if a.ClientID != "" {
		admin.ClientID = caddy.NewReplacer().ReplaceKnown(a.ClientID, "")
		admin.ClientSecret = func() (string, error) { return readSecret("client_secret", a.ClientSecret) }
	}
	if a.Token != "" {
		admin.Token = func() (string, error) { return readSecret("token", a.Token) }
	}
	return admin
}

func readSecret(name, placeholder string) (string, error) {
	value, err := caddy.NewReplacer().ReplaceOrErr(placeholder, true, true)
	if err != nil || value == "" {
		return "", fmt.Errorf("admin %s: %s is empty or cannot be read; check that it exists and that this process may read it", name, placeholder)
	}
	return strings.TrimSpace(value), nil
}

// resolveWorkspace returns the URL of the workspace.
func resolveWorkspace(configured string, admin *Admin) (string, error) {
	workspace := caddy.NewReplacer().ReplaceKnown(configured, "")
	if configured == "" {
		workspace = os.Getenv(workspaceurl.Variable)
	}
	profile := ""
	if admin != nil {
		profile = admin.Profile
	}
	return workspaceurl.Find(workspace, profile)
}

// loadCatalog returns the built-in catalogue with the operator's rows over it.
func loadCatalog(path string) (*scopes.Catalog, error) {
	if path == "" {
		return scopes.Default(), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	defer file.Close()
	rows, err := scopes.Parse(file, path)
	if err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	catalog, err := scopes.Default().With(rows)
	if err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	return catalog, nil
}
