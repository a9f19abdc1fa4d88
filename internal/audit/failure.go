package audit

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// partialSuccess matches the errors of OTLP exporters for a collector that accepted
// only a part of what it was sent. Their types are not exported.
var partialSuccess = regexp.MustCompile(`OTLP partial success: (?s:.*)\((\d+) [a-z ]+ rejected\)`)

// rejectedItems reports whether an error says that a collector accepted a part, and how
// many items it rejected permanently.
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

// httpStatus matches the status in an error of the OTLP exporters for HTTP, which have
// no type for it.
var httpStatus = regexp.MustCompile(`^(?:[a-z]+ export: )?failed to send .*?: ([1-5]\d\d) `)

// writeError says why lines were not written, and how many.
type writeError struct {
	count int
	err   error
}

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// failureOf says why sending failed, in words from fixed lists. The text of the error
// may quote the collector's response and its URL, which must not be logged.
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
	case errors.Is(err, errFileKind):
		return errFileKind.Error()
	case errors.As(err, &file) && errors.As(file.Err, &system):
		return system.Error() // such as "no space left on device"
	case errors.As(err, &network):
		return "unreachable"
	case errors.Is(err, errRolling):
		return "the file could not be rolled"
	}
	if match := httpStatus.FindStringSubmatch(err.Error()); match != nil {
		return "status " + match[1]
	}
	return "other"
}

// writeFailures are why files and streams cannot be written.
var writeFailures = []syscall.Errno{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EFBIG,
	syscall.EACCES, syscall.EPERM, syscall.EISDIR, syscall.ENOTDIR, syscall.ENOENT,
	syscall.EPIPE, syscall.ECONNREFUSED, syscall.ECONNRESET,
}

// failureIn is failureOf for a text that ends with the error.
func failureIn(text string) string {
	for _, failure := range writeFailures {
		if strings.Contains(text, ": "+failure.Error()) {
			return failure.Error()
		}
	}
	return "other"
}
