package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// startPlainGRPC runs a gateway in front of a workspace that speaks HTTP/2 without TLS.
// databricks_gateway does not support that, so this uses reverse_proxy.
func startPlainGRPC(t testing.TB, w *fakeworkspace.Workspace) *harness.Gateway {
	t.Helper()
	_, address, _ := strings.Cut(w.URL(), "//")
	return harness.StartSite(t, w, fmt.Sprintf(`databricks_scopes {
	workspace %s
	%s}
reverse_proxy h2c://%s {
	header_up Host {upstream_hostport}
}`, w.URL(), harness.AdminBlock, address))
}

// dialGRPC returns the real gRPC client, as Spark Connect uses it.
func dialGRPC(t testing.TB, g *harness.Gateway) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(g.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// sparkMethod is the full name of a method of Spark Connect.
func sparkMethod(name string) string { return "/" + fakeworkspace.SparkService + "/" + name }

// withToken adds tokens as gRPC clients do, one metadata entry each.
func withToken(ctx context.Context, tokens ...string) context.Context {
	for _, token := range tokens {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	return metadata.AppendToOutgoingContext(ctx, "x-databricks-cluster-id", fakeworkspace.RunningCluster)
}

func TestGRPC(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := startPlainGRPC(t, w)
	sparkCalls(t, w, dialGRPC(t, g))
}

// unhappyMethod reads its input, then fails. (The workspace's built-in failing methods do
// not read it, and a response during the upload triggers a data race in Caddy v2.11.9,
// bodyNopCloserIfNotRead.)
const unhappyMethod = "Unhappy"

func unhappy(rw http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	rw.Header().Set("Content-Type", "application/grpc")
	rw.WriteHeader(http.StatusOK)
	rw.Header().Set(http.TrailerPrefix+"Grpc-Status", "9")
	rw.Header().Set(http.TrailerPrefix+"Grpc-Message", "no luck")
}

// sparkCalls makes every kind of call over a connection to the gateway.
func sparkCalls(t *testing.T, w *fakeworkspace.Workspace, conn *grpc.ClientConn) {
	w.Handle("POST "+sparkMethod(unhappyMethod), http.HandlerFunc(unhappy))
	token := w.Mint(fakeworkspace.TokenSpec{})
	ctx := withToken(harness.Context(t), token.Value)

	t.Run("unary", func(t *testing.T) {
		w.Reset()
		var header, trailer metadata.MD
		out := new(wrapperspb.StringValue)
		err := conn.Invoke(ctx, sparkMethod("Config"), wrapperspb.String("hello"), out, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil || out.Value != "hello" {
			t.Fatalf("%q, %v", out.Value, err)
		}
		if got := header.Get("x-databricks-org-id"); len(got) != 1 {
			t.Errorf("header %v", header)
		}
		if got := trailer.Get("x-token-id"); len(got) != 1 || got[0] != token.Info.TokenId {
			t.Errorf("trailer %v", trailer)
		}
		got := harness.OnlyArrival(t, w)
		if got.Proto != "HTTP/2.0" || got.Path != sparkMethod("Config") || got.Header.Get("Te") != "trailers" ||
			got.Header.Get("X-Databricks-Cluster-Id") != fakeworkspace.RunningCluster ||
			!strings.HasPrefix(got.Header.Get("User-Agent"), "grpc-go/") {
			t.Errorf("arrived as %s %s %v", got.Proto, got.Path, got.Header)
		}
	})
	t.Run("error of the service", func(t *testing.T) {
		err := conn.Invoke(ctx, sparkMethod(unhappyMethod), wrapperspb.String("x"), new(wrapperspb.StringValue))
		if got := status.Convert(err); got.Code() != codes.FailedPrecondition || got.Message() != "no luck" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("server stream", func(t *testing.T) {
		plan, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, sparkMethod("ExecutePlan"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(plan.SendMsg(wrapperspb.String("plan")), plan.CloseSend()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			receive(t, plan, "plan")
		}
		ends(t, plan, "1")
	})
	t.Run("bidirectional", func(t *testing.T) {
		both, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, sparkMethod("ReattachExecute"))
		if err != nil {
			t.Fatal(err)
		}
		large := strings.Repeat("large", 1<<18)
		for _, word := range []string{"one", "two", large} { // each echo arrives before the next message is sent
			if err := both.SendMsg(wrapperspb.String(word)); err != nil {
				t.Fatal(err)
			}
			receive(t, both, word)
		}
		if err := both.CloseSend(); err != nil {
			t.Fatal(err)
		}
		ends(t, both, "3")
	})
	t.Run("client disconnects", func(t *testing.T) {
		w.Reset()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		both, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, sparkMethod("ReattachExecute"))
		if err != nil {
			t.Fatal(err)
		}
		if err := both.SendMsg(wrapperspb.String("one")); err != nil {
			t.Fatal(err)
		}
		receive(t, both, "one")
		cancel()
		harness.WaitFor(t, "the end of the stream at the workspace", func() bool { return harness.OnlyArrival(t, w).Done })
	})
}

func receive(t testing.TB, stream grpc.ClientStream, want string) {
	t.Helper()
	out := new(wrapperspb.StringValue)
	if err := stream.RecvMsg(out); err != nil || out.Value != want {
		t.Fatalf("received %.20q, %v, want %.20q", out.Value, err, want)
	}
}

// ends checks that a stream ended without an error and with its trailer.
func ends(t testing.TB, stream grpc.ClientStream, received string) {
	t.Helper()
	if err := stream.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
		t.Errorf("end of stream: %v", err)
	}
	if got := stream.Trailer().Get("x-messages-received"); len(got) != 1 || got[0] != received {
		t.Errorf("trailer %v", stream.Trailer())
	}
}
