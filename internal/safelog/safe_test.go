package safelog

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const pat = "dapi0123456789abcdef0fedcba987654321"

type stringer struct{}

func (stringer) String() string { return "stringer " + pat }

type headers http.Header

func (h headers) MarshalLogObject(to zapcore.ObjectEncoder) error {
	for name, values := range h {
		to.AddString(name, values[0])
	}
	return nil
}

type request struct{}

func (request) MarshalLogObject(to zapcore.ObjectEncoder) error {
	to.AddString("uri", "/a?q=s3cr3t&x="+pat)
	to.AddString("method", pat)
	to.AddString(pat, "name")
	return to.AddObject("headers", headers{"Cookie": {"s3cr3t"}})
}

// fields are all kinds of fields, each with a secret.
func fields() []zapcore.Field {
	return []zapcore.Field{
		zap.String("uri", "/databricks_scopes/usage?format=s3cr3t"), zap.String("text", pat), zap.String(pat, "name"),
		zap.ByteString("bytes", []byte(pat)), zap.Binary("binary", []byte(pat)), zap.Stringer("stringer", stringer{}),
		zap.Error(fmt.Errorf("Get %q: %w", "https://u:s3cr3t@host/x?q=s3cr3t", errors.New(pat))), zap.Errors("errors", []error{errors.New(pat)}),
		zap.Any("any", map[string]any{"a": pat, pat: []string{"%64api" + pat[4:]}}), zap.Strings("strings", []string{pat}),
		zap.Reflect("headers", map[string]string{"A": "s3cr3t"}), zap.Object("resp_headers", headers{"A": {"s3cr3t"}}), zap.Strings("request_headers", []string{"s3cr3t"}),
		zap.Object("request", request{}), zap.Inline(request{}), zap.Dict("dict", zap.String("a", pat)), zap.Any("bad", func() {}),
		zap.String("basic", "Basic "+base64.StdEncoding.EncodeToString([]byte("token:"+pat))), zap.String("controls", "a\u009bb\u202e"),
		zap.Int("number", 7), zap.Bool("truth", true), zap.Time("when", time.Unix(0, 0)), zap.Duration("took", time.Second), zap.Namespace(pat), zap.String("inner", pat),
	}
}

// TestEncoder: no kind of field, name, message or context has a secret.
func TestEncoder(t *testing.T) {
	t.Parallel()
	config := zap.NewProductionEncoderConfig()
	for name, encoder := range map[string]zapcore.Encoder{"json": zapcore.NewJSONEncoder(config), "console": zapcore.NewConsoleEncoder(config)} {
		var out strings.Builder
		logger := zap.New(zapcore.NewCore(New(encoder), zapcore.AddSync(&out), zap.DebugLevel)).Named("a." + pat)
		logger.With(fields()...).Named("b").Info("message "+pat+" https://host/?q=s3cr3t\n\u009b", fields()...)
		logger.Info("next", zap.String("fine", "value"))
		text := out.String()
		for _, secret := range []string{pat[4:12], "s3cr3t", "ZGFwaT", base64.StdEncoding.EncodeToString([]byte(pat))[4:20], "\u009b", "\u202e"} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s: %q in …%s", name, secret, text[max(0, i-100):min(len(text), i+50)])
			}
		}
		for _, kept := range []string{`"number":7`, `"truth":true`, "dapi…", "https://…@host/x…", "/databricks_scopes/usage…", `a\\u{9b}b\\u{202e}`, "message dapi…", `(a func() that has no JSON)`} {
			if name == "console" {
				kept = strings.NewReplacer(`:7`, `: 7`, `:true`, `: true`).Replace(kept)
			}
			if !strings.Contains(text, kept) {
				t.Errorf("%s lacks %s: %s", name, kept, text)
			}
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if len(lines) != 2 || strings.Contains(lines[1], "number") {
			t.Errorf("%s: %d lines: %s", name, len(lines), lines[len(lines)-1])
		}
		if name == "json" && !json.Valid([]byte(lines[0])) {
			t.Errorf("not JSON: %s", lines[0])
		}
	}
}

// TestOpenInterface: Caddy's warning of an open admin API is not written for Unix sockets.
func TestOpenInterface(t *testing.T) {
	t.Parallel()
	const warning = "admin endpoint on open interface; host checking disabled"
	for _, test := range []struct {
		logger, message, address string
		written                  bool
	}{
		{"admin", warning, "unix//run/scopegate/admin.sock|0600", false},
		{"admin", warning, ":2019", true},
		{"admin", "admin endpoint started", "unix//run/scopegate/admin.sock", true},
		{"http", warning, "unix//run/a.sock", true},
	} {
		var out strings.Builder
		logger := zap.New(zapcore.NewCore(New(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())), zapcore.AddSync(&out), zap.DebugLevel))
		logger.Named(test.logger).Warn(test.message, zap.String("address", test.address))
		if written := out.Len() > 0; written != test.written {
			t.Errorf("%+v: %q", test, out.String())
		}
	}
}

func TestWithoutQueries(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"what?": "what?", "https://a/b": "https://a/b", `Get "https://a/b?c": EOF`: `Get "https://a/b…": EOF`,
		"why? http://a/?x http://b/?y z?": "why? http://a/… http://b/… z?", "://": "://",
	} {
		if got := withoutQueries(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func BenchmarkEncoder(b *testing.B) {
	for name, encoder := range map[string]zapcore.Encoder{"safe": New(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())), "plain": zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				line, err := encoder.EncodeEntry(zapcore.Entry{Message: "handled request", LoggerName: "http.log.access"}, []zapcore.Field{zap.String("a", "/api/2.1/jobs/list"), zap.Int("status", 200), zap.String("b", "value")})
				if err != nil {
					b.Fatal(err)
				}
				line.Free()
			}
		})
	}
}
