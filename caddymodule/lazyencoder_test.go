package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// asked is a field that counts how often it is encoded.
type asked struct{ times int }

func (a *asked) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	a.times++
	enc.AddString("method", "GET")
	return nil
}

func lazyLogger(t testing.TB, raw string) (*zap.Logger, *bytes.Buffer) {
	t.Helper()
	encoder := new(LazyEncoder)
	if err := json.Unmarshal([]byte(raw), encoder); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := encoder.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.InfoLevel)), &out
}

// eagerLogger writes the lines that the lazy one must write too.
func eagerLogger() (*zap.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.InfoLevel)), &out
}

func TestLazyEncoderWritesTheSameLines(t *testing.T) {
	object := zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
		enc.AddInt("port", 443)
		return nil
	})
	for _, test := range []struct {
		name  string
		write func(*zap.Logger)
	}{
		{"no fields", func(l *zap.Logger) { l.Info("m") }},
		{"fields of the line alone", func(l *zap.Logger) { l.Info("m", zap.Int("a", 1)) }},
		{"every kind", func(l *zap.Logger) {
			l.With(
				zap.String("string", `quoted "text"`), zap.Bool("bool", true), zap.Int("int", -1), zap.Int64("int64", 1<<40),
				zap.Int32("int32", 3), zap.Int16("int16", 4), zap.Int8("int8", 5), zap.Uint("uint", 6), zap.Uint64("uint64", 7),
				zap.Uint32("uint32", 8), zap.Uint16("uint16", 9), zap.Uint8("uint8", 10), zap.Uintptr("uintptr", 11),
				zap.Float64("float64", 1.5), zap.Float32("float32", 2.5), zap.Complex128("complex128", 1i), zap.Complex64("complex64", 2i),
				zap.Duration("duration", time.Second), zap.Time("time", time.Unix(1, 0)), zap.Error(errors.New("failed")),
				zap.Binary("binary", []byte{1, 2}), zap.ByteString("bytes", []byte("text")), zap.Any("any", map[string]int{"a": 1}),
				zap.Object("object", object), zap.Strings("array", []string{"a", "b"}), zap.Inline(object), zap.Skip(),
			).Warn("m")
		}},
		{"in order", func(l *zap.Logger) { l.With(zap.Int("a", 1)).With(zap.Int("b", 2)).Info("m", zap.Int("c", 3)) }},
		{"in a namespace", func(l *zap.Logger) { l.With(zap.Namespace("n"), zap.Int("a", 1)).Info("m", zap.Int("b", 2)) }},
		{"two loggers made of one", func(l *zap.Logger) {
			parent := l.With(zap.Int("a", 1))
			first, second := parent.With(zap.Int("b", 2)), parent.With(zap.Int("c", 3))
			first.Info("m")
			second.Info("m")
			parent.Info("m")
			first.Info("m")
		}},
		{"below the level", func(l *zap.Logger) { l.With(zap.Int("a", 1)).Debug("m") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			lazy, got := lazyLogger(t, `{"wrap": {"format": "json"}}`)
			eager, want := eagerLogger()
			core := zap.WithClock(constantClock{})
			test.write(lazy.WithOptions(core))
			test.write(eager.WithOptions(core))
			if got.String() != want.String() {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

type constantClock struct{}

func (constantClock) Now() time.Time                         { return time.Unix(1_760_000_000, 0) }
func (constantClock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func TestLazyEncoderEncodesWhatIsWrittenOnly(t *testing.T) {
	logger, out := lazyLogger(t, `{}`)
	field := new(asked)
	carrying := logger.With(zap.Object("request", field))
	carrying.Debug("not written")
	if field.times != 0 || out.Len() != 0 {
		t.Errorf("a line that is not written was encoded %d times: %s", field.times, out)
	}
	carrying.Warn("written")
	if field.times != 1 || !bytes.Contains(out.Bytes(), []byte(`"request":{"method":"GET"}`)) {
		t.Errorf("a line that is written was encoded %d times: %s", field.times, out)
	}
}

// Bytes belong to the caller, who may use them again.
func TestLazyEncoderCopiesBytes(t *testing.T) {
	logger, out := lazyLogger(t, `{}`)
	b := []byte("before")
	carrying := logger.With(zap.ByteString("b", b))
	copy(b, "after!")
	carrying.Info("m")
	if !bytes.Contains(out.Bytes(), []byte(`"b":"before"`)) {
		t.Errorf("the line is %s", out)
	}
}

func TestLazyEncoderCaddyfile(t *testing.T) {
	for _, test := range []struct{ name, input, want string }{
		{"alone", "lazy", `{}`},
		{"around json", "lazy json", `{"wrap":{"format":"json"}}`},
		{"around console with an option", "lazy console {\n time_format wall\n}", `{"wrap":{"format":"console","time_format":"wall"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			encoder := new(LazyEncoder)
			if err := encoder.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.input)); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(encoder)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if err := new(LazyEncoder).UnmarshalCaddyfile(caddyfile.NewTestDispenser("lazy jsno")); err == nil {
		t.Error("an encoder that does not exist is accepted")
	}
}

// BenchmarkLogger is what reverse_proxy does for every request when there is
// nothing to report.
func BenchmarkLogger(b *testing.B) {
	lazy, _ := lazyLogger(b, `{}`)
	eager, _ := eagerLogger()
	for _, bench := range []struct {
		name   string
		logger *zap.Logger
	}{{"lazy", lazy}, {"eager", eager}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			field := new(asked)
			for b.Loop() {
				logger := bench.logger.With(zap.String("upstream", "127.0.0.1:443"), zap.Duration("duration", time.Second), zap.Object("request", field))
				logger.Debug("upstream roundtrip")
			}
		})
	}
}
