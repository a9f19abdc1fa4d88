package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
)

// checker permits what has the token "good", and counts the checks that it answers at once.
type checker struct {
	authv3.UnimplementedAuthorizationServer
	now, most, answered atomic.Int64
}

func (c *checker) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	c.answered.Add(1)
	time.Sleep(time.Millisecond) // so that checks overlap
	asked := r.GetAttributes().GetRequest().GetHttp()
	if asked.GetHeaders()["authorization"] == "Bearer good" && asked.GetMethod() == http.MethodGet && asked.GetPath() == "/path?query" {
		return &authv3.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.OK)}}, nil
	}
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden},
		}},
	}, nil
}

func startChecker(t *testing.T) (*checker, authv3.AuthorizationClient) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, server := new(checker), grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, c)
	go func() { _ = server.Serve(listener) }() // until it is stopped
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return c, authv3.NewAuthorizationClient(conn)
}

func TestGRPCSender(t *testing.T) {
	_, client := startChecker(t)
	s := grpcTarget(askGRPC, client, connections).sender([]call{{"good", "/path?query"}, {"bad", "/path?query"}})
	defer s.release()
	if err := s.send(0); err != nil {
		t.Errorf("a permitted call: %v", err)
	}
	if err := s.send(1); !errors.Is(err, refusal{http.StatusForbidden, codes.PermissionDenied.String()}) {
		t.Errorf("a refused call: %v", err)
	}
}

// TestDriverKeepsToTheRequestsInFlight: one target with one request at a time, between others.
func TestDriverKeepsToTheRequestsInFlight(t *testing.T) {
	var calls []call
	for range connections {
		calls = append(calls, call{"good", "/path?query"})
	}
	one, oneClient := startChecker(t)
	many, manyClient := startChecker(t)
	targets := []*target{grpcTarget(askGRPCOne, oneClient, 1), grpcTarget(askGRPC, manyClient, connections)}
	measured, err := (&driver{calls: calls}).drive(t.Context(), targets, []turn{{0, 0}, {0, 1}, {1, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if len(measured) != 3 {
		t.Fatalf("%d slices", len(measured))
	}
	for _, s := range measured {
		if s.requests == 0 || int64(s.requests) > one.answered.Load()+many.answered.Load() {
			t.Errorf("%d requests were counted", s.requests)
		}
	}
	if n := one.most.Load(); n != 1 {
		t.Errorf("%d requests at once, want 1", n)
	}
	if n := many.most.Load(); n < 2 || n > connections {
		t.Errorf("%d requests at once, want up to %d", n, connections)
	}
}

func TestQuestions(t *testing.T) {
	r := questionsOf([]call{{"token", "/path?query"}})[0]
	for name, want := range map[string]string{
		"X-Original-Method": http.MethodGet, "X-Original-URI": "/path?query", "Authorization": "Bearer token",
	} {
		if got := string(r.Header.Peek(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := string(r.URI().RequestURI()); got != decidePath {
		t.Errorf("asked at %s", got)
	}
}
