package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/usage"
)

// Findings say what counts as wrong with a token, see docs/findings.md.
type Findings struct {
	// Neither look for findings nor ask for the workspace's list of tokens to do so.
	Off bool `json:"off,omitempty"`

	// How long a token was not used that is reported as unused. Default: `90d`.
	Unused caddy.Duration `json:"unused,omitempty"`

	// How long before its end a token is reported. Tokens whose whole life is not longer are
	// not. Default: `14d`.
	NearExpiry caddy.Duration `json:"near_expiry,omitempty"`

	// How often tokens are judged, with one request for the workspace's list of tokens. Of
	// gateways that share a storage, one does so. `-1` judges them only when findings are asked
	// for, as `sidecar` does. Default: `15m`.
	Every caddy.Duration `json:"every,omitempty"`
}

const (
	maxUnused        = 5 * 365 * 24 * time.Hour
	maxNearExpiry    = 365 * 24 * time.Hour
	minFindingsEvery = 10 * time.Second
)

// unmarshal reads the option findings. Syntax:
//
//	findings [off] {
//	    unused      <duration>
//	    near_expiry <duration>
//	    every       <duration>|off
//	}
func (f *Findings) unmarshal(d *caddyfile.Dispenser) error {
	if onlyArg(d, "off") {
		f.Off = true
		if d.NextBlock(d.Nesting()) {
			return d.Err("findings off takes no block; remove one of them")
		}
		return nil
	}
	if err := eachOption(d, f.options(d)); err != nil {
		return err
	}
	return at(d, f.validate())
}

func (f *Findings) options(d *caddyfile.Dispenser) options {
	return options{
		"unused":      func() error { return duration(d, &f.Unused, maxUnused) },
		"near_expiry": func() error { return duration(d, &f.NearExpiry, maxNearExpiry) },
		"every":       func() error { return unmarshalInterval(d, &f.Every, f.validate) },
	}
}

// validate works on nil.
func (f *Findings) validate() error {
	if f == nil {
		return nil
	}
	problems := []error{
		betweenDurations("findings unused", f.Unused, maxUnused),
		betweenDurations("findings near_expiry", f.NearExpiry, maxNearExpiry),
		intervalOrOff("findings every", f.Every, minFindingsEvery),
	}
	if f.Off && *f != (Findings{Off: true}) {
		problems = append(problems, errors.New("findings is off and has other settings; keep one of the two"))
	}
	return errors.Join(problems...)
}

// eventFinding: a finding about a token or the map is new, or resolved. Data: workspace,
// change (new or resolved), key, kind, severity, token_id, operation, owner, creator, text,
// do, since (RFC 3339). Of gateways that share a storage, one emits it.
const eventFinding = "databricks_finding"

// tellFinding tells the audit outputs that have a place for findings, and emits an event. An
// acknowledgment is none: who acknowledges knows.
func tellFinding(f findings.Finding, change findings.Change) {
	sinksPool.Range(func(_, pooled any) bool {
		pooled.(*pooledSinks).PutFinding(f.Event(change))
		return true
	})
	if change == findings.ChangeAcknowledged {
		return
	}
	activeApp().emitNow(eventFinding, map[string]any{
		"workspace": f.Workspace, "change": string(change), "key": f.Key, "kind": string(f.Kind), "severity": string(f.Severity),
		"token_id": f.TokenID, "operation": f.Operation, "owner": f.Owner, "creator": f.Creator, "text": f.Text, "do": f.Do,
		"since": f.Since.UTC().Format(time.RFC3339),
	})
}

// bookkeeping is the book of a workspace's findings, and what it is counted by.
type bookkeeping struct {
	*findings.Book
	counted *metrics.Findings
}

func (a *App) newBook(w *workspace) *bookkeeping {
	counted := a.metrics.NewFindings()
	outbox := findings.NewOutbox(tellFinding, func(n int) {
		handlerLogger().Warn("events about findings were dropped, because their subscribers are slow", zap.Int("events", n))
	})
	count := func(counts map[findings.Kind]map[findings.State]int) {
		flat := make(map[[2]string]int)
		for kind, states := range counts {
			for state, n := range states {
				flat[[2]string{string(kind), string(state)}] = n
			}
		}
		counted.Set(flat)
	}
	return &bookkeeping{findings.NewBook(findings.Options{Workspace: w.url, Now: a.now, Observe: outbox.Observe, Count: count}), counted}
}

// close works on nil.
func (b *bookkeeping) close() {
	if b != nil {
		b.Book.Close()
		b.counted.Close()
	}
}

// book returns the findings of the workspace; nil if they are off, or for an edge.
func (w *workspace) book() *findings.Book {
	kept := w.service().findings
	if kept == nil || w.options.Findings != nil && w.options.Findings.Off {
		return nil
	}
	return kept.Book
}

// keepFindings begins, or goes on, to look for what is wrong with the workspace's tokens.
func (w *workspace) keepFindings(storage certmagic.Storage, logger *zap.Logger) {
	options := w.options.Findings
	if options == nil {
		options = new(Findings)
	}
	kept := w.service().findings
	switch {
	case kept == nil:
		return
	case options.Off:
		kept.Stop()
		return
	}
	settings := findings.Settings{
		Thresholds: findings.Thresholds{Unused: time.Duration(options.Unused), NearExpiry: time.Duration(options.NearExpiry)},
		Every:      max(0, cmp.Or(time.Duration(options.Every), findings.DefaultEvery)),
		Input:      w.findingsInput,
		OnError:    findingsWarner(logger),
	}
	if w.options.Usage != intervalOff {
		settings.Store, settings.Prefix = usage.CaddyStorage(storage), findings.StoragePrefix(w.url)
		if shared := w.service().fleet.UsageStore(); shared != nil {
			settings.Store = shared
		}
	}
	kept.Keep(settings)
}

// findingsInput returns what findings follow from.
func (w *workspace) findingsInput(ctx context.Context) (findings.Input, error) {
	service := w.service()
	about := adminapi.Workspace{URL: w.url, Tokens: service, Usage: service.usage}
	report, state := about.Report(ctx, clock())
	if err := ctx.Err(); err != nil {
		return findings.Input{}, err
	}
	in := findings.Input{
		Report: report, Drift: usage.NewDrift(state.Lessons, w.inForce.Load().Catalog, report.At), OwnerGone: service.owners.Gone,
	}
	for _, faulty := range about.Faulty() {
		in.Faulty = append(in.Faulty, faulty.ID.String())
	}
	return in, nil
}

// findingsWarner logs why findings cannot be evaluated or saved, once for as long as the reason
// is the same.
func findingsWarner(logger *zap.Logger) func(error) {
	var mu sync.Mutex
	last := ""
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		again := last == err.Error()
		last = err.Error()
		switch {
		case findings.SetAside(err):
			logger.Warn("saved findings could not be read; they were set aside, and acknowledgments that this gateway does not remember are lost", zap.Error(err))
		case again:
		case errors.Is(err, findings.ErrNewerVersion):
			logger.Warn("saved findings are those of a newer version, so they are left alone; upgrade this gateway, too", zap.Error(err))
		default:
			logger.Warn("findings cannot be evaluated or saved; it is tried again; check Caddy's storage and the workspace, or set findings off", zap.Error(err))
		}
	}
}
