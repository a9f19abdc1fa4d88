package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/lookupwatch"
	"github.com/scopegate/scopegate/internal/oauth"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/internal/workspaceurl"
	"github.com/scopegate/scopegate/scopes"
)

// tokenServices holds the token services of all configurations in use. A reload finds
// them here with their caches warm.
var tokenServices = caddy.NewUsagePool()

// tokenServiceKey says whose facts are interchangeable: those of one workspace, seen
// with one admin credential. It holds the placeholder of a secret, never the secret.
type tokenServiceKey struct {
	workspace string
	admin     Admin
	timeout   time.Duration
}

// tokenService is what knows the tokens of a workspace: a resolver for personal access
// tokens, a verifier for OAuth access tokens, the names of owners, and usage.
type tokenService struct {
	*tokens.Resolver
	verifier *oauth.Verifier
	owners   *tokens.Owners
	usage    *usage.Ledger
	watch    *lookupwatch.Watch
	probe    sync.Once
	host     string // of the workspace
}

// Destruct implements caddy.Destructor. The pool calls it when the last user has gone.
func (s *tokenService) Destruct() error {
	err := s.usage.Close() // while it can still ask about tokens
	s.Resolver.Close()
	s.verifier.Close()
	s.owners.Close()
	s.watch.Close()
	return err
}

// Purge implements [judge.Forgetter] and [adminapi.TokenService].
func (s *tokenService) Purge(id tokens.ID) (known bool) {
	s.forget(func(o *tokenService) { known = o.Resolver.Purge(id) || known })
	return known
}

// ForgetOwner implements [judge.Forgetter].
func (s *tokenService) ForgetOwner(id int64) {
	s.forget(func(o *tokenService) { o.Resolver.ForgetOwner(id); o.owners.Forget(id) })
}

// ForgetAll implements [judge.Forgetter].
func (s *tokenService) ForgetAll() { s.forget(func(o *tokenService) { o.Resolver.ForgetAll() }) }

// ForgetOwners implements [judge.Forgetter].
func (s *tokenService) ForgetOwners() {
	s.forget(func(o *tokenService) { o.Resolver.ForgetAll(); o.owners.ForgetAll() })
}

// Doubt implements [judge.Forgetter].
func (s *tokenService) Doubt() { s.forget(func(o *tokenService) { o.Resolver.Doubt() }) }

// DoubtOwners implements [judge.Forgetter].
func (s *tokenService) DoubtOwners() {
	s.forget(func(o *tokenService) { o.Resolver.Doubt(); o.owners.Doubt() })
}

// ForgetUnknown implements [judge.Forgetter].
func (s *tokenService) ForgetUnknown() {
	s.forget(func(o *tokenService) { o.Resolver.ForgetUnknown() })
}

// forget makes all token services of the workspace forget: those of handlers with another
// admin credential too, and those of a configuration that was loaded since the request
// arrived.
func (s *tokenService) forget(what func(*tokenService)) {
	what(s)
	tokenServices.Range(func(key, value any) bool {
		if other := value.(*tokenService); other != s && workspaceurl.Host(key.(tokenServiceKey).workspace) == s.host {
			what(other)
		}
		return true
	})
}

// Verify implements [judge.TokenService].
func (s *tokenService) Verify(ctx context.Context, raw string) (*tokens.Info, error) {
	began := time.Now()
	info, err := s.verifier.Verify(ctx, raw)
	if _, ok := errors.AsType[*tokens.UnavailableError](err); ok {
		s.watch.Waited(err, time.Since(began), false)
	}
	return info, err
}

// Seen implements [exchange.Tokens].
func (s *tokenService) Seen(call usage.Call) { s.usage.Seen(call) }

// Repeat implements [exchange.Tokens].
func (s *tokenService) Repeat(a usage.Answer) bool { return s.usage.Repeat(a) }

// Count implements [exchange.Tokens].
func (s *tokenService) Count(a usage.Answer) { s.usage.Count(a) }

// Learn implements [exchange.Tokens].
func (s *tokenService) Learn(a usage.Answer) { s.usage.Learn(a) }

// Owner implements [judge.TokenService]. A name that is not known is looked up in the
// background.
func (s *tokenService) Owner(info *tokens.Info) tokens.Principal {
	return s.owners.Complete(info.Owner)
}

