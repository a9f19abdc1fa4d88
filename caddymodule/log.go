package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/scopegate/scopegate/internal/safelog"
)

func init() {
	caddy.RegisterModule(new(SafeLog))
}

// SafeLog is a log encoder that hides secrets in what another encoder writes, whichever
// logger the line comes from: in messages, in names and values of fields, and in requests.
// Headers and queries are left out. Control characters are escaped.
type SafeLog struct {
	// The encoder that formats the lines. Default: `console` if the log goes to a
	// terminal, otherwise `json`.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	*safelog.Encoder `json:"-"`

	ctx     caddy.Context
	wrapped zapcore.Encoder
}

// CaddyModule returns the Caddy module information.
func (*SafeLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.databricks_safe",
		New: func() caddy.Module { return new(SafeLog) },
	}
}

// safeLogs counts the logs that were made with a SafeLog since the last configuration.
var safeLogs atomic.Int64

// Provision sets up the encoder.
func (s *SafeLog) Provision(ctx caddy.Context) error {
	s.ctx = ctx
	safeLogs.Add(1)
	if s.WrappedRaw == nil {
		return s.wrapDefault(new(logging.JSONEncoder))
	}
	module, err := ctx.LoadModule(s, "WrappedRaw")
	if err != nil {
		return fmt.Errorf("loading the log encoder to wrap: %w", err)
	}
	s.wrap(module.(zapcore.Encoder))
	return nil
}

// ConfigureDefaultFormat chooses the format for a terminal.
func (s *SafeLog) ConfigureDefaultFormat(to caddy.WriterOpener) error {
	if s.WrappedRaw == nil {
		if caddy.IsWriterStandardStream(to) && term.IsTerminal(int(os.Stderr.Fd())) {
			return s.wrapDefault(new(logging.ConsoleEncoder))
		}
		return nil
	}
	if inner, ok := s.wrapped.(caddy.ConfiguresFormatterDefault); ok {
		return inner.ConfigureDefaultFormat(to)
	}
	return nil
}

func (s *SafeLog) wrapDefault(encoder interface {
	zapcore.Encoder
	caddy.Provisioner
}) error {
	if err := encoder.Provision(s.ctx); err != nil {
		return err
	}
	s.wrap(encoder)
	return nil
}

func (s *SafeLog) wrap(encoder zapcore.Encoder) {
	s.wrapped, s.Encoder = encoder, safelog.New(encoder)
}

// UnmarshalCaddyfile sets up the encoder from Caddyfile tokens. Syntax:
//
//	databricks_safe [{
//	    wrap <encoder>
//	}]
func (s *SafeLog) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the encoder's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		if d.Val() != "wrap" || s.WrappedRaw != nil {
			return d.Errf("databricks_safe takes one option, wrap <encoder>, not %q", d.Val())
		}
		if !d.NextArg() {
			return d.ArgErr()
		}
		name := d.Val()
		module, err := caddyfile.UnmarshalModule(d, "caddy.logging.encoders."+name)
		if err != nil {
			return err
		}
		encoder, ok := module.(zapcore.Encoder)
		if !ok {
			return d.Errf("%s is not a log encoder", name)
		}
		s.WrappedRaw = caddyconfig.JSONModuleObject(encoder, "format", name, nil)
	}
	return nil
}

// Interface guards
var (
	_ zapcore.Encoder                  = (*SafeLog)(nil)
	_ caddy.Provisioner                = (*SafeLog)(nil)
	_ caddy.ConfiguresFormatterDefault = (*SafeLog)(nil)
	_ caddyfile.Unmarshaler            = (*SafeLog)(nil)
)
