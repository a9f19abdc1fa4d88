// Package extauthz answers Envoy's external authorization over gRPC
// (envoy.service.auth.v3.Authorization), which Istio, Envoy Gateway and others use.
package extauthz

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/scopegate/scopegate/internal/authcheck"
	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/refusal"
)

// Server answers checks.
type Server struct {
	// Decide judges a request.
	Decide func(exchange.Question) exchange.Answer
	// Trusts reports whether who connects from an address is a proxy of the operator's, and
	// otherwise says what to do. The state is nil without TLS.
	Trusts func(address string, state *tls.ConnectionState) (problem string)
	// Encryption is nil for none.
	Encryption *Encryption
}

// Check answers a check, and returns no error: Envoy could be set to let requests pass on
// errors.
func (s *Server) Check(ctx context.Context, check *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	asked, problem := describe(ctx, check)
	address, state := sender(ctx)
	own, _, _ := net.SplitHostPort(address)
	return answer(asked, s.Decide(asked.Question(problem, s.Trusts(address, state), own))), nil
}

// sender returns where a check comes from.
func sender(ctx context.Context) (address string, state *tls.ConnectionState) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return "", nil
	}
	if info, ok := from.AuthInfo.(credentials.TLSInfo); ok {
		state = &info.State
	}
	return from.Addr.String(), state
}

// answer tells Envoy what was decided.
func answer(asked authcheck.Description, decided exchange.Answer) *authv3.CheckResponse {
	response := &authv3.CheckResponse{DynamicMetadata: metadata(decided)}
	if decided.Refusal == nil {
		response.Status = &status.Status{Code: int32(codes.OK)}
		response.HttpResponse = &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{HeadersToRemove: decided.Drop}}
		return response
	}
	header := make(http.Header)
	code, body := authcheck.Refuse(header, asked.Request, decided)
	if refusal.IsGRPC(asked.Request) {
		// Envoy makes a gRPC status of the status, and its message of the body.
		body = []byte(decided.Refusal.Error())
		header.Del("Content-Type")
	}
	response.Status = &status.Status{Code: int32(codes.PermissionDenied)}
	response.HttpResponse = &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(code)},
		Headers: headersOf(header),
		Body:    string(body),
	}}
	return response
}

// headersOf returns headers as Envoy sets them.
func headersOf(header http.Header) []*corev3.HeaderValueOption {
	options := make([]*corev3.HeaderValueOption, 0, len(header))
	for name, values := range header {
		if name == "Connection" {
			continue // it is for the proxy to say
		}
		for i, value := range values {
			action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
			if i > 0 {
				action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
			}
			options = append(options, &corev3.HeaderValueOption{
				Header:       &corev3.HeaderValue{Key: strings.ToLower(name), Value: value},
				AppendAction: action,
			})
		}
	}
	return options
}

// metadata is what Envoy's later filters and access logs can use of a decision.
func metadata(decided exchange.Answer) *structpb.Struct {
	fields := make(map[string]*structpb.Value)
	for _, fact := range authcheck.Facts(decided) {
		fields[fact.Name] = structpb.NewStringValue(fact.Value)
	}
	if decided.Refusal != nil {
		fields["request_id"] = structpb.NewStringValue(decided.Refusal.RequestID)
	}
	return &structpb.Struct{Fields: fields}
}
