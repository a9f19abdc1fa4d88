package preflight

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
)

// Plan is what a configuration needs.
type Plan struct {
	Workspaces []Workspace
	// Secrets are placeholders for files and environment variables, or paths of private keys.
	Secrets []string
	Listens []Listen
	Folders []string // that the gateway writes to
	Files   []string // that it appends to
}

// Workspace is a workspace whose tokens are judged.
type Workspace struct {
	URL   string
	Admin tokens.Admin
	// Authorities are set for an edge, which has no credential.
	Authorities []Authority
	Store       *Store // nil where gateways share nothing
}

// Authority is a gateway that an edge asks.
type Authority struct {
	URL  string
	Open func() tokens.Service
}

// Store is where the gateways of a fleet share what they know.
type Store struct {
	Address string
	// Ping returns nil once the store can be used.
	Ping func(ctx context.Context) error
}

// Listen is an address of the gateway's own.
type Listen struct {
	Name    string // what it is for
	Network string // tcp or unix
	Address string // host:port or a path
	Admin   bool   // it is Caddy's admin API, which must not be asked just anything
	// Free fails if the gateway cannot listen there, and Taken is true then if that is
	// because another process does.
	Free func() (taken bool, err error)
}

// Options bound the checks.
type Options struct {
	// Timeout bounds each request.
	Timeout time.Duration
	// ReadOnly creates nothing, neither a token nor a file.
	ReadOnly bool
}

// Run makes all checks of a plan, and adds their results to a report.
func Run(ctx context.Context, plan *Plan, options Options, report *Report) {
	c := checks{Report: report, options: options, identity: currentIdentity()}
	c.secrets(plan.Secrets)
	for i := range plan.Workspaces {
		c.workspace(ctx, &plan.Workspaces[i])
	}
	c.listens(ctx, plan.Listens)
	c.writable(plan.Folders, plan.Files)
}

// checks are one run.
type checks struct {
	*Report
	options  Options
	identity identity
}
