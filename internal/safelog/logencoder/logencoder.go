// Package logencoder is the Caddy log encoder databricks_safe.
package logencoder

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
	caddy.RegisterModule(new(Encoder))
}

// Encoder is a log encoder that hides secrets in what another encoder writes, whichever
// logger the line comes from: in messages, in names and values of fields, and in requests.
// Headers and queries are left out. Control characters are escaped.
type Encoder struct {
	// The encoder that formats the lines. Default: `console` if the log goes to a
	// terminal, otherwise `json`.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	*safelog.Encoder `json:"-"`

	ctx       caddy.Context
	wrapped   zapcore.Encoder
	isDefault bool // nothing to wrap was named
}

// CaddyModule returns the Caddy module information.
func (*Encoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.databricks_safe",
		New: func() caddy.Module { return new(Encoder) },
	}
}

// used is set while a configuration with such a log is loaded.
var used atomic.Bool

// Used reports whether an encoder was made since the last call. Caddy makes the logs of a
// configuration before its apps, so an app learns whether its configuration has one.
func Used() bool { return used.Swap(false) }

// Provision sets up the encoder.
func (s *Encoder) Provision(ctx caddy.Context) error {
	s.ctx = ctx
	used.Store(true)
	if s.isDefault = s.WrappedRaw == nil; s.isDefault {
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
func (s *Encoder) ConfigureDefaultFormat(to caddy.WriterOpener) error {
	if s.isDefault {
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

func (s *Encoder) wrapDefault(encoder interface {
	zapcore.Encoder
	caddy.Provisioner
}) error {
	if err := encoder.Provision(s.ctx); err != nil {
		return err
	}
	s.wrap(encoder)
	return nil
}

func (s *Encoder) wrap(encoder zapcore.Encoder) {
	s.wrapped, s.Encoder = encoder, safelog.New(encoder)
}

// UnmarshalCaddyfile sets up the encoder from Caddyfile tokens. Syntax:
//
//	databricks_safe [{
//	    wrap <encoder>
//	}]
func (s *Encoder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
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
	_ zapcore.Encoder                  = (*Encoder)(nil)
	_ caddy.Provisioner                = (*Encoder)(nil)
	_ caddy.ConfiguresFormatterDefault = (*Encoder)(nil)
	_ caddyfile.Unmarshaler            = (*Encoder)(nil)
)
