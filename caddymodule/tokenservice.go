package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/lookupwatch"
	"github.com/scopegate/scopegate/internal/metrics"
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
// with one admin credential and shared with one fleet. It holds the placeholder of a secret,
// never the secret.
type tokenServiceKey struct {
	workspace string
	admin     string // canonical JSON, so that keys of equal configurations are equal
	fleet     string // the same
	timeout   time.Duration
}

// tokenService is what knows the tokens of a workspace: a resolver for personal access
// tokens, a verifier for OAuth access tokens, the names of owners, usage, and the gateway's
// part in the workspace's fleet.
type tokenService struct {
	*tokens.Resolver
	verifier *oauth.Verifier
	owners   *tokens.Owners
	usage    *usage.Ledger
	findings *bookkeeping // nil for an edge
	watch    *lookupwatch.Watch
	fleet    fleetPart
	counted  *metrics.Fleet
	probe    sync.Once
	made     chan struct{} // closed once all of this is there
	host     string        // of the workspace
}

// Destruct implements caddy.Destructor. The pool calls it when the last user has gone.
func (s *tokenService) Destruct() error {
	s.findings.close()
	err := s.usage.Close() // while it can still ask about tokens, and hand over what it counted
	s.Resolver.Close()
	s.verifier.Close()
	s.owners.Close()
	s.fleet.Close()
	s.watch.Close()
	s.counted.Close()
	return err
}

// Purge implements [judge.Forgetter].
func (s *tokenService) Purge(id tokens.ID) (known bool) {
	known, _ = s.PurgeFleet(context.Background(), id)
	return known
}

// PurgeFleet implements [adminapi.TokenService].
func (s *tokenService) PurgeFleet(_ context.Context, id tokens.ID) (known bool, generation fleet.Generation) {
	s.each(func(o *tokenService) { known = known || o.Known(id) })
	return known, s.tell(fleet.Change{Kind: fleet.TokenChanged, Token: id})
}

// ForgetOwner implements [judge.Forgetter].
func (s *tokenService) ForgetOwner(id int64) {
	s.tell(fleet.Change{Kind: fleet.OwnerChanged, Owner: id})
}

// ForgetAll implements [judge.Forgetter].
func (s *tokenService) ForgetAll() { s.tell(fleet.Change{Kind: fleet.AllChanged}) }

// ForgetOwners implements [judge.Forgetter].
func (s *tokenService) ForgetOwners() { s.tell(fleet.Change{Kind: fleet.OwnersChanged}) }

// Doubt implements [judge.Forgetter].
func (s *tokenService) Doubt() { s.tell(fleet.Change{Kind: fleet.Doubted}) }

// DoubtOwners implements [judge.Forgetter].
func (s *tokenService) DoubtOwners() { s.tell(fleet.Change{Kind: fleet.OwnersDoubted}) }

// ForgetUnknown implements [judge.Forgetter].
func (s *tokenService) ForgetUnknown() { s.tell(fleet.Change{Kind: fleet.UnknownChanged}) }

// tell makes all token services of the workspace, and their fleets, forget what a change
// concerns. It returns the change's place in the log of this one's fleet.
func (s *tokenService) tell(change fleet.Change) (generation fleet.Generation) {
	s.each(func(o *tokenService) {
		if at := o.fleet.Tell(change); o == s {
			generation = at
		}
	})
	return generation
}

// apply forgets what a change concerns, here only. The others may tell of changes before this
// service is complete.
func (s *tokenService) apply(change fleet.Change) {
	<-s.made
	switch change.Kind {
	case fleet.TokenChanged:
		s.Resolver.Purge(change.Token)
	case fleet.OwnerChanged:
		s.Resolver.ForgetOwner(change.Owner)
		s.owners.Forget(change.Owner)
	case fleet.AllChanged:
		s.Resolver.ForgetAll()
	case fleet.OwnersChanged:
		s.Resolver.ForgetAll()
		s.owners.ForgetAll()
	case fleet.UnknownChanged:
		s.Resolver.ForgetUnknown()
	case fleet.Doubted:
		s.Resolver.Doubt()
	default: // OwnersDoubted, or a kind of a later version
		s.Resolver.Doubt()
		s.owners.Doubt()
	}
}

// each calls what for all token services of the workspace: those of handlers with another
// admin credential too, and those of a configuration that was loaded since the request
// arrived.
func (s *tokenService) each(what func(*tokenService)) {
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
	pooled, _, _ := tokenServices.LoadOrNew(w.key(), func() (caddy.Destructor, error) {
		return a.openTokenService(w), nil
	})
	return pooled.(*tokenService)
}

func (a *App) openTokenService(w *workspace) *tokenService {
	settings := w.options.settings()
	// It outlives this configuration, so it asks for the running one each time.
	emit := func(event string, data map[string]any) { activeApp().emit(event, data) }
	counted := a.metrics.NewFleet()
	watch := lookupwatch.New(w.url, a.metrics.NewAuthority(), counted, handlerLogger, emit, a.now)
	s := &tokenService{watch: watch, host: w.host, counted: counted, made: make(chan struct{}), verifier: oauth.NewVerifier(w.url, settings.Timeout)}
	s.verifier.Verified = watch.Learned
	options := []tokens.Option{tokens.WithObserver(watch), tokens.WithClock(a.now)}
	var service tokens.Service
	if w.options.Admin.isEdge() {
		service = s.openEdge(w, a.now)
	} else {
		var more []tokens.Option
		service, more = s.openMember(w, a.now)
		options = append(options, more...)
	}
	s.Resolver = tokens.NewResolver(service, settings, options...)
	s.usage = usage.NewLedger(usage.Options{Now: a.now, Scopes: s.Resolver.Scopes, ConfirmRate: float64(settings.Rate) / 10})
	if !w.options.Admin.isEdge() {
		s.findings = a.newBook(w)
	}
	close(s.made)
	return s
}

// key tells which configurations share a token service.
func (w *workspace) key() tokenServiceKey {
	return tokenServiceKey{
		workspace: w.url,
		admin:     canonical(w.options.Admin),
		fleet:     canonical(w.options.Fleet),
		timeout:   w.options.settings().Timeout,
	}
}

// canonical returns the JSON of options: structs are encoded in the order of their fields.
func canonical(options any) string {
	encoded, err := json.Marshal(options)
	if err != nil {
		panic(err) // they were decoded from JSON
	}
	return string(encoded)
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
	if o.Admin.isEdge() {
		s.Rate = defaultEdgeRate
	}
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
	store := usage.CaddyStorage(storage)
	if shared := w.service().fleet.UsageStore(); shared != nil {
		store = shared
	}
	ledger.Keep(store, usage.StoragePrefix(w.url), every, usageWarner(logger))
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