// newTokenService opens the token service of a workspace, or shares that of another
// configuration.
func (a *App) newTokenService(w *workspace) *tokenService {
	settings := w.options.settings()
	pooled, _, _ := tokenServices.LoadOrNew(w.key(), func() (caddy.Destructor, error) {
		var admin tokens.Admin
		if w.options.Admin != nil {
			admin = w.options.Admin.credential()
		}
		api := tokens.NewService(w.url, admin, settings.Timeout)
		// It outlives this configuration, so it asks for the running one each time.
		emit := func(event string, data map[string]any) { activeApp().emit(event, data) }
		watch := lookupwatch.New(w.url, a.metrics.NewAuthority(), handlerLogger, emit, a.now)
		verifier := oauth.NewVerifier(w.url, settings.Timeout)
		verifier.Verified = watch.Learned
		resolver := tokens.NewResolver(api, settings, tokens.WithObserver(watch), tokens.WithClock(a.now))
		return &tokenService{
			watch:    watch,
			host:     w.host,
			Resolver: resolver,
			verifier: verifier,
			owners:   tokens.NewOwners(w.url, admin, settings.Timeout),
			usage:    usage.NewLedger(usage.Options{Now: a.now, Scopes: resolver.Scopes, ConfirmRate: float64(settings.Rate) / 10}),
		}, nil // so there is no error to return above
	})
	return pooled.(*tokenService)
}

// key tells which configurations share a token service.
func (w *workspace) key() tokenServiceKey {
	key := tokenServiceKey{workspace: w.url, timeout: w.options.settings().Timeout}
	if w.options.Admin != nil {
		key.admin = *w.options.Admin
	}
	return key
}

// release gives the token service back to the pool, if it was opened.
func (w *workspace) release() error {
	if !w.opened.Load() {
		return nil
	}
	w.service() // so that one that is being opened is not left behind
	_, err := tokenServices.Delete(w.key())
	return err
}

// settings returns the resolver's settings with their defaults.
func (o *WorkspaceOptions) settings() tokens.Settings {
	s := tokens.DefaultSettings
	s.Sync = max(0, time.Duration(o.Sync))
	if o.Cache != nil && o.Cache.Size > 0 {
		s.Size = o.Cache.Size
	}
	if l := o.Lookup; l != nil {
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

// lazyTokens opens a workspace's token service when a request first needs it.
type lazyTokens struct{ *workspace }

func (l lazyTokens) Resolve(ctx context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error) {
	return l.service().Resolve(ctx, id, fresh)
}

func (l lazyTokens) Verify(ctx context.Context, raw string) (*tokens.Info, error) {
	return l.service().Verify(ctx, raw)
}

func (l lazyTokens) Owner(info *tokens.Info) tokens.Principal { return l.service().Owner(info) }

func (l lazyTokens) WorkspaceID() int64 { return l.service().WorkspaceID() }

// learned is what a workspace's refusals taught. It opens the token service on first use.
type learned struct{ *workspace }

// Permits implements [policy.Learned].
func (l learned) Permits(o *scopes.Operation, held []string) bool {
	return l.service().usage.Learned().Permits(o, held)
}

const defaultUsage = 5 * time.Minute

// keepUsage begins, or goes on, to save what tokens are seen to use.
func (w *workspace) keepUsage(storage certmagic.Storage, logger *zap.Logger) {
	ledger := w.service().usage
	if w.options.Usage == intervalOff {
		ledger.Keep(nil, "", 0, nil)
		return
	}
	every := cmp.Or(time.Duration(w.options.Usage), defaultUsage)
	ledger.Keep(usage.CaddyStorage(storage), usage.StoragePrefix(w.url), every, usageWarner(logger))
	if w.options.LearnedRoutes {
		if err := ledger.Recall(); err != nil {
			logger.Warn("routes learned: what was learned earlier is not known yet; the gateway goes on with what it knows, and tries again", zap.Error(err))
		}
	}
}

// usageWarner logs why usage cannot be saved, once for as long as the reason is the
// same. It is called by one goroutine.
func usageWarner(logger *zap.Logger) func(error) {
	last := ""
	return func(err error) {
		switch text := err.Error(); {
		case text == last:
		case usage.SetAside(err):
			logger.Warn("saved token usage could not be read; it was set aside, and recording starts over without it; reports say that evidence is missing until the file is removed", zap.Error(err))
		case errors.Is(err, usage.ErrFold):
			last = text
			logger.Warn("token usage saved by stopped gateways cannot be merged; it is tried again", zap.Error(err))
		default:
			last = text
			logger.Warn("token usage cannot be saved; it stays in memory and is tried again; check Caddy's storage, or set usage off", zap.Error(err))
		}
	}
}

// Interface guards
var (
	_ judge.TokenService = lazyTokens{}
	_ judge.TokenService = (*tokenService)(nil)
	_ judge.Forgetter    = (*tokenService)(nil)
)
