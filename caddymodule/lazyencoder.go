package caddymodule

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

func init() {
	caddy.RegisterModule(LazyEncoder{})
}

// LazyEncoder writes log entries as another encoder does, but encodes the fields
// that a logger carries only when it has something to say.
//
// Caddy's reverse_proxy makes a logger for every request, with the whole request
// as a field, in case there is something to report. Other encoders turn it into
// text at once, whether or not a line is ever written, which takes several per
// cent of what a proxied request costs.
type LazyEncoder struct {
	// The encoder that writes the entries. Default: `json`, or `console` where the
	// output is a terminal.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	zapcore.Encoder `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (LazyEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.lazy",
		New: func() caddy.Module { return new(LazyEncoder) },
	}
}

// Provision sets up the encoder.
func (e *LazyEncoder) Provision(ctx caddy.Context) error {
	if e.WrappedRaw == nil {
		// The filter encoder without filters knows which default is right for a
		// writer.
		filter := new(logging.FilterEncoder)
		if err := filter.Provision(ctx); err != nil {
			return fmt.Errorf("setting up the default encoder: %w", err)
		}
		e.Encoder = filter
		return nil
	}
	wrapped, err := ctx.LoadModule(e, "WrappedRaw")
	if err != nil {
		return fmt.Errorf("loading the wrapped encoder: %w", err)
	}
	e.Encoder = wrapped.(zapcore.Encoder)
	return nil
}

// ConfigureDefaultFormat implements [caddy.ConfiguresFormatterDefault].
func (e *LazyEncoder) ConfigureDefaultFormat(writer caddy.WriterOpener) error {
	if inner, ok := e.Encoder.(caddy.ConfiguresFormatterDefault); ok {
		return inner.ConfigureDefaultFormat(writer)
	}
	return nil
}

// Clone implements zapcore.Encoder. What is added to the clone waits.
func (e *LazyEncoder) Clone() zapcore.Encoder { return &waiting{encoder: e.Encoder} }

// UnmarshalCaddyfile sets up the encoder from Caddyfile tokens. Syntax:
//
//	lazy [<encoder> ...]
func (e *LazyEncoder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the encoder's name
	if !d.NextArg() {
		return nil
	}
	name := d.Val()
	wrapped, err := caddyfile.UnmarshalModule(d, "caddy.logging.encoders."+name)
	if err != nil {
		return err
	}
	e.WrappedRaw = caddyconfig.JSONModuleObject(wrapped, "format", name, nil)
	return nil
}

// waiting is an encoder that notes fields, until there is an entry to write.
type waiting struct {
	encoder zapcore.Encoder // never changed: it is cloned before fields are added
	fields  []zapcore.Field
}

// Clone implements zapcore.Encoder.
func (w *waiting) Clone() zapcore.Encoder {
	// Cut to its length, so that two clones do not append to the same memory.
	return &waiting{w.encoder, w.fields[:len(w.fields):len(w.fields)]}
}

// EncodeEntry implements zapcore.Encoder.
func (w *waiting) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	encoder := w.encoder.Clone()
	for i := range w.fields {
		w.fields[i].AddTo(encoder)
	}
	return encoder.EncodeEntry(entry, fields)
}

func (w *waiting) add(field zapcore.Field) {
	if w.fields == nil {
		w.fields = make([]zapcore.Field, 0, 4) // reverse_proxy has three
	}
	w.fields = append(w.fields, field)
}

// The rest implements zapcore.ObjectEncoder.

func (w *waiting) AddArray(key string, v zapcore.ArrayMarshaler) error {
	w.add(zap.Array(key, v))
	return nil
}

func (w *waiting) AddObject(key string, v zapcore.ObjectMarshaler) error {
	w.add(zap.Object(key, v))
	return nil
}

func (w *waiting) AddReflected(key string, v any) error {
	w.add(zap.Reflect(key, v))
	return nil
}

// AddBinary and AddByteString copy: their callers may use the bytes again.
func (w *waiting) AddBinary(key string, v []byte) { w.add(zap.Binary(key, append([]byte(nil), v...))) }
func (w *waiting) AddByteString(key string, v []byte) {
	w.add(zap.ByteString(key, append([]byte(nil), v...)))
}

func (w *waiting) AddBool(key string, v bool)              { w.add(zap.Bool(key, v)) }
func (w *waiting) AddComplex128(key string, v complex128)  { w.add(zap.Complex128(key, v)) }
func (w *waiting) AddComplex64(key string, v complex64)    { w.add(zap.Complex64(key, v)) }
func (w *waiting) AddDuration(key string, v time.Duration) { w.add(zap.Duration(key, v)) }
func (w *waiting) AddFloat64(key string, v float64)        { w.add(zap.Float64(key, v)) }
func (w *waiting) AddFloat32(key string, v float32)        { w.add(zap.Float32(key, v)) }
func (w *waiting) AddInt(key string, v int)                { w.add(zap.Int(key, v)) }
func (w *waiting) AddInt64(key string, v int64)            { w.add(zap.Int64(key, v)) }
func (w *waiting) AddInt32(key string, v int32)            { w.add(zap.Int32(key, v)) }
func (w *waiting) AddInt16(key string, v int16)            { w.add(zap.Int16(key, v)) }
func (w *waiting) AddInt8(key string, v int8)              { w.add(zap.Int8(key, v)) }
func (w *waiting) AddString(key, v string)                 { w.add(zap.String(key, v)) }
func (w *waiting) AddTime(key string, v time.Time)         { w.add(zap.Time(key, v)) }
func (w *waiting) AddUint(key string, v uint)              { w.add(zap.Uint(key, v)) }
func (w *waiting) AddUint64(key string, v uint64)          { w.add(zap.Uint64(key, v)) }
func (w *waiting) AddUint32(key string, v uint32)          { w.add(zap.Uint32(key, v)) }
func (w *waiting) AddUint16(key string, v uint16)          { w.add(zap.Uint16(key, v)) }
func (w *waiting) AddUint8(key string, v uint8)            { w.add(zap.Uint8(key, v)) }
func (w *waiting) AddUintptr(key string, v uintptr)        { w.add(zap.Uintptr(key, v)) }
func (w *waiting) OpenNamespace(key string)                { w.add(zap.Namespace(key)) }

// Interface guards
var (
	_ caddy.Provisioner                = (*LazyEncoder)(nil)
	_ caddy.ConfiguresFormatterDefault = (*LazyEncoder)(nil)
	_ caddyfile.Unmarshaler            = (*LazyEncoder)(nil)
	_ zapcore.Encoder                  = (*LazyEncoder)(nil)
	_ zapcore.Encoder                  = (*waiting)(nil)
)
