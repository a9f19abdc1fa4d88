// Package decision asks a gateway as proxies do, before they send requests to the workspace
// themselves.
package decision

import (
	"net/http"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// rig is a gateway that is asked, and the workspace whose tokens it knows.
type rig struct {
	*harness.Gateway
	files, all string // values of tokens that permit files and everything
	grpc       string // address for checks over gRPC
}

// start runs databricks_decision with some options.
func start(t *testing.T, options string) *rig {
	t.Helper()
	w := harness.StartWorkspace(t, fakeworkspace.WithSloppyPaths())
	r := &rig{Gateway: harness.NewGateway(t, w), grpc: processtest.FreeAddress(t)}
	r.Load(t, r.directive(options))
	r.files, r.all = r.Mint("files").Value, r.Mint("all-apis").Value
	return r
}

// directive is databricks_decision with some options.
func (r *rig) directive(options string) string {
	return "databricks_decision {\nworkspace " + r.Workspace.URL() + "\n" + harness.AdminBlock + "grpc " + r.grpc + "\n" + options + "\n}"
}

// ask sends a check with headers in pairs, and returns the answer.
func (r *rig) ask(t *testing.T, path, token string, header ...string) harness.Answer {
	t.Helper()
	return harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, r.URL+path, token, nil, header...))
}

// envoy returns a client for checks over gRPC.
func (r *rig) envoy(t *testing.T) authv3.AuthorizationClient {
	t.Helper()
	conn, err := grpc.NewClient(r.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return authv3.NewAuthorizationClient(conn)
}

// check returns a check of a request.
func check(method, path string, header map[string]string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1"},
		}}},
		Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{Method: method, Path: path, Headers: header},
		},
	}}
}
