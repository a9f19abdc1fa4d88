package lifecycle

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// exchange is a request that will not end by itself. Its channel is closed when the
// client sees that it was ended.
type exchange struct {
	name, path string
	ended      chan error
}

func (r *rig) request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	return harness.NewRequest(t, method, url, r.token, body)
}

// openStream starts a stream of events and reads the first.
func (r *rig) openStream(t *testing.T, url string, client *http.Client) exchange {
	t.Helper()
	const path = "/serving-endpoints/chat/invocations"
	response, err := client.Do(r.request(t, "POST", url+path, strings.NewReader(`{"stream":true,"max_tokens":3,"messages":[]}`)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	x := exchange{response.Proto, path, make(chan error, 1)}
	go func() {
		_, err := io.ReadAll(response.Body)
		x.ended <- err
	}()
	return x
}

// openWebSocket opens one, and sees that it works.
func (r *rig) openWebSocket(t *testing.T, url string) exchange {
	t.Helper()
	path := fmt.Sprintf("/driver-proxy-api/o/%d/%s/7772/ssh", r.workspace.WorkspaceID(), fakeworkspace.RunningCluster)
	conn, _, err := websocket.Dial(t.Context(), url+path, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + r.token}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, answer, err := conn.Read(t.Context()); err != nil || string(answer) != "hello" {
		t.Fatalf("%q, %v", answer, err)
	}
	x := exchange{"WebSocket", path, make(chan error, 1)}
	go func() {
		_, _, err := conn.Read(t.Context())
		x.ended <- err
	}()
	return x
}

// openGRPC starts a stream of messages in both directions.
func (r *rig) openGRPC(t *testing.T, listen string) exchange {
	t.Helper()
	conn, err := grpc.NewClient(listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	path := "/" + fakeworkspace.SparkService + "/AddArtifacts"
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token, "x-databricks-cluster-id", fakeworkspace.RunningCluster)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(wrapperspb.String("part")); err != nil {
		t.Fatal(err)
	}
	x := exchange{"gRPC", path, make(chan error, 1)}
	go func() {
		for {
			if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
				x.ended <- err
				return
			}
		}
	}()
	return x
}

// openCall makes a call that the workspace does not answer.
func (r *rig) openCall(t *testing.T, url string) exchange {
	t.Helper()
	const path = "/api/2.2/jobs/get"
	r.workspace.Faults().Set(path, fakeworkspace.Hang())
	x := exchange{"unanswered call", path, make(chan error, 1)}
	request := r.request(t, "GET", url+path+"?job_id=1", nil)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(request)
		if err == nil {
			response.Body.Close()
			err = fmt.Errorf("answered %s", response.Status)
		}
		x.ended <- err
	}()
	return x
}

