package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/valyala/fasthttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
)

// Names of the targets that ask for a decision.
const (
	nginxDecide  = "nginx-decision"
	nginxYes     = "nginx-yes"
	nginxYesTwin = "nginx-yes-twin"
	nginxBare    = "nginx-yes-bare"

	askBare    = "yes-bare"
	askCaddy   = "yes-caddy"
	askDecide  = "decision"
	askGRPC    = "decision-grpc"
	askGRPCOne = "decision-grpc-1"
)

// decidePath is where databricks_decision answers nginx.
const decidePath = "/decide"

// decider is a gateway that decides and does not proxy, and that has two more sites, which
// answer 200 to everything.
type decider struct {
	*process
	decide, yes, twin, grpc string // addresses
}

func (l *lab) decider(ctx context.Context, dir string) (*decider, error) {
	addresses, err := freeAddresses(4)
	if err != nil {
		return nil, err
	}
	d := &decider{decide: addresses[0], yes: addresses[1], twin: addresses[2], grpc: addresses[3]}
	if dir, err = os.MkdirTemp(dir, "decider-"); err != nil {
		return nil, err
	}
	v := l.asShipped()
	config := filepath.Join(dir, "Caddyfile")
	if err := writeTemplate(deciderFile, config, map[string]any{
		"Decide": site{Address: d.decide}.Port(), "Yes": site{Address: d.yes}.Port(), "Twin": site{Address: d.twin}.Port(),
		"GRPC": d.grpc, "Upstream": v.workspace, "Filter": requestFilter,
	}); err != nil {
		return nil, err
	}
	if d.process, err = spawn(dir, "decider", v.environment(), v.program, "run", "--config", config, "--adapter", "caddyfile"); err != nil {
		return nil, err
	}
	if err := d.awaitListening(ctx, addresses...); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// targets are the ways to ask the decider, and the connection of those over gRPC.
func (d *decider) targets() ([]*target, *grpc.ClientConn, error) {
	conn, err := grpc.NewClient(d.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, fmt.Errorf("asking over gRPC: %w", err)
	}
	client := authv3.NewAuthorizationClient(conn)
	return []*target{
		askTarget(askCaddy, d.yes, d.pid()),
		enforcing(askTarget(askDecide, d.decide, d.pid())),
		enforcing(grpcTarget(askGRPC, client, connections, d.pid())),
		enforcing(grpcTarget(askGRPCOne, client, 1, d.pid())),
	}, conn, nil
}

// askTarget is asked as nginx asks, without nginx.
func askTarget(name, address string, pids ...int) *target {
	t := newTarget(name, address, pids...)
	t.sender = func(calls []call) sender { return newHTTPSender(t.client, questionsOf(calls), 0) }
	return t
}

// questionsOf returns what nginx's auth_request asks about calls.
func questionsOf(calls []call) []*fasthttp.Request {
	requests := requestsOf(calls)
	for i, c := range calls {
		requests[i].SetRequestURI("http://localhost" + decidePath)
		requests[i].Header.Set("X-Original-Method", http.MethodGet)
		requests[i].Header.Set("X-Original-URI", c.path)
	}
	return requests
}

func socketAddress(ip string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

// grpcTarget is asked as Envoy asks. All its workers share one connection.
func grpcTarget(name string, client authv3.AuthorizationClient, inFlight int, pids ...int) *target {
	return &target{
		name: name, pids: pids, inFlight: inFlight,
		sender: func(calls []call) sender {
			s := &grpcSender{client: client}
			for _, c := range calls {
				s.checks = append(s.checks, checkOf(c))
			}
			return s
		},
	}
}

// checkOf is what Envoy asks about a call.
func checkOf(c call) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      &authv3.AttributeContext_Peer{Address: socketAddress("127.0.0.1", 50000)},
		Destination: &authv3.AttributeContext_Peer{Address: socketAddress("127.0.0.1", 8080)},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "11470528431873213847", Method: http.MethodGet, Path: c.path, Host: "localhost", Scheme: "http", Protocol: "HTTP/1.1", Size: -1,
			Headers: map[string]string{
				":authority": "localhost", ":method": http.MethodGet, ":path": c.path, ":scheme": "http",
				"accept": "application/json", "authorization": "Bearer " + c.token, "user-agent": userAgent,
				"x-forwarded-proto": "http", "x-request-id": "7f6f0f5e-6b0a-4f0e-9d0c-1c2f6c1d7a10",
			},
		}},
	}}
}

type grpcSender struct {
	client authv3.AuthorizationClient
	checks []*authv3.CheckRequest
}

func (s *grpcSender) send(i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	response, err := s.client.Check(ctx, s.checks[i])
	if err != nil {
		return fmt.Errorf("a check failed: %w", err)
	}
	if code := codes.Code(response.GetStatus().GetCode()); code != codes.OK {
		denied := response.GetDeniedResponse()
		for _, h := range denied.GetHeaders() {
			if http.CanonicalHeaderKey(h.GetHeader().GetKey()) == "X-Scopegate-Reason" {
				return refusal{int(denied.GetStatus().GetCode()), h.GetHeader().GetValue()}
			}
		}
		return refusal{int(denied.GetStatus().GetCode()), code.String()}
	}
	return nil
}

func (s *grpcSender) release() {}

// decisionGroup compares what nginx's auth_request may ask: the gateway, a site of the same
// process that allows everything, twice, and a bare server that allows everything.
func decisionGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	if l.nginx == "" {
		r.skipped = []string{nginxDecide, nginxYes, nginxYesTwin, nginxBare}
		return r, nil
	}
	d, err := l.decider(ctx, dir)
	if err != nil {
		return r, err
	}
	r.processes = append(r.processes, d.process)
	return r, errors.Join(
		l.learn(ctx, d),
		l.addNginx(ctx, &r, dir,
			nginxServer{Name: nginxYes, Asks: d.yes, AskPath: decidePath, pids: []int{d.pid()}},
			nginxServer{Name: nginxYesTwin, Asks: d.twin, AskPath: decidePath, pids: []int{d.pid()}},
			nginxServer{Name: nginxDecide, Asks: d.decide, AskPath: decidePath, pids: []int{d.pid()}, enforces: true},
			nginxServer{Name: nginxBare, Asks: l.authorizer.Address, AskPath: "/auth", pids: []int{l.authorizer.pid()}},
		),
	)
}

// learn makes a decider look up all tokens. Asked by nginx, it could not ask for a second try.
func (l *lab) learn(ctx context.Context, d *decider) error {
	calls, _ := corpus(l.upstream.Tokens)
	return (&driver{calls: calls}).warmUp(ctx, []*target{askTarget(askDecide, d.decide, d.pid())})
}

// costGroup asks without nginx: what Caddy costs before a handler begins, and a decision.
func costGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	d, err := l.decider(ctx, dir)
	if err != nil {
		return r, err
	}
	r.processes = append(r.processes, d.process)
	targets, conn, err := d.targets()
	if err != nil {
		return r, err
	}
	r.closers = append(r.closers, conn.Close)
	r.targets = append(targets, askTarget(askBare, l.authorizer.Address, l.authorizer.pid()))
	return r, nil
}
