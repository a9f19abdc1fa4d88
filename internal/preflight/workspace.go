package preflight

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/few"
	"github.com/scopegate/scopegate/internal/oauth"
	"github.com/scopegate/scopegate/internal/scopenames"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Names of checks.
const (
	checkReach      = "workspace"
	checkClock      = "clock"
	checkDirect     = "direct way"
	checkCredential = "credential"
	checkRule       = "id rule"
	checkNames      = "scope names"
	checkAuthority  = "authority"
	checkStore      = "fleet"
)

// maxSkew is how far clocks may differ: expiry and OAuth tokens are judged by this one.
const maxSkew = 30 * time.Second

// workspace checks one workspace. What needs a check that failed is skipped.
func (c *checks) workspace(ctx context.Context, w *Workspace) {
	reachable := c.reach(ctx, w)
	if len(w.Authorities) > 0 {
		for _, a := range w.Authorities {
			c.authority(ctx, a)
		}
		return // it has no credential, and the authority proves the rest
	}
	switch {
	case !reachable:
		c.skip(checkCredential, w.URL, "the workspace does not answer")
	case c.credential(ctx, w):
		c.rule(ctx, w)
		c.names(ctx, w)
	default:
		c.skip(checkRule, w.URL, "it needs a credential that works")
		c.names(ctx, w)
	}
	if w.Store != nil {
		c.store(ctx, w.Store)
	}
}

// reach checks that the workspace answers, and what that means for clients here.
func (c *checks) reach(ctx context.Context, w *Workspace) bool {
	r, err := reach(ctx, w.URL, c.options.Timeout, http.ProxyFromEnvironment)
	if err != nil {
		detail, advice := r.explain(err, "the workspace")
		c.fail(checkReach, w.URL, detail, advice)
		return false
	}
	detail := "reachable"
	if took := r.took(); took != "" {
		detail += " (" + took + ")"
	}
	if r.proxy != "" {
		detail += " through the proxy " + r.proxy
	}
	if r.status >= http.StatusInternalServerError {
		c.warn(checkReach, w.URL, fmt.Sprintf("%s, but it answers %d", detail, r.status), "check the status of the workspace")
	} else {
		c.ok(checkReach, w.URL, detail)
	}
	c.clock(w.URL, &r)
	if r.proxy == "" {
		c.warn(checkDirect, w.URL, "this machine reaches the workspace, as the gateway must, and so do clients on it that go around the gateway",
			"let only the gateway's user or pod out to the workspace, by a firewall or a network policy, and prove it with scopegate check --from-client where clients run")
	}
	return true
}

func (c *checks) clock(subject string, r *reached) {
	switch off := r.skew.Abs().Round(time.Second); {
	case !r.hasDate:
		c.skip(checkClock, subject, "its answer has no Date")
	case off > maxSkew:
		which := "behind"
		if r.skew < 0 {
			which = "ahead"
		}
		c.warn(checkClock, subject, fmt.Sprintf("the clock of this machine is %s %s that of the workspace", duration.Format(off), which), "set it with NTP: the expiry of tokens is judged by it")
	default:
		c.ok(checkClock, subject, "agrees to "+duration.Format(max(off, time.Second)))
	}
}

// credential checks that tokens can be looked up, which only a workspace admin may do. It asks
// for an id that no token has.
func (c *checks) credential(ctx context.Context, w *Workspace) bool {
	service := tokens.NewService(w.URL, w.Admin, c.options.Timeout)
	defer service.Close()
	if _, err := service.Lookup(ctx, tokens.Query{}); !errors.Is(err, tokens.ErrUnknownToken) {
		c.fail(checkCredential, w.URL, problem(err), "")
		return false
	}
	detail := "a workspace admin, who can look up tokens"
	if name, err := tokens.Me(ctx, w.URL, w.Admin, c.options.Timeout); err == nil {
		detail = "signed in as " + name + ", " + detail
	}
	c.ok(checkCredential, w.URL, detail)
	return true
}

// problem returns the text of a failed look-up.
func problem(err error) string {
	if outage, ok := errors.AsType[*tokens.UnavailableError](err); ok {
		return outage.Problem()
	}
	if err == nil {
		return "the workspace knows a token of an id that no token can have"
	}
	return err.Error()
}

// rule proves that the id of a token is the hash of its value.
func (c *checks) rule(ctx context.Context, w *Workspace) {
	if c.options.ReadOnly {
		c.skip(checkRule, w.URL, "the proof creates a token; run it without --read-only, or scopegate scopes verify")
		return
	}
	report, err := tokens.Verify(ctx, w.URL, w.Admin, tokens.VerifyOptions{Timeout: c.options.Timeout, Patience: c.options.Timeout})
	if err != nil {
		advice := "run scopegate scopes verify for the details"
		if outage, ok := errors.AsType[*tokens.UnavailableError](err); ok && outage.Outage == tokens.IDRuleBroken {
			advice = "" // it says what to do
		}
		c.fail(checkRule, w.URL, err.Error(), advice)
		return
	}
	detail := "proven with a new token: its id is the SHA-256 of its value"
	if report.List != nil && report.List.UnknownExpiry > 0 {
		c.warn(checkRule, w.URL, fmt.Sprintf("%s; the workspace does not say when %d of its %d tokens expire, and these are refused", detail, report.List.UnknownExpiry, report.List.Tokens),
			"replace them, or set unknown_expiry allow")
		return
	}
	if !report.Own.Deleted {
		c.warn(checkRule, w.URL, detail+"; that token could not be deleted", "it expires in a minute")
		return
	}
	c.ok(checkRule, w.URL, detail)
}

// names compares the workspace's own lists of scope names with those of the map.
func (c *checks) names(ctx context.Context, w *Workspace) {
	supported, errOAuth := oauth.SupportedScopes(ctx, w.URL, c.options.Timeout)
	forTokens, errTokens := tokens.TokenScopes(ctx, w.URL, w.Admin, c.options.Timeout)
	version := "map of " + scopes.Date().Format(time.DateOnly)
	if errOAuth != nil && errTokens != nil {
		c.warn(checkNames, w.URL, version+"; the workspace does not publish its scope names", "scopegate scopes verify says why")
		return
	}
	differ := scopenames.Compare(supported, forTokens)
	if unknown := append(differ.Missing, differ.Dotted...); len(unknown) > 0 {
		c.warn(checkNames, w.URL, version+" does not know "+strings.Join(unknown, ", "), "such a scope permits nothing: update scopegate, or name its operations in a routes file")
		return
	}
	detail := version + " knows every scope name of the workspace"
	if errOAuth == nil && errTokens == nil && len(differ.Gone) > 0 {
		c.warn(checkNames, w.URL, detail+", which does not have "+few.Names(differ.Gone), "do not give these to tokens; scopegate scopes verify lists them all")
		return
	}
	c.ok(checkNames, w.URL, detail)
}

// authority checks that an authority lets the edge in.
func (c *checks) authority(ctx context.Context, a Authority) {
	service := a.Open()
	defer service.Close()
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if _, err := service.Lookup(ctx, tokens.Query{}); !errors.Is(err, tokens.ErrUnknownToken) {
		c.fail(checkAuthority, a.URL, problem(err), "")
		return
	}
	c.ok(checkAuthority, a.URL, "lets this edge in, and looks up tokens")
}

// store checks that the store of a fleet can be used.
func (c *checks) store(ctx context.Context, s *Store) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		c.fail(checkStore, s.Address, err.Error(), "check its URL, user, password and certificate; until it is back, each gateway goes on by itself")
		return
	}
	c.ok(checkStore, s.Address, "the store is up, and can be written to")
}
