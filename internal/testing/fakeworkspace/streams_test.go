package fakeworkspace_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestServerSentEvents(t *testing.T) {
	w := start(t)
	gate := w.HoldEvents()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", w.URL()+"/serving-endpoints/chat/invocations",
		strings.NewReader(`{"stream":true,"max_tokens":2,"messages":[]}`))
	req.Header.Set("Authorization", "Bearer "+w.AdminToken())
	resp, err := noRedirects.Do(req)
	if err != nil {
		t.Fatal(err) // the headers come before the first event
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return ""
	}
	for _, want := range []string{"word1 ", "word2 "} {
		if err := gate.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := next(); !strings.HasPrefix(got, "data: {") || !strings.Contains(got, want) {
			t.Errorf("event %q, want %q in it", got, want)
		}
	}
	gate.Open()
	gate.Open()
	if got := next(); got != "data: [DONE]" {
		t.Errorf("last event %q", got)
	}
	if gate.Next(t.Context()) == nil {
		t.Error("Next succeeded on an open gate")
	}
}

func TestServerSentEventsEndWithClose(t *testing.T) {
	w := start(t)
	w.HoldEvents()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", w.URL()+"/serving-endpoints/chat/invocations", strings.NewReader(`{"stream":true}`))
	req.Header.Set("Authorization", "Bearer "+w.AdminToken())
	resp, err := noRedirects.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	w.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a cut stream looks complete")
	}
}

func TestLargeFiles(t *testing.T) {
	w := start(t, fakeworkspace.WithFileMemory(1<<20))
	const name, size = "/Volumes/main/default/v/large", 256 << 20
	url := w.URL() + "/api/2.0/fs/files" + name
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)

	sum := sha256.New()
	req, _ := http.NewRequestWithContext(t.Context(), "PUT", url, io.TeeReader(io.LimitReader(zeros{}, size), sum))
	req.Header.Set("Authorization", "Bearer "+w.AdminToken())
	resp, err := noRedirects.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	info, found := w.File(name)
	if resp.StatusCode != 204 || !found || info.Size != size || info.Kept || info.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
		t.Errorf("status %d, file %+v", resp.StatusCode, info)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 32<<20 {
		t.Errorf("an upload that is not kept allocated %d MiB", grown>>20)
	}
	if a := call(t, "HEAD", url, w.AdminToken(), ""); a.ContentLength != size {
		t.Errorf("HEAD says %d bytes", a.ContentLength)
	}
	if a := call(t, "GET", url, w.AdminToken(), ""); a.StatusCode != 400 {
		t.Errorf("GET of contents that were not kept: %d", a.StatusCode)
	}

	w.PutLargeFile(name, size)
	req, _ = http.NewRequestWithContext(t.Context(), "GET", url, nil)
	req.Header.Set("Authorization", "Bearer "+w.AdminToken())
	resp, err = noRedirects.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != size {
		t.Errorf("downloaded %d bytes, %v", n, err)
	}
	if a := call(t, "GET", url, w.AdminToken(), "", "Range", "bytes=252-254"); a.StatusCode != 206 || !bytes.Equal(a.body, []byte{1, 2, 3}) {
		t.Errorf("range: %d %v", a.StatusCode, a.body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestUploadIsSeenWhileItRuns(t *testing.T) {
	w := start(t)
	const name = "/Volumes/main/default/v/slow"
	body, feed := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), "PUT", w.URL()+"/api/2.0/fs/files"+name, body)
	req.Header.Set("Authorization", "Bearer "+w.AdminToken())
	done := make(chan error, 1)
	go func() {
		resp, err := noRedirects.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	_, _ = feed.Write([]byte("first"))
	waitFor(t, func() bool { n, _ := w.Uploading(name); return n == 5 })
	feed.CloseWithError(errors.New("gone"))
	if <-done == nil {
		t.Error("a cut upload succeeded")
	}
	waitFor(t, func() bool { _, running := w.Uploading(name); return !running })
	if _, found := w.File(name); found {
		t.Error("a cut upload left a file")
	}
}

func TestUploadOverwrite(t *testing.T) {
	w := start(t)
	url := w.URL() + "/api/2.0/fs/files/Volumes/a/b/c/f"
	for _, tt := range []struct {
		query string
		want  int
	}{{"", 204}, {"", 409}, {"?overwrite=false", 409}, {"?overwrite=true", 204}} {
		if a := call(t, "PUT", url+tt.query, w.AdminToken(), "x"); a.StatusCode != tt.want {
			t.Errorf("%q: %d, want %d", tt.query, a.StatusCode, tt.want)
		}
	}
}

func TestWebSocket(t *testing.T) {
	w := start(t)
	url := w.URL() + "/driver-proxy-api/o/3141592653589793/" + fakeworkspace.RunningCluster + "/7772/ssh"
	header := http.Header{"Authorization": {"Bearer " + w.AdminToken()}}
	conn, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		if err := conn.Write(t.Context(), kind, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if got, message, err := conn.Read(t.Context()); err != nil || got != kind || string(message) != "hello" {
			t.Errorf("%v %q %v", got, message, err)
		}
	}
	w.Close()
	if _, _, err := conn.Read(t.Context()); err == nil {
		t.Error("the connection survived the workspace")
	}
}

func TestDriverProxyRefusals(t *testing.T) {
	w := start(t)
	base := w.URL() + "/driver-proxy-api/o/"
	tests := []struct {
		name, path, token string
		status            int
	}{
		{"plain request", "3141592653589793/" + fakeworkspace.RunningCluster + "/8080/x/y", w.AdminToken(), 200},
		{"no credential", "3141592653589793/" + fakeworkspace.RunningCluster + "/8080/", "", 401},
		{"another workspace", "42/" + fakeworkspace.RunningCluster + "/8080/", w.AdminToken(), 403},
		{"stopped cluster", "3141592653589793/" + fakeworkspace.TerminatedCluster + "/8080/", w.AdminToken(), 400},
		{"unknown cluster", "3141592653589793/none/8080/", w.AdminToken(), 400},
		{"port", "3141592653589793/" + fakeworkspace.RunningCluster + "/http/", w.AdminToken(), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := call(t, "GET", base+tt.path, tt.token, ""); a.StatusCode != tt.status {
				t.Errorf("status %d: %s", a.StatusCode, a.body)
			}
		})
	}
}

