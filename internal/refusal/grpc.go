package refusal

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// grpcCodes are the codes that say to a gRPC client what the status says to
// others.
var grpcCodes = map[int]codes.Code{
	http.StatusBadRequest:         codes.InvalidArgument,
	http.StatusRequestTimeout:     codes.DeadlineExceeded,
	http.StatusUnauthorized:       codes.Unauthenticated,
	http.StatusForbidden:          codes.PermissionDenied,
	http.StatusMisdirectedRequest: codes.Unimplemented, // as servers answer for services that they do not know
	http.StatusServiceUnavailable: codes.Unavailable,
	// gRPC clients retry UNAVAILABLE, and so nothing that may have been done.
	http.StatusBadGateway:     codes.Unknown,
	http.StatusGatewayTimeout: codes.DeadlineExceeded,
}

// writeGRPC sends a refusal as a trailers-only response: status 200 and the gRPC
// status in the only header block. gRPC clients do not show an HTTP error's body.
func (f *Refusal) writeGRPC(w http.ResponseWriter, r *http.Request) {
	code := grpcCodes[f.Status]
	header := w.Header()
	header.Set("Content-Type", r.Header.Get("Content-Type"))
	header.Set("Grpc-Status", strconv.Itoa(int(code)))
	header.Set("Grpc-Message", grpcMessage(f.Error()))
	if details, err := grpcDetails(code, f.Error(), f.errorInfo()); err == nil {
		header.Set("Grpc-Status-Details-Bin", details)
	}
	w.WriteHeader(http.StatusOK)
}

// grpcDetails encodes the same ErrorInfo that the JSON form carries.
func grpcDetails(code codes.Code, message string, info detail) (string, error) {
	packed, err := anypb.New(&errdetails.ErrorInfo{Reason: info.Reason, Domain: info.Domain, Metadata: info.Metadata})
	if err != nil {
		return "", err
	}
	encoded, err := proto.Marshal(&spb.Status{Code: int32(code), Message: message, Details: []*anypb.Any{packed}})
	if err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(encoded), nil
}

// grpcMessage percent-encodes what may not stand in grpc-message: everything but
// printable ASCII, and the percent sign.
func grpcMessage(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
