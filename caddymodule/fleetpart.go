package caddymodule

import (
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/buildinfo"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/authority"
	"github.com/scopegate/scopegate/internal/fleet/edge"
	"github.com/scopegate/scopegate/internal/fleet/member"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/store"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// fleetPart is a gateway's part in the fleet of a workspace.
type fleetPart interface {
	adminapi.Fleet
	// Start begins to listen to the others, once.
	Start()
	// Tune sets how long the others may use what this gateway finds out, and how many look-ups
	// all together may start in a second.
	Tune(maxAge time.Duration, rate int)
	// Tell applies changes here, and tells the others. It returns the place of the last one in
	// the log, 0 if that is not known.
	Tell(changes ...fleet.Change) fleet.Generation
	// UsageStore is where usage is kept, nil for Caddy's storage.
	UsageStore() usage.Store
	Close()
}

// answering is the part of a gateway that may answer edges.
type answering interface {
	authority.Log
	Serve(server member.Server) (leave func())
}

// openMember makes the parts of a gateway with an admin credential.
func (s *tokenService) openMember(w *workspace, now func() time.Time) (tokens.Service, []tokens.Option) {
	var admin tokens.Admin
	if w.options.Admin != nil {
		admin = w.options.Admin.credential()
	}
	timeout := w.options.settings().Timeout
	service := tokens.NewService(w.url, admin, timeout)
	if w.options.Fleet != nil {
		shared, err := s.openShared(w, now)
		if err == nil {
			lookup, closing := tokens.SCIM(w.url, admin, timeout)
			s.owners = tokens.NewOwnersFrom(shared.Store.OwnersFrom(lookup), closing)
			s.fleet = shared
			return service, []tokens.Option{tokens.WithSharing(shared.Store)}
		}
		handlerLogger().Error("this gateway shares with no other one", zap.Error(err)) // start reports it too
	}
	s.owners = tokens.NewOwners(w.url, admin, timeout)
	alone := member.NewAlone(s.apply, s.counted, now)
	s.fleet = alone
	return service, []tokens.Option{tokens.WithChangeObserver(alone)}
}

// openShared joins a fleet.
func (s *tokenService) openShared(w *workspace, now func() time.Time) (*member.Shared, error) {
	settings, err := w.options.Fleet.settings()
	if err != nil {
		return nil, err
	}
	keys, err := settings.sealing()
	if err != nil {
		return nil, err
	}
	conn := redis.Open(redis.Options{
		Addresses: settings.Addresses, Database: settings.Database, Secure: settings.FleetServer.TLS, Sentinel: settings.Sentinel,
		Username: settings.Username, Password: settings.Password, TLS: redis.TLS(settings.TLS),
		Observer: s.counted, Logger: handlerLogger,
	})
	maxAge, rate := w.options.shares()
	return member.OpenShared(conn, store.Options{
		Keys: keys, Prefix: store.Prefix(w.url), MaxAge: maxAge, Rate: rate, LookupTimeout: w.options.settings().Timeout,
		Name: settings.Name, Version: buildinfo.Version(), Observer: s.counted, Now: now,
		Listed: func(at time.Time) { <-s.made; s.Resolver.Listed(at) },
	}, s.apply, handlerLogger), nil
}

// shares returns how long others may use what a gateway finds out, and how many look-ups all
// together may start in a second.
func (o *WorkspaceOptions) shares() (maxAge time.Duration, rate int) {
	fresh := o.freshness()
	return max(time.Minute, min(fresh.TTL+fresh.MaxStale, maxTTL)), o.settings().Rate
}

// openEdge makes the parts of an edge, which has none.
func (s *tokenService) openEdge(w *workspace, now func() time.Time) tokens.Service {
	settings, err := w.options.Admin.Authority.settings(w.options.settings().Timeout)
	if err != nil {
		handlerLogger().Error("no authority can be asked", zap.Error(err)) // start reports it too
	}
	client := edge.Open(edge.Options{
		URLs: settings.URLs, Token: settings.Token, ClientCertificate: settings.ClientCertificate, ClientKey: settings.ClientKey,
		Trust: settings.Trust, Name: settings.Name, Timeout: settings.Timeout,
		WorkspaceURL: w.url, Version: buildinfo.Version(), Apply: s.apply, Reset: func() { s.apply(fleet.Change{Kind: fleet.OwnersDoubted}) },
		Observer: s.counted, Upstream: s.counted.UpstreamConnected, Logger: handlerLogger, Now: now,
	})
	s.owners = tokens.NewOwnersFrom(client.OwnerName, nil)
	s.fleet = member.NewEdge(client, s.apply)
	return client
}

// gatewayName is what this gateway calls itself in the fleet of a workspace.
func (w *workspace) gatewayName() string {
	if w.options.Fleet != nil {
		if settings, err := w.options.Fleet.settings(); err == nil {
			return settings.Name
		}
	}
	return machineName()
}

// machineName is what this machine calls itself.
func machineName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "gateway"
	}
	return name
}