func TestThrift(t *testing.T) {
	w := start(t)
	body := "\x80\x01\x00\x01\x00\x00\x00\x0bOpenSession\xff\xfe"
	a := call(t, "POST", w.URL()+"/sql/1.0/warehouses/"+fakeworkspace.WarehouseID, w.AdminToken(), body, "Content-Type", "application/x-thrift")
	if a.StatusCode != 200 || string(a.body) != body || a.Header.Get("Content-Type") != "application/x-thrift" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
}

func TestSparkConnect(t *testing.T) {
	w := start(t)
	if err := w.StartTLS(); err != nil {
		t.Fatal(err)
	}
	token := w.Mint(fakeworkspace.TokenSpec{})
	for _, tt := range []struct {
		name, url string
		creds     credentials.TransportCredentials
	}{
		{"h2c", w.URL(), insecure.NewCredentials()},
		{"tls", w.TLSURL(), credentials.NewClientTLSFromCert(w.CAPool(), "")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, address, _ := strings.Cut(tt.url, "//")
			conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(tt.creds))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			sparkCalls(t, conn, token)
		})
	}
}

func sparkCalls(t *testing.T, conn *grpc.ClientConn, token fakeworkspace.Token) {
	const service = "/" + fakeworkspace.SparkService + "/"
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	with := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token.Value, "x-databricks-cluster-id", fakeworkspace.RunningCluster)

	var trailer metadata.MD
	out := new(wrapperspb.StringValue)
	if err := conn.Invoke(with, service+"Config", wrapperspb.String("hello"), out, grpc.Trailer(&trailer)); err != nil || out.Value != "hello" {
		t.Errorf("unary: %q, %v", out.Value, err)
	}
	if got := trailer.Get("x-token-id"); len(got) != 1 || got[0] != token.Info.TokenId {
		t.Errorf("trailer %v", trailer)
	}
	if err := conn.Invoke(ctx, service+"Config", wrapperspb.String("hello"), out); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without credential: %v", err)
	}
	bad := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer dapi"+strings.Repeat("0", 32))
	if err := conn.Invoke(bad, service+"Config", wrapperspb.String("hello"), out); status.Code(err) != codes.PermissionDenied {
		t.Errorf("unknown token: %v", err)
	}
	if err := conn.Invoke(with, service+"FailPlease", wrapperspb.String("x"), out); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("asked to fail: %v", err)
	}

	plan, err := conn.NewStream(with, &grpc.StreamDesc{ServerStreams: true}, service+"ExecutePlan")
	if err != nil {
		t.Fatal(err)
	}
	if plan.SendMsg(wrapperspb.String("plan")) != nil || plan.CloseSend() != nil {
		t.Fatal("sending the plan")
	}
	n := 0
	for ; plan.RecvMsg(out) == nil; n++ {
		if out.Value != "plan" {
			t.Errorf("message %q", out.Value)
		}
	}
	if n != 3 {
		t.Errorf("%d messages of a server stream, want 3", n)
	}

	both, err := conn.NewStream(with, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, service+"ReattachExecute")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one", "two"} { // each echo arrives before the next message is sent
		if err := both.SendMsg(wrapperspb.String(word)); err != nil {
			t.Fatal(err)
		}
		if err := both.RecvMsg(out); err != nil || out.Value != word {
			t.Errorf("%q, %v", out.Value, err)
		}
	}
	if err := both.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := both.RecvMsg(out); !errors.Is(err, io.EOF) {
		t.Errorf("end of stream: %v", err)
	}
	if got := both.Trailer().Get("x-messages-received"); len(got) != 1 || got[0] != "2" {
		t.Errorf("trailer %v", both.Trailer())
	}
}
