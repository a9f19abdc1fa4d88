package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// authorities holds the resolvers of all configurations in use. A new
// configuration is provisioned before the old one is cleaned up, so that a reload
// finds the resolver here with its cache warm, and many sites of one
// configuration share it.
var authorities = caddy.NewUsagePool()

// authorityKey says whose facts are interchangeable: those of one workspace, seen
// with one admin credential. It holds the placeholder of a secret, never the
// secret.
type authorityKey struct {
	workspace string
	admin     Admin
	timeout   time.Duration
}

// authority is a handler's share of what knows the tokens of a workspace.
type authority struct {
	key authorityKey
	*directory
}

// directory is what the pool holds: a resolver for personal access tokens, a
// verifier for OAuth access tokens, the names of owners, and what tokens were seen
// to use.
type directory struct {
	resolver *tokens.Resolver
	verifier *tokens.Verifier
	owners   *tokens.Owners
	seen     *usage.Ledger
}

// Destruct implements caddy.Destructor. The pool calls it when the last user has
// gone.
func (d *directory) Destruct() error {
	d.resolver.Close()
	d.verifier.Close()
	d.owners.Close()
	return d.seen.Close()
}

func shareAuthority(workspace string, admin *Admin, settings tokens.Settings, counts *metrics.Metrics) (*authority, error) {
	key := authorityKey{workspace: workspace, timeout: settings.Timeout}
	if admin != nil {
		key.admin = *admin
	}
	pooled, loaded, err := authorities.LoadOrNew(key, func() (caddy.Destructor, error) {
		admin := key.admin.credential()
		api := tokens.NewDirectory(workspace, admin, settings.Timeout)
		observer := watcher{Metrics: counts, workspace: workspace}
		return &directory{
			resolver: tokens.NewResolver(api, settings, tokens.WithObserver(observer), tokens.WithClock(clock)),
			verifier: tokens.NewVerifier(workspace, settings.Timeout),
			owners:   tokens.NewOwners(workspace, admin, settings.Timeout),
			seen:     usage.NewLedger(usage.Options{Now: clock}),
		}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("setting up look-ups: %w", err)
	}
	shared := pooled.(*directory)
	if loaded {
		shared.resolver.Tune(settings)
	}
	return &authority{key: key, directory: shared}, nil
}

// subject completes what is known of a token by the owner's name, where a policy
// asks for it.
func (a *authority) subject(info *tokens.Info, rules policy.Rules) policy.Subject {
	subject := policy.Subject{Info: info}
	switch {
	case !rules.NeedOwnerName():
	case info.OwnerID != 0:
		subject.OwnerName = a.ownerName(info)
	default:
		subject.OwnerName = info.CreatorName // an OAuth token says whose it is
	}
	return subject
}

// ownerName returns the name of a token's owner, or an empty string while it is not
// known: then it is asked for in the background.
func (d *directory) ownerName(info *tokens.Info) string {
	if name := info.OwnerName(); name != "" {
		return name
	}
	return d.owners.Name(info.OwnerID)
}

func (a *authority) release() error {
	_, err := authorities.Delete(a.key)
	return err
}
