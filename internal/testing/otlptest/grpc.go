package otlptest

import (
	"context"
	"errors"
	"net"
	"net/http"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // exporters may compress
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// serveGRPC serves OTLP/gRPC. The function that it returns stops the server.
func (r *Receiver) serveGRPC(listener net.Listener) (stop func()) {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxBody))
	coltrace.RegisterTraceServiceServer(server, traceService{receiver: r})
	collogs.RegisterLogsServiceServer(server, logsService{receiver: r})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends when the server is stopped
	}()
	return func() {
		server.Stop()
		<-done
	}
}

type traceService struct {
	coltrace.UnimplementedTraceServiceServer
	receiver *Receiver
}

func (s traceService) Export(ctx context.Context, in *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	if !s.receiver.enter() {
		return nil, status.Error(codes.Unavailable, errStopped.Error())
	}
	defer s.receiver.leave()
	out, err := s.receiver.exportTraces(ctx, header(ctx), in)
	return out, wireError(err)
}

type logsService struct {
	collogs.UnimplementedLogsServiceServer
	receiver *Receiver
}

func (s logsService) Export(ctx context.Context, in *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	if !s.receiver.enter() {
		return nil, status.Error(codes.Unavailable, errStopped.Error())
	}
	defer s.receiver.leave()
	out, err := s.receiver.exportLogs(ctx, header(ctx), in)
	return out, wireError(err)
}

// header returns a call's metadata as HTTP headers.
func header(ctx context.Context) http.Header {
	md, _ := metadata.FromIncomingContext(ctx)
	h := make(http.Header, len(md))
	for name, values := range md {
		for _, value := range values {
			h.Add(name, value)
		}
	}
	return h
}

// wireError converts an error to one that gRPC sends.
func wireError(err error) error {
	var refused refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return status.Error(code(refused.status), refused.Error())
	case errors.Is(err, errStopped):
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.FromContextError(err).Err()
}

// code returns the gRPC code for an HTTP status. Exporters retry after the code if and
// only if they retry after the status.
func code(status int) codes.Code {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.Unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return codes.Unavailable
	}
	return codes.Internal
}
