// Package safelog keeps secrets out of logs: those of Caddy and of the standard library as
// well as ours. It wraps the encoder of a log, so that every name and every text of every
// logger goes through package sanitize, and leaves out headers and queries altogether.
package safelog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// Encoder sanitizes what another encoder writes.
type Encoder struct{ object }

// New returns an Encoder in front of another one.
func New(to zapcore.Encoder) *Encoder { return &Encoder{object{to}} }

// Clone implements [zapcore.Encoder].
func (e *Encoder) Clone() zapcore.Encoder { return New(e.encoder().Clone()) }

// EncodeEntry implements [zapcore.Encoder].
func (e *Encoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	if isAboutSocket(&entry, fields) {
		return nothing.Get(), nil
	}
	// As a copy, because the fields of this entry must not become those of the next.
	line := New(e.encoder().Clone())
	for _, field := range fields {
		field.AddTo(line)
	}
	entry.Message = withoutQueries(sanitize.String(entry.Message, sanitize.MaxText))
	entry.LoggerName = sanitize.String(entry.LoggerName, maxName)
	entry.Stack = sanitize.Text(entry.Stack, sanitize.MaxText)
	return line.encoder().EncodeEntry(entry, nil)
}

// nothing is lines that are not written.
var nothing = buffer.NewPool()

// isAboutSocket reports whether an entry is Caddy's warning of an "open interface" for the
// socket of its admin API: Caddy takes every Unix socket for one, which alarms for nothing.
// Of sockets that are open to others the gateway warns itself.
func isAboutSocket(entry *zapcore.Entry, fields []zapcore.Field) bool {
	return entry.LoggerName == "admin" && strings.HasPrefix(entry.Message, "admin endpoint on open interface") &&
		slices.ContainsFunc(fields, func(f zapcore.Field) bool { return f.Key == "address" && strings.HasPrefix(f.String, "unix/") })
}

func (e *Encoder) encoder() zapcore.Encoder { return e.ObjectEncoder.(zapcore.Encoder) }

// maxName bounds the names of fields and loggers, in bytes.
const maxName = 256

// object sanitizes the fields of an object. Numbers and the like pass.
type object struct{ zapcore.ObjectEncoder }

func (o object) AddString(name, value string) {
	o.ObjectEncoder.AddString(safeName(name), safeValue(name, value))
}

func (o object) AddByteString(name string, value []byte) { o.AddString(name, string(value)) }

func (o object) AddBinary(name string, value []byte) { o.AddString(name, string(value)) }

func (o object) AddReflected(name string, value any) error {
	if isHeaders(name) {
		return nil
	}
	return o.ObjectEncoder.AddReflected(safeName(name), reflected(value))
}

func (o object) AddObject(name string, value zapcore.ObjectMarshaler) error {
	if isHeaders(name) {
		return nil
	}
	return o.ObjectEncoder.AddObject(safeName(name), safeObject(value))
}

func (o object) AddArray(name string, value zapcore.ArrayMarshaler) error {
	if isHeaders(name) {
		return nil
	}
	return o.ObjectEncoder.AddArray(safeName(name), safeArray(value))
}

func (o object) OpenNamespace(name string) { o.ObjectEncoder.OpenNamespace(safeName(name)) }

// array sanitizes the elements of an array.
type array struct{ zapcore.ArrayEncoder }

func (a array) AppendString(value string) { a.ArrayEncoder.AppendString(safeValue("", value)) }

func (a array) AppendByteString(value []byte) { a.AppendString(string(value)) }

func (a array) AppendReflected(value any) error {
	return a.ArrayEncoder.AppendReflected(reflected(value))
}

func (a array) AppendObject(value zapcore.ObjectMarshaler) error {
	return a.ArrayEncoder.AppendObject(safeObject(value))
}

func (a array) AppendArray(value zapcore.ArrayMarshaler) error {
	return a.ArrayEncoder.AppendArray(safeArray(value))
}

func safeObject(value zapcore.ObjectMarshaler) zapcore.ObjectMarshaler {
	return zapcore.ObjectMarshalerFunc(func(to zapcore.ObjectEncoder) error { return value.MarshalLogObject(object{to}) })
}

func safeArray(value zapcore.ArrayMarshaler) zapcore.ArrayMarshaler {
	return zapcore.ArrayMarshalerFunc(func(to zapcore.ArrayEncoder) error { return value.MarshalLogArray(array{to}) })
}

// reflected returns a value of any type as JSON.
func reflected(value any) any {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("(a %T that has no JSON)", value)
	}
	return json.RawMessage(sanitize.JSON(encoded))
}

func safeName(name string) string { return sanitize.String(name, maxName) }

// safeValue returns a text without secrets. That of a field which holds a URL or a request
// target has no query either.
func safeValue(name, value string) string {
	switch name {
	case "uri", "url", "target", "location", "referer", "query":
		return sanitize.Target(value, sanitize.MaxText)
	}
	return withoutQueries(sanitize.Text(value, sanitize.MaxText))
}

// withoutQueries cuts the queries of the URLs in a text.
func withoutQueries(text string) string {
	var out strings.Builder
	for {
		start := strings.Index(text, "://")
		if start < 0 {
			break
		}
		end := len(text)
		if i := strings.IndexAny(text[start:], " \t\n\r\"'<>`"); i >= 0 {
			end = start + i
		}
		query := strings.IndexByte(text[start:end], '?')
		if query < 0 {
			query = end - start
		}
		out.WriteString(text[:start+query])
		if start+query < end {
			out.WriteString(sanitize.Mark)
		}
		text = text[end:]
	}
	if out.Len() == 0 {
		return text
	}
	out.WriteString(text)
	return out.String()
}

// isHeaders reports whether a field has the headers of a message, with their values.
func isHeaders(name string) bool {
	switch strings.ToLower(name) {
	case "header", "headers", "req_headers", "request_headers", "resp_headers", "response_headers", "trailer", "trailers":
		return true
	}
	return false
}
