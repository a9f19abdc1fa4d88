package audit

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"regexp"
	"strconv"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// partialSuccess matches the errors by which OTLP exporters tell that a collector
// took a part of what it was sent. Their types are not exported.
var partialSuccess = regexp.MustCompile(`OTLP partial success: (?s:.*)\((\d+) [a-z ]+ rejected\)`)

// rejectedItems reports whether an error says that a collector took at least a part,
// and how many it did not take for good.
func rejectedItems(err error) (rejected int, partly bool) {
	if err == nil {
		return 0, false
	}
	match := partialSuccess.FindStringSubmatch(err.Error())
	if match == nil {
		return 0, false
	}
	rejected, convErr := strconv.Atoi(match[1])
	return rejected, convErr == nil
}

// httpStatus matches the status in an error of the OTLP exporters over HTTP, which
// have no type for it.
var httpStatus = regexp.MustCompile(`^(?:[a-z]+ export: )?failed to send .*?: ([1-5]\d\d) `)

// writeError is why lines were not written, and how many.
type writeError struct {
	count int
	err   error
}

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// failureOf says in a few words of a closed set why sending failed. The error's own
// text may quote the collector's answer and its URL, which are not ours to log.
func failureOf(err error) string {
	var network net.Error
	var file *fs.PathError
	var system syscall.Errno
	var grpcStatus interface{ GRPCStatus() *status.Status }
	switch {
	case err == nil:
		return ""
	case errors.As(err, &grpcStatus) && grpcStatus.GRPCStatus().Code() != codes.Unknown:
		return "gRPC status " + grpcStatus.GRPCStatus().Code().String()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.As(err, &file) && errors.As(file.Err, &system):
		return system.Error() // such as "no space left on device"
	case errors.As(err, &network):
		return "unreachable"
	}
	if match := httpStatus.FindStringSubmatch(err.Error()); match != nil {
		return "status " + match[1]
	}
	return "other"
}
