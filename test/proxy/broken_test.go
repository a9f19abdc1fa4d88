package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// connectionRequests is the number of requests on a connection, in the context of its
// requests.
type connectionRequests struct{}

// breaking serves a workspace, but breaks every kept connection at its second request.
func breaking(t *testing.T, workspace *fakeworkspace.Workspace, how func(*net.TCPConn)) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(connectionRequests{}).(*atomic.Int32).Add(1) == 2 {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			how(conn.(*net.TCPConn))
			conn.Close()
			return
		}
		workspace.ServeHTTP(w, r)
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connectionRequests{}, new(atomic.Int32))
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestBrokenConnections: calls of the Go SDK end behind the gateway as they do without
// it, whatever happens to the connections of the workspace. Where a call fails, its error
// is one of Databricks' form.
func TestBrokenConnections(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, "respond /unused 404")
	token := g.Mint("sql", "jobs").Value
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	execute := func(c *databricks.WorkspaceClient) error {
		_, err := c.StatementExecution.ExecuteStatement(t.Context(), sql.ExecuteStatementRequest{
			WarehouseId: fakeworkspace.WarehouseID, Statement: "SELECT 1", WaitTimeout: "10s",
		})
		return err
	}
	list := func(c *databricks.WorkspaceClient) error {
		_, err := c.Jobs.ListAll(t.Context(), jobs.ListJobsRequest{})
		return err
	}
	reset := func(conn *net.TCPConn) { _ = conn.SetLinger(0) }
	for _, test := range []struct {
		name    string
		address string
		call    func(*databricks.WorkspaceClient) error
		fails   int // of four calls
	}{
		{"reset, statement", breaking(t, workspace, reset), execute, 0},
		{"reset, list", breaking(t, workspace, reset), list, 0},
		{"closed, statement", breaking(t, workspace, func(*net.TCPConn) {}), execute, 2},
		{"closed, list", breaking(t, workspace, func(*net.TCPConn) {}), list, 0},
		{"unknown host", "gateway.invalid:80", list, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := func(host string) (failed []bool, errs []error) {
				client := sdkClient(t, g, token, func(c *databricks.Config) { c.Host = host; c.RetryTimeoutSeconds = 10 })
				for range 4 {
					err := test.call(client)
					failed, errs = append(failed, err != nil), append(errs, err)
				}
				return failed, errs
			}
			directly, _ := run("http://" + test.address)
			g.Load(t, harness.ScopesBlock(workspace)+"reverse_proxy "+test.address+" {\ntransport databricks\n}")
			g.SendAfterReload(t, "GET", "/api/2.0/unmapped", harness.Bearer(token), http.StatusForbidden)
			behind, errs := run(g.URL)
			fails := 0
			for i, err := range errs {
				if behind[i] != directly[i] {
					t.Errorf("call %d fails directly: %v; behind the gateway: %v", i+1, directly[i], err)
				}
				if err == nil {
					continue
				}
				fails++
				var databricksError *apierr.APIError
				if !errors.As(err, &databricksError) || databricksError.ErrorDetails().ErrorInfo == nil || databricksError.ErrorDetails().ErrorInfo.Reason != "UPSTREAM_UNAVAILABLE" {
					t.Errorf("call %d: %v", i+1, err)
				}
			}
			if fails != test.fails {
				t.Errorf("%d calls of 4 failed, want %d", fails, test.fails)
			}
		})
	}
}
