package otlptest

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"mime"
	"net"
	"net/http"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

const protobuf = "application/x-protobuf"

// serveHTTP serves OTLP/HTTP. The function that it returns stops the server.
func (r *Receiver) serveHTTP(listener net.Listener) (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, q *http.Request) {
		in := new(coltrace.ExportTraceServiceRequest)
		r.answer(w, q, in, func(ctx context.Context) (proto.Message, error) {
			return r.exportTraces(ctx, q.Header, in)
		})
	})
	mux.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, q *http.Request) {
		in := new(collogs.ExportLogsServiceRequest)
		r.answer(w, q, in, func(ctx context.Context) (proto.Message, error) {
			return r.exportLogs(ctx, q.Header, in)
		})
	})
	server := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with ErrServerClosed
	}()
	return func() {
		server.Close()
		<-done
	}
}

// answer reads a call into in, exports it and writes the result.
func (r *Receiver) answer(w http.ResponseWriter, q *http.Request, in proto.Message, export func(context.Context) (proto.Message, error)) {
	if !r.enter() {
		panic(http.ErrAbortHandler)
	}
	defer r.leave()
	// Read the whole body before the call can hang: only then does the server notice
	// that the client disconnects.
	err := read(q, in)
	var out proto.Message
	if err == nil {
		out, err = export(q.Context())
	}
	status := http.StatusOK
	var refused refusal
	switch {
	case errors.As(err, &refused):
		status = refused.status
		out = &spb.Status{Code: int32(code(status)), Message: refused.Error()}
	case err != nil:
		panic(http.ErrAbortHandler) // the client is gone
	}
	body, err := proto.Marshal(out)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", protobuf)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// read returns a call's body, decompressed if necessary.
func read(q *http.Request, in proto.Message) error {
	if kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || kind != protobuf {
		return refusal{http.StatusUnsupportedMediaType}
	}
	body := io.LimitReader(q.Body, maxBody+1)
	switch q.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		plain, err := gzip.NewReader(body)
		if err != nil {
			return refusal{http.StatusBadRequest}
		}
		body = plain
	default:
		return refusal{http.StatusUnsupportedMediaType}
	}
	content, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	switch {
	case err != nil:
		return refusal{http.StatusBadRequest}
	case len(content) > maxBody:
		return refusal{http.StatusRequestEntityTooLarge}
	}
	if err := proto.Unmarshal(content, in); err != nil {
		return refusal{http.StatusBadRequest}
	}
	return nil
}
