package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/buildinfo"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/authority"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// open makes what answers edges. It is nil if what the handler names cannot be read, which
// start has checked.
func (a *Authority) open() http.Handler {
	access, err := a.access()
	if err != nil {
		a.logger.Error("edges cannot be answered", zap.Error(err))
		return nil
	}
	service := a.workspace.service()
	part := service.fleet.(answering) // no edge: checkAuthority
	options := authority.Options{
		WorkspaceURL: a.workspace.url,
		Tokens:       toldTokens{service},
		Log:          part,
		Publish: func(_ context.Context, changes ...fleet.Change) {
			for _, change := range changes {
				service.tell(change)
			}
		},
		Freshness: a.workspace.options.freshness(),
		Access:    access,
		Limits:    authority.Limits(a.Limits.withDefaults()),
		Observer:  service.counted,
		Logger:    handlerLogger,
		Name:      a.workspace.gatewayName(),
		Version:   buildinfo.Version(),
		Ending:    a.ending,
		Now:       a.app.now,
	}
	if a.workspace.options.Usage != intervalOff {
		options.Usage = a.keepUsage
	}
	server := authority.New(options)
	leave := part.Serve(server)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.close = func() { server.Close(); leave() }
	if a.closed { // while it was opened
		a.close()
		return nil
	}
	return server
}

// ServeHTTP answers requests of edges, and leaves other paths to the next handler. So it does
// with edges of another workspace, which the next handler may be for.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if strings.HasPrefix(r.URL.Path, wire.Prefix) {
		if a.isForAnother(r) {
			if err := next.ServeHTTP(w, r); err != nil || !caddyserver.Unhandled(r) {
				return err
			}
		}
		return a.answer(w, r)
	}
	err := next.ServeHTTP(w, r)
	if err == nil && caddyserver.Unhandled(r) {
		http.Error(w, "404: this is an authority for edges, below "+wire.Prefix, http.StatusNotFound)
		caddyserver.Handled(r)
	}
	return err
}

// isForAnother reports whether an edge names another workspace than this one, for which there is
// another handler too: nothing else may see what edges send. An edge may name several, or none:
// that is answered here.
func (a *Authority) isForAnother(r *http.Request) bool {
	values := r.Header[http.CanonicalHeaderKey(wire.WorkspaceHeader)]
	if len(values) != 1 {
		return false
	}
	named := wire.Workspace(values[0])
	return named != a.named && a.app.answers[named]
}

// answer answers a request of an edge.
func (a *Authority) answer(w http.ResponseWriter, r *http.Request) error {
	caddyserver.Handled(r)
	server := a.server()
	if server == nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, errors.New("edges cannot be answered"))
	}
	server.ServeHTTP(w, r)
	return nil
}

// keepUsage saves the usage of an edge beside that of this gateway, so that reports are about
// both.
func (a *Authority) keepUsage(ctx context.Context, instance string, snapshot []byte) error {
	prefix := usage.StoragePrefix(a.workspace.url)
	if err := usage.CheckSnapshot(snapshot, prefix, instance); err != nil {
		return err
	}
	return usage.CaddyStorage(a.app.ctx.Storage()).Save(ctx, path.Join(prefix, instance+".json"), snapshot)
}

// access says who is let in.
func (a *Authority) access() (access authority.Access, err error) {
	if len(a.Tokens) > 0 {
		access.Tokens = a.edgeTokens
	}
	if a.ClientCertificate != nil {
		access.Certificates = &authority.Certificates{Names: a.ClientCertificate.Names}
	}
	if k := a.Kubernetes; k != nil {
		client, err := k.client()
		if err != nil {
			return access, err
		}
		access.Kubernetes = &authority.Kubernetes{
			Issuer: k.Issuer, Audience: k.Audience, Keys: k.JWKS, Accounts: k.ServiceAccounts, Client: client, Bearer: k.bearer(),
		}
	}
	return access, nil
}

// toldTokens is what edges are told of tokens.
type toldTokens struct{ *tokenService }

// OwnerName implements [authority.Tokens]. A name that is not known is looked up in the
// background.
func (t toldTokens) OwnerName(_ context.Context, id int64) (tokens.Principal, error) {
	return t.owners.Complete(tokens.NewPrincipal(id, "")), nil
}
