package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

func init() {
	caddy.RegisterModule(new(Authority))
}

// Authority answers edges: gateways that hold no admin credential. It tells an edge about one
// token at a time, which the edge must name by its id, and what was changed; it has no list
// of tokens. Give it a site of its own, with TLS: without, only edges on the same machine are
// answered.
//
// An edge is let in if it satisfies one of `tokens`, `client_certificate` and `kubernetes`.
type Authority struct {
	// The workspace that it answers for: the name of a workspace of the app `databricks`, or
	// a URL. It must have an admin credential of its own. Default: the only workspace of the
	// app, else `{env.DATABRICKS_HOST}`.
	Workspace string `json:"workspace,omitempty"`

	// Tokens that edges may send, as placeholders: `{file./path}` or `{env.NAME}`, with at
	// least 32 characters each. Edges may share one. Files are read again when they change.
	// Make one with `openssl rand -hex 32`.
	Tokens []string `json:"tokens,omitempty"`

	// Lets in edges with a client certificate that the server verified (`client_auth`).
	ClientCertificate *EdgeCertificates `json:"client_certificate,omitempty"`

	// Lets in Kubernetes service accounts by their projected tokens.
	Kubernetes *EdgeServiceAccounts `json:"kubernetes,omitempty"`

	// What edges may ask for.
	Limits *EdgeLimits `json:"limits,omitempty"`

	app       *App
	workspace *workspace
	named     string // the workspace, as edges name it
	logger    *zap.Logger
	// server answers the requests of edges. It is made for the first one, or at start.
	server func() http.Handler
	ending chan struct{} // closed when the HTTP server of the site begins to shut down

	mu     sync.Mutex // guards the following
	close  func()     // of what open opened
	closed bool
}

// EdgeCertificates say whose client certificates let in an edge.
type EdgeCertificates struct {
	// Common names, DNS names or URIs, in full, of which a certificate must have one.
	// Default: every verified certificate.
	Names []string `json:"names,omitempty"`
}

// EdgeServiceAccounts say which Kubernetes service accounts are let in as edges. Their tokens
// are verified with the cluster's keys. They are good until they expire, an hour by default,
// even if their pod is deleted before.
type EdgeServiceAccounts struct {
	// Issuer of the cluster's tokens, as `kubectl get --raw /.well-known/openid-configuration`
	// shows it.
	Issuer string `json:"issuer,omitempty"`

	// Audience that the tokens must be for. Choose one, such as `scopegate`, and set it in the
	// projected volume of edges: nothing else accepts such a token then.
	Audience string `json:"audience,omitempty"`

	// Where the cluster's keys are: the URL of a JWKS, or the absolute path of a file with
	// one. Default: what the issuer's discovery document says.
	JWKS string `json:"jwks,omitempty"`

	// Path of a PEM file with the certificate authorities that are trusted when keys are
	// asked for, such as `/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`. Default:
	// the system's.
	Trust string `json:"trust,omitempty"`

	// Service accounts that are let in, as `<namespace>/<name>`.
	ServiceAccounts []string `json:"service_accounts,omitempty"`
}

// EdgeLimits bound what edges may ask for.
type EdgeLimits struct {
	// Requests of one edge in a second, on average; twice as many may come at once.
	// Default: `50`.
	Rate int `json:"rate,omitempty"`

	// Requests of one edge in a second for tokens that cost a look-up with the workspace:
	// those that turn out to be unknown, and those that the edge wants asked for again. This
	// bounds what an edge that was taken over can guess. Default: `5`.
	Unknown int `json:"unknown,omitempty"`

	// Edges that may be subscribed at once. Default: `10000`.
	Edges int `json:"edges,omitempty"`
}

const (
	maxEdgeRate      = 10_000
	maxEdges         = 100_000
	maxEdgeTokens    = 16
	maxEdgeNames     = 10_000
	defaultEdgeLimit = 10_000
)

