package proxy

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
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// gRPC clients get refusals as gRPC statuses, with the usual message and details.
func TestGRPCRefusals(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := startPlainGRPC(t, w)
	conn := dialGRPC(t, g)
	unavailable := func(t *testing.T) {
		t.Cleanup(w.Faults().Set("/api/2.0/token-management/", fakeworkspace.InternalError()).Remove)
	}
	tests := []struct {
		name    string
		tokens  []string
		prepare func(*testing.T)
		code    codes.Code
		refusal string // a case of testdata/refusals.json
	}{
		{"missing scope", []string{g.Mint("sql").Value}, nil, codes.PermissionDenied, "missing_scope"},
		{"unknown", []string{harness.RevokedToken(w)}, nil, codes.PermissionDenied, "unknown_token"},
		{"expired", []string{w.Mint(fakeworkspace.TokenSpec{Lifetime: -time.Hour}).Value}, nil, codes.PermissionDenied, "token_expired"},
		{"none", nil, nil, codes.Unauthenticated, "missing_credential"},
		{"unsupported", []string{"bad_token_1"}, nil, codes.Unauthenticated, "unsupported_credential"},
		{"unsupported, named", []string{w.SignJWT(nil)}, nil, codes.Unauthenticated, "unsupported_credential/named"},
		{"two", []string{harness.LegacyToken(w), harness.LegacyToken(w)}, nil, codes.InvalidArgument, "ambiguous_request/two credentials"},
		{"directory unavailable", []string{harness.LegacyToken(w)}, unavailable, codes.Unavailable, "directory_unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refusal := golden.FindRefusal(t, tt.refusal)
			if tt.prepare != nil {
				tt.prepare(t)
			}
			ctx := withToken(harness.Context(t), tt.tokens...)
			t.Run("unary", func(t *testing.T) {
				var header, trailer metadata.MD
				err := conn.Invoke(ctx, sparkMethod("Config"), wrapperspb.String("hello"), new(wrapperspb.StringValue),
					grpc.Header(&header), grpc.Trailer(&trailer))
				grpcRefused(t, err, metadata.Join(header, trailer), tt.code, refusal)
			})
			t.Run("stream", func(t *testing.T) {
				both, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, sparkMethod("ReattachExecute"))
				if err != nil {
					t.Fatal(err)
				}
				err = both.RecvMsg(new(wrapperspb.StringValue)) // before the client sends anything
				grpcRefused(t, err, both.Trailer(), tt.code, refusal)
			})
		})
	}
	if found := harness.Arrivals(w); len(found) != 0 {
		t.Errorf("%d requests reached the workspace", len(found))
	}
}

func grpcRefused(t testing.TB, err error, md metadata.MD, code codes.Code, want golden.Refusal) {
	t.Helper()
	got, isStatus := status.FromError(err)
	if !isStatus || got.Code() != code {
		t.Fatalf("error %v, want %v", err, code)
	}
	id := md.Get("x-request-id")
	if len(id) != 1 || !strings.HasPrefix(got.Message(), want.Prefix()) || !strings.HasSuffix(got.Message(), fmt.Sprintf(" [ReqId: %s]", id[0])) {
		t.Errorf("message %q, x-request-id %v", got.Message(), id)
	}
	if given := md.Get("x-scopegate-reason"); len(given) != 1 || given[0] != want.Reason {
		t.Errorf("x-scopegate-reason %v", given)
	}
	if len(got.Details()) != 1 {
		t.Fatalf("details %v", got.Details())
	}
	info, isInfo := got.Details()[0].(*errdetails.ErrorInfo)
	if !isInfo || info.Reason != strings.ToUpper(want.Reason) || info.Domain != "scopegate" || info.Metadata["reason"] != want.Reason {
		t.Errorf("detail %v", got.Details()[0])
	}
}

// On the wire the refusal is a single header block that ends the stream: some clients
// understand no other form.
func TestGRPCRefusalTrailersOnly(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := startPlainGRPC(t, w)
	for _, contentType := range []string{"application/grpc", "application/grpc+proto", "application/grpc-web+proto"} {
		t.Run(contentType, func(t *testing.T) {
			req := harness.NewRequest(t, "POST", g.URL+sparkMethod("Config"), harness.RevokedToken(w), strings.NewReader("\x00\x00\x00\x00\x00"),
				"Content-Type", contentType, "TE", "trailers")
			answer := harness.Do(t, harness.ClientH2C(t), req)
			if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != contentType || answer.Body != "" {
				t.Errorf("status %d, content type %q, body %q", answer.StatusCode, answer.Header.Get("Content-Type"), answer.Body)
			}
			if answer.Header.Get("Grpc-Status") != "7" || answer.Header.Get("Grpc-Message") == "" || len(answer.Trailer) != 0 {
				t.Errorf("header %v, trailer %v", answer.Header, answer.Trailer)
			}
		})
	}
}
