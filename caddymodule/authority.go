package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/tokens"
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

// authority is a handler's share of a resolver.
type authority struct {
	key      authorityKey
	resolver *tokens.Resolver
}

// pooledResolver is what the pool holds.
type pooledResolver struct{ *tokens.Resolver }

// Destruct implements caddy.Destructor. The pool calls it when the last user has
// gone.
func (p pooledResolver) Destruct() error {
	p.Close()
	return nil
}

func shareAuthority(workspace string, admin *Admin, settings tokens.Settings, metrics *audit.Metrics) (*authority, error) {
	key := authorityKey{workspace: workspace, timeout: settings.Timeout}
	if admin != nil {
		key.admin = *admin
	}
	pooled, loaded, err := authorities.LoadOrNew(key, func() (caddy.Destructor, error) {
		directory := tokens.NewDirectory(workspace, key.admin.credential(), settings.Timeout)
		observer := watcher{Metrics: metrics, workspace: workspace}
		return pooledResolver{tokens.NewResolver(directory, settings, tokens.WithObserver(observer))}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("setting up look-ups: %w", err)
	}
	resolver := pooled.(pooledResolver).Resolver
	if loaded {
		resolver.Tune(settings)
	}
	return &authority{key: key, resolver: resolver}, nil
}

func (a *authority) release() error {
	_, err := authorities.Delete(a.key)
	return err
}