// defaultEdgeLimits holds the defaults of EdgeLimits.
var defaultEdgeLimits = EdgeLimits{Rate: 50, Unknown: 5, Edges: defaultEdgeLimit}

// withDefaults returns the limits with their defaults. It works on nil.
func (l *EdgeLimits) withDefaults() EdgeLimits {
	all := defaultEdgeLimits
	if l == nil {
		return all
	}
	for _, option := range []struct{ to, set *int }{{&all.Rate, &l.Rate}, {&all.Unknown, &l.Unknown}, {&all.Edges, &l.Edges}} {
		if *option.set > 0 {
			*option.to = *option.set
		}
	}
	return all
}

// CaddyModule returns the Caddy module information.
func (*Authority) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.databricks_authority",
		New: func() caddy.Module { return new(Authority) },
	}
}

// Provision sets up the handler. It uses neither the network nor secrets.
func (a *Authority) Provision(ctx caddy.Context) (err error) {
	a.logger = ctx.Logger()
	if a.app, err = databricksApp(ctx); err != nil {
		return err
	}
	if err := a.Validate(); err != nil {
		return err
	}
	if a.workspace, err = a.app.shared.joinAuthority(a); err != nil {
		return err
	}
	a.named = wire.Workspace(a.workspace.url)
	if a.app.answers == nil {
		a.app.answers = make(map[string]bool)
	}
	a.app.answers[a.named] = true
	a.ending = make(chan struct{})
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		// Caddy waits for all requests before it cleans up handlers: streams would hold it up
		// for the whole grace period, and edges would stay where nothing new is told soon.
		server.RegisterOnShutdown(sync.OnceFunc(func() { close(a.ending) }))
	}
	a.server = sync.OnceValue(a.open)
	return a.app.carriers.Carry(ctx, a)
}

// Cleanup ends the streams of edges, which connect again.
func (a *Authority) Cleanup() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.close != nil {
		a.close()
	}
	return nil
}

// Validate checks every value, and says which one is wrong and what would be right.
func (a *Authority) Validate() error {
	if len(a.Tokens) == 0 && a.ClientCertificate == nil && a.Kubernetes == nil {
		return errors.New("databricks_authority lets nobody in; set token {file./run/secrets/edge-token}, client_certificate or kubernetes")
	}
	var problems []error
	if len(a.Tokens) > maxEdgeTokens {
		problems = append(problems, fmt.Errorf("databricks_authority has %d tokens, and at most %d are possible", len(a.Tokens), maxEdgeTokens))
	}
	for i, token := range a.Tokens {
		problems = append(problems, neededPlaceholder("databricks_authority token", token))
		if slices.Contains(a.Tokens[:i], token) {
			problems = append(problems, errors.New("databricks_authority has the same token twice; keep one"))
		}
	}
	return errors.Join(append(problems, a.ClientCertificate.validate(), a.Kubernetes.validate(), a.Limits.validate())...)
}

func (c *EdgeCertificates) validate() error {
	switch {
	case c == nil:
	case len(c.Names) > maxEdgeNames:
		return fmt.Errorf("client_certificate has %d names, and at most %d are possible", len(c.Names), maxEdgeNames)
	case slices.Contains(c.Names, ""):
		return errors.New("client_certificate has an empty name")
	case slices.ContainsFunc(c.Names, func(name string) bool { return strings.Contains(name, "*") }):
		return errors.New("the names of client_certificate have no wildcards; write each name in full, or none to let in every verified certificate")
	}
	return nil
}

// serviceAccount is the form of a service account: namespace/name.
var serviceAccount = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)

