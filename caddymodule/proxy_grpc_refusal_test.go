package caddymodule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// gRPC clients get refusals as statuses, with the same words and details as
// others.
func TestProxyGRPCRefusals(t *testing.T) {
	w := startWorkspace(t)
	h := startPlainGRPC(t, w)
	conn := dialGRPC(t, h)
	unavailable := func(t *testing.T) {
		t.Cleanup(w.Faults().Set("/api/2.0/token-management/", fakeworkspace.InternalError()).Remove)
	}
	tests := []struct {
		name    string
		tokens  []string
		prepare func(*testing.T)
		code    codes.Code
		reason  string
		message string
	}{
		{"missing scope", []string{h.mint("sql").Value}, nil, codes.PermissionDenied,
			"missing_scope", "Provided access token does not have required scopes: "},
		{"unknown", []string{revokedToken(w)}, nil, codes.PermissionDenied, "unknown_token", messageInvalidToken},
		{"expired", []string{w.Mint(fakeworkspace.TokenSpec{Lifetime: -time.Hour}).Value}, nil, codes.PermissionDenied,
			"token_expired", messageInvalidToken},
		{"none", nil, nil, codes.Unauthenticated, "missing_credential", messageNoCredential},
		{"unsupported", []string{"bad_token_1"}, nil, codes.Unauthenticated, "unsupported_credential", messageNoCredential},
		{"two", []string{legacyToken(w), legacyToken(w)}, nil, codes.InvalidArgument,
			"ambiguous_request", "More than one Authorization header was sent"},
		{"directory unavailable", []string{legacyToken(w)}, unavailable, codes.Unavailable,
			"directory_unavailable", "TEMPORARILY_UNAVAILABLE: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.prepare != nil {
				tt.prepare(t)
			}
			ctx := withToken(patient(t), tt.tokens...)
			t.Run("unary", func(t *testing.T) {
				var header, trailer metadata.MD
				err := conn.Invoke(ctx, sparkMethod("Config"), wrapperspb.String("hello"), new(wrapperspb.StringValue),
					grpc.Header(&header), grpc.Trailer(&trailer))
				grpcRefused(t, err, metadata.Join(header, trailer), tt.code, tt.reason, tt.message)
			})
			t.Run("stream", func(t *testing.T) {
				both, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, sparkMethod("ReattachExecute"))
				if err != nil {
					t.Fatal(err)
				}
				err = both.RecvMsg(new(wrapperspb.StringValue)) // the client has sent nothing yet
				grpcRefused(t, err, both.Trailer(), tt.code, tt.reason, tt.message)
			})
		})
	}
	if found := arrivals(w); len(found) != 0 {
		t.Errorf("%d requests arrived at the workspace", len(found))
	}
}

func grpcRefused(t testing.TB, err error, md metadata.MD, code codes.Code, reason, message string) {
	t.Helper()
	got, isStatus := status.FromError(err)
	if !isStatus || got.Code() != code {
		t.Fatalf("error %v, want %v", err, code)
	}
	id := md.Get("x-request-id")
	if len(id) != 1 || !strings.HasPrefix(got.Message(), message) || !strings.HasSuffix(got.Message(), fmt.Sprintf(" [ReqId: %s]", id[0])) {
		t.Errorf("message %q, x-request-id %v", got.Message(), id)
	}
	if given := md.Get("x-scopegate-reason"); len(given) != 1 || given[0] != reason {
		t.Errorf("x-scopegate-reason %v", given)
	}
	if len(got.Details()) != 1 {
		t.Fatalf("details %v", got.Details())
	}
	info, isInfo := got.Details()[0].(*errdetails.ErrorInfo)
	if !isInfo || info.Reason != strings.ToUpper(reason) || info.Domain != errorDomain || info.Metadata["reason"] != reason {
		t.Errorf("detail %v", got.Details()[0])
	}
}

// The refusal is one block of headers that ends the stream, also on the wire:
// some clients know no other form.
func TestProxyGRPCRefusalTrailersOnly(t *testing.T) {
	w := startWorkspace(t)
	h := startPlainGRPC(t, w)
	for _, contentType := range []string{"application/grpc", "application/grpc+proto", "application/grpc-web+proto"} {
		t.Run(contentType, func(t *testing.T) {
			req := proxyRequest(t, "POST", h.url+sparkMethod("Config"), revokedToken(w), strings.NewReader("\x00\x00\x00\x00\x00"),
				"Content-Type", contentType, "TE", "trailers")
			answer := proxyDo(t, proxyClientH2C(t), req)
			if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != contentType || answer.body != "" {
				t.Errorf("status %d, content type %q, body %q", answer.StatusCode, answer.Header.Get("Content-Type"), answer.body)
			}
			if answer.Header.Get("Grpc-Status") != "7" || answer.Header.Get("Grpc-Message") == "" || len(answer.Trailer) != 0 {
				t.Errorf("header %v, trailer %v", answer.Header, answer.Trailer)
			}
		})
	}
}