// h2c returns a client that speaks cleartext HTTP/2.
func h2c(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestShutdown: a process that is told to end lets requests finish for the grace period,
// then cuts the others, and every one of them leaves a record.
func TestShutdown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	listen, plain := processtest.FreeAddress(t), processtest.FreeAddress(t)
	_, workspace, _ := strings.Cut(r.workspace.URL(), "//")
	_, port := split(plain)
	p := r.launch(t, listen, runFile(t, "admin off\ngrace_period 1s\nservers {\nprotocols h1 h2c\n}\ndatabricks {\naudit {\noutput file "+audit+"\n}\n}",
		r.site(listen),
		fmt.Sprintf("http://:%s {\nbind 127.0.0.1\ndatabricks_scopes {\nworkspace %s\n}\nreverse_proxy h2c://%s {\nheader_up Host {upstream_hostport}\n}\n}", port, r.workspace.URL(), workspace)))
	p.AwaitListener(t, listen)
	p.AwaitListener(t, plain)

	gate := r.workspace.HoldEvents()
	defer gate.Open()
	exchanges := []exchange{
		r.openStream(t, p.URL, http.DefaultClient),
		r.openStream(t, p.URL, h2c(t)),
		r.openWebSocket(t, p.URL),
		r.openGRPC(t, plain),
		r.openCall(t, p.URL),
	}
	// One that the workspace answers in time.
	const slow = "/api/2.1/clusters/list"
	r.workspace.Faults().Set(slow, fakeworkspace.Latency(600*time.Millisecond))
	finished := make(chan *http.Response, 1)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(r.request(t, "GET", p.URL+slow, nil))
		if err != nil {
			t.Error(err)
			response = nil
		}
		finished <- response
	}()
	p.Await(t, "all requests to reach the workspace", func() bool {
		seen := make(map[string]bool)
		for _, request := range r.workspace.Requests() {
			seen[request.Path] = true
		}
		for _, x := range exchanges {
			if !seen[x.path] {
				return false
			}
		}
		return seen[slow]
	})

	told := time.Now()
	p.Signal(t, syscall.SIGTERM)
	if response := <-finished; response != nil {
		if response.StatusCode != http.StatusOK || !response.Close {
			t.Errorf("a call that ends in time: %s, close %v", response.Status, response.Close)
		}
		response.Body.Close()
	}
	for _, x := range exchanges {
		select {
		case err := <-x.ended:
			if err == nil || strings.Contains(err.Error(), "answered") {
				t.Errorf("%s: %v", x.name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s was not ended", x.name)
		}
		if lasted := time.Since(told); lasted < 900*time.Millisecond {
			t.Errorf("%s was ended after %v, within the grace period", x.name, lasted)
		}
	}
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if lasted := time.Since(told); lasted > 15*time.Second {
		t.Errorf("the process took %v", lasted)
	}
	recorded := make(map[string]int)
	for _, record := range harness.ReadRecords(t, audit) {
		recorded[fmt.Sprint(record["path"])]++
	}
	for _, x := range exchanges {
		if recorded[x.path] == 0 {
			t.Errorf("%s left no record", x.name)
		}
	}
	if recorded[exchanges[0].path] < 2 || recorded[slow] == 0 {
		t.Errorf("records: %v", recorded)
	}
	if t.Failed() {
		t.Log(p.Log)
	}
}

// TestSecondSignal: a second signal ends the process at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		second syscall.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"SIGINT", syscall.SIGINT}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			listen := processtest.FreeAddress(t)
			p := r.launch(t, listen, r.sidecar(listen, "--grace-period", "1m"))
			p.AwaitListener(t, listen)
			gate := r.workspace.HoldEvents()
			defer gate.Open()
			x := r.openStream(t, p.URL, http.DefaultClient)
			p.Signal(t, syscall.SIGTERM)
			p.AwaitLog(t, "grace period initiated")
			p.Signal(t, tt.second)
			if code := p.Exit(t); code != 2 {
				t.Errorf("exit code %d\n%s", code, p.Log)
			}
			<-x.ended
		})
	}
}

// TestDefaultGracePeriod: nobody has to write one.
func TestDefaultGracePeriod(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tt := range []struct {
		name    string
		command func(t *testing.T, listen string) []string
		want    string
	}{
		{"sidecar", func(t *testing.T, listen string) []string { return r.sidecar(listen) }, `"duration":10}`},
		{"sidecar --grace-period", func(t *testing.T, listen string) []string { return r.sidecar(listen, "--grace-period", "3s") }, `"duration":3}`},
		{"Caddyfile", func(t *testing.T, listen string) []string { return runFile(t, "admin off", r.site(listen)) }, `"duration":10}`},
		{"Caddyfile with grace_period", func(t *testing.T, listen string) []string {
			return runFile(t, "admin off\ngrace_period 12s", r.site(listen))
		}, `"duration":12}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			listen := processtest.FreeAddress(t)
			p := r.launch(t, listen, tt.command(t, listen))
			p.AwaitListener(t, listen)
			p.Signal(t, syscall.SIGTERM)
			if code := p.Exit(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			for lines := bufio.NewScanner(strings.NewReader(p.Log.String())); lines.Scan(); {
				if strings.Contains(lines.Text(), "grace period initiated") {
					if !strings.Contains(lines.Text(), tt.want) {
						t.Error(lines.Text())
					}
					return
				}
			}
			t.Errorf("no grace period:\n%s", p.Log)
		})
	}
}

// TestShutdownWithHungCollector: a collector that accepts spans and never answers holds
// Caddy's tracing for half a minute. The process ends in time, and its records are kept.
func TestShutdownWithHungCollector(t *testing.T) {
	t.Parallel()
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close() // nobody accepts: connections wait in its backlog
	r := newRig(t)
	r.env = append(r.env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+collector.Addr().String(), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	listen := processtest.FreeAddress(t)
	host, port := split(listen)
	p := r.launch(t, listen, runFile(t, "admin off\ngrace_period 1s\ndatabricks {\naudit {\noutput file "+audit+"\n}\n}",
		fmt.Sprintf("http://:%s {\nbind %s\ntracing\ndatabricks_gateway %s\n}", port, host, r.workspace.URL())))
	p.AwaitListener(t, listen)
	if status, _, body := p.Get(t, harness.JobsList, r.token); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	told := time.Now()
	p.Signal(t, syscall.SIGTERM)
	code := p.Exit(t)
	if lasted := time.Since(told); lasted > 12*time.Second {
		t.Errorf("the process took %v", lasted)
	}
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	if got := len(harness.ReadRecords(t, audit)); got != 1 {
		t.Errorf("%d records, want 1\n%s", got, p.Log)
	}
}
