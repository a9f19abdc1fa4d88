package decision

import (
	"net"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestEnvoyReload: connections survive a reload, and the new rules answer on them.
func TestEnvoyReload(t *testing.T) {
	r := start(t, "")
	conn, err := grpc.NewClient(r.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := authv3.NewAuthorizationClient(conn)
	decide := func(want int32) {
		t.Helper()
		if answer := r.question(t, client, "GET", files, r.files); answer.GetStatus().GetCode() != want {
			t.Errorf("answered %v, want %d", answer, want)
		}
	}
	decide(0)
	if state := conn.GetState(); state != connectivity.Ready {
		t.Fatalf("the connection is %s", state)
	}
	moved := make(chan bool, 1)
	go func() { moved <- conn.WaitForStateChange(t.Context(), connectivity.Ready) }()
	for range 3 {
		r.Load(t, r.directive("policy none {\nmatch scope files\ndeny GET /api/2.0/fs/*\n}"))
		decide(7)
		r.Load(t, r.directive(""))
		decide(0)
	}
	// One that does not load changes nothing.
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	denies := strings.Replace(r.directive("policy none {\nmatch scope files\ndeny GET /api/2.0/fs/*\n}"), "databricks_decision", "databricks_decision /other/*", 1)
	if err := r.TryLoad(t, "route {\n"+denies+"\n"+strings.Replace(r.directive(""), r.grpc, other.Addr().String(), 1)+"\n}"); err == nil {
		t.Fatal("it loads")
	}
	decide(0)
	select {
	case <-moved:
		t.Error("the connection broke")
	default:
	}
	// Without grpc nothing answers, and with it again it does.
	r.Load(t, strings.Replace(r.directive(""), "grpc "+r.grpc+"\n", "", 1))
	harness.WaitFor(t, "the address to be free", func() bool {
		l, err := net.Listen("tcp", r.grpc)
		if err == nil {
			_ = l.Close()
		}
		return err == nil
	})
	r.Load(t, r.directive(""))
	again := r.envoy(t)
	if answer := r.question(t, again, "GET", files, r.files); answer.GetStatus().GetCode() != 0 {
		t.Errorf("answered %v", answer)
	}
}

// TestEnvoyAddresses: an address that is in use is an error that says so, and nothing starts.
func TestEnvoyAddresses(t *testing.T) {
	r := start(t, "")
	two := strings.Replace(r.directive(""), "databricks_decision", "databricks_decision /other/*", 1)
	if err := r.TryLoad(t, "route {\n"+two+"\n"+r.directive("")+"\n}"); err == nil || !strings.Contains(err.Error(), "two databricks_decision handlers listen on grpc "+r.grpc) {
		t.Errorf("two handlers: %v", err)
	}
	two = strings.Replace(two, "grpc "+r.grpc, "grpc tcp/"+r.grpc, 1) // another spelling
	if err := r.TryLoad(t, "route {\n"+two+"\n"+r.directive("")+"\n}"); err == nil || !strings.Contains(err.Error(), "two databricks_decision handlers listen on grpc "+r.grpc) {
		t.Errorf("two handlers, in two spellings: %v", err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := strings.Replace(r.directive(""), r.grpc, other.Addr().String(), 1)
	if err := r.TryLoad(t, taken); err == nil || !strings.Contains(err.Error(), "databricks_decision grpc: listen tcp "+other.Addr().String()+": bind: address already in use") {
		t.Errorf("an address in use: %v", err)
	}
	if answer := r.question(t, r.envoy(t), "GET", files, r.files); answer.GetStatus().GetCode() != 0 {
		t.Errorf("what was loaded before answers %v", answer)
	}
}

// TestEnvoyUnixSocket: Envoy may ask at a Unix socket, which is this machine.
func TestEnvoyUnixSocket(t *testing.T) {
	r := start(t, "")
	socket := harness.TempDir(t) + "/decision.sock"
	r.Load(t, strings.Replace(r.directive(""), "grpc "+r.grpc, "grpc unix/"+socket, 1))
	r.grpc = "unix:" + socket
	client := r.envoy(t)
	if answer := r.question(t, client, "GET", files, r.files); answer.GetStatus().GetCode() != 0 {
		t.Errorf("answered %v", answer)
	}
	r.Load(t, strings.Replace(r.directive("mode observe"), "grpc "+r.grpc, "grpc unix/"+socket, 1))
	if answer := r.question(t, client, "GET", jobs, r.files); answer.GetStatus().GetCode() != 0 {
		t.Errorf("after a reload: %v", answer)
	}
}