func (k *EdgeServiceAccounts) validate() error {
	switch {
	case k == nil:
		return nil
	case k.Issuer == "":
		return errors.New("kubernetes has no issuer; kubectl get --raw /.well-known/openid-configuration shows it")
	case k.Audience == "":
		return errors.New("kubernetes has no audience; choose one, such as scopegate, and set it in the projected volume of edges")
	case len(k.ServiceAccounts) == 0:
		return errors.New("kubernetes has no service_account; name those of edges, as <namespace>/<name>")
	case len(k.ServiceAccounts) > maxEdgeNames:
		return fmt.Errorf("kubernetes has %d service accounts, and at most %d are possible", len(k.ServiceAccounts), maxEdgeNames)
	}
	for _, account := range k.ServiceAccounts {
		if !serviceAccount.MatchString(account) {
			return fmt.Errorf("kubernetes service_account must be <namespace>/<name>, not %q", account)
		}
	}
	switch {
	case k.JWKS == "":
		if !isSecure(k.Issuer) {
			return fmt.Errorf("kubernetes issuer %q cannot be asked for its keys, because it is no https:// URL; set jwks to the URL or the file of the keys", safeURL(k.Issuer))
		}
	case strings.Contains(k.JWKS, "://"):
		if !isSecure(k.JWKS) {
			return fmt.Errorf("kubernetes jwks must be an https:// URL without user name and password, or the absolute path of a file, not %q", safeURL(k.JWKS))
		}
	case !filepath.IsAbs(k.JWKS):
		return fmt.Errorf("kubernetes jwks must be an https:// URL or the absolute path of a file, not %q", k.JWKS)
	}
	return nil
}

// isSecure reports whether what comes from a URL can be relied on.
func isSecure(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

func (l *EdgeLimits) validate() error {
	if l == nil {
		return nil
	}
	return errors.Join(
		between("limits rate", l.Rate, maxEdgeRate),
		between("limits unknown", l.Unknown, maxEdgeRate),
		between("limits edges", l.Edges, maxEdges),
	)
}

// check reports what the handler names and does not exist or is empty. It reads files and the
// environment only. It works on nil.
func (a *Authority) check() error {
	if a == nil {
		return nil
	}
	if _, err := a.edgeTokens(); err != nil {
		return err
	}
	if a.Kubernetes != nil {
		return readablePEM("kubernetes", a.Kubernetes.Trust)
	}
	return nil
}

// edgeTokens reads the tokens that edges may send.
func (a *Authority) edgeTokens() ([]string, error) {
	values, err := readSecrets("databricks_authority token", a.Tokens)
	for i, value := range values {
		if len(value) < minEdgeToken {
			return nil, fmt.Errorf("databricks_authority token: the value of %s has %d characters, and needs %d; make one with openssl rand -hex 32", a.Tokens[i], len(value), minEdgeToken)
		}
	}
	return values, err
}

// minEdgeToken keeps tokens that can be guessed from letting anybody in, in characters.
const minEdgeToken = 32

// joinAuthority finds the workspace that answers edges.
func (r *registry) joinAuthority(a *Authority) (*workspace, error) {
	w, err := r.find(a.Workspace, nil)
	switch {
	case err != nil:
		return nil, err
	case w.url == "":
		return nil, errors.New("databricks_authority: no workspace is set; write workspace with the name of one")
	case w.authority != nil && canonical(w.authority) != canonical(a):
		return nil, fmt.Errorf("workspace %s has two different databricks_authority handlers; keep one, and give its site several addresses", w.url)
	}
	w.authority = a
	if err := errors.Join(checkScheme(w.url, w.options.InsecureHTTP), w.checkAuthority()); err != nil {
		return nil, err
	}
	if w.inForce.Load() == nil {
		return w, w.compile()
	}
	return w, nil
}

// checkAuthority refuses an edge that would answer edges. Handlers of the workspace may state
// its admin after the authority was set up.
func (w *workspace) checkAuthority() error {
	if w.authority != nil && w.options.Admin.isEdge() {
		return fmt.Errorf("workspace %s has databricks_authority and admin authority; an edge cannot be an authority, because it has no admin credential: give it one, or remove databricks_authority", w.url)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Authority)(nil)
	_ caddy.Validator             = (*Authority)(nil)
	_ caddy.CleanerUpper          = (*Authority)(nil)
	_ caddyhttp.MiddlewareHandler = (*Authority)(nil)
)
