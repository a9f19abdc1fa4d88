package fakeworkspace_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

const tokensPrefix = "/api/2.0/token-management"

func TestFaultsThatAnswer(t *testing.T) {
	w := start(t)
	date := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC).Format(http.TimeFormat)
	tests := []struct {
		name   string
		kind   fakeworkspace.Kind
		status int
		code   any
		header string // Retry-After
		body   string // if the response is not a refusal
	}{
		{name: "429 seconds", kind: fakeworkspace.TooManyRequests("3"), status: 429, code: "REQUEST_LIMIT_EXCEEDED", header: "3"},
		{name: "429 date", kind: fakeworkspace.TooManyRequests(date), status: 429, code: "REQUEST_LIMIT_EXCEEDED", header: date},
		{name: "429 without Retry-After", kind: fakeworkspace.TooManyRequests(""), status: 429, code: "REQUEST_LIMIT_EXCEEDED"},
		{name: "503", kind: fakeworkspace.Unavailable("1"), status: 503, code: "TEMPORARILY_UNAVAILABLE", header: "1"},
		{name: "500", kind: fakeworkspace.InternalError(), status: 500, code: "INTERNAL_ERROR"},
		{name: "502", kind: fakeworkspace.BadGateway(), status: 502, body: "upstream connect error or disconnect/reset before headers"},
		{name: "any code", kind: fakeworkspace.Refuse(418, "TEAPOT", "short and stout"), status: 418, code: "TEAPOT"},
		{name: "admin rejected 401", kind: fakeworkspace.RejectAdmin(401), status: 401, code: 401.0},
		{name: "admin rejected 403", kind: fakeworkspace.RejectAdmin(403), status: 403, code: 403.0},
		{name: "no longer admin", kind: fakeworkspace.NotAdmin(), status: 403, code: "PERMISSION_DENIED"},
		{name: "tokens disabled", kind: fakeworkspace.TokensDisabled(), status: 404, code: "FEATURE_DISABLED"},
		{name: "html", kind: fakeworkspace.Respond(200, "text/html", "<p>"), status: 200, body: "<p>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := w.Faults().Set(tokensPrefix, tt.kind)
			defer f.Remove()
			a := call(t, "GET", w.URL()+tokensPrefix+"/tokens", w.AdminToken(), "")
			if a.StatusCode != tt.status || a.Header.Get("Retry-After") != tt.header {
				t.Errorf("status %d, Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
			}
			if tt.body != "" {
				if string(a.body) != tt.body {
					t.Errorf("body %q", a.body)
				}
			} else if b := a.refusal(t); b.ErrorCode != tt.code {
				t.Errorf("code %v, want %v", b.ErrorCode, tt.code)
			}
			if other := call(t, "GET", w.URL()+"/api/2.2/jobs/list", w.AdminToken(), ""); other.StatusCode != 200 {
				t.Errorf("another path answered %d", other.StatusCode)
			}
			if f.Hits() != 1 {
				t.Errorf("%d hits", f.Hits())
			}
		})
	}
	if a := call(t, "GET", w.URL()+tokensPrefix+"/tokens", w.AdminToken(), ""); a.StatusCode != 200 {
		t.Errorf("without faults: %d", a.StatusCode)
	}
}

func TestFaultsOfTheBody(t *testing.T) {
	w := start(t)
	id := w.Mint(fakeworkspace.TokenSpec{}).Info.TokenId
	tests := []struct {
		name  string
		kind  fakeworkspace.Kind
		valid bool // JSON
		cut   bool
	}{
		{name: "garbage", kind: fakeworkspace.GarbageJSON()},
		{name: "truncated", kind: fakeworkspace.TruncatedJSON()},
		{name: "html", kind: fakeworkspace.HTML()},
		{name: "wrong shape", kind: fakeworkspace.WrongShape(), valid: true},
		{name: "cut", kind: fakeworkspace.CutBody(), cut: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer w.Faults().Set(tokensPrefix, tt.kind).Remove()
			req, _ := http.NewRequestWithContext(t.Context(), "GET", w.URL()+tokensPrefix+"/tokens/"+id, nil)
			req.Header.Set("Authorization", "Bearer "+w.AdminToken())
			resp, err := noRedirects.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != 200 || errors.Is(err, io.ErrUnexpectedEOF) != tt.cut {
				t.Errorf("status %d, read error %v", resp.StatusCode, err)
			}
			if json.Valid(body) != tt.valid {
				t.Errorf("body %q", body)
			}
			var got settings.GetTokenResponse
			if err := json.Unmarshal(body, &got); err == nil {
				t.Errorf("the SDK's type accepts it: %+v", got)
			}
		})
	}
}

func TestFaultOtherToken(t *testing.T) {
	w := start(t)
	id := w.Mint(fakeworkspace.TokenSpec{}).Info.TokenId
	other := w.Mint(fakeworkspace.TokenSpec{}).Info.TokenId
	defer w.Faults().Set(tokensPrefix, fakeworkspace.OtherToken(other)).Remove()
	got, err := patClient(t, w, w.AdminToken()).TokenManagement.GetByTokenId(t.Context(), id)
	if err != nil || got.TokenInfo.TokenId != other {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFaultReset(t *testing.T) {
	w := start(t)
	if err := w.StartTLS(); err != nil {
		t.Fatal(err)
	}
	h2c := h2cTransport()
	overTLS := tlsTransport(w)
	tests := []struct {
		name, url string
		transport *http.Transport
		reset     bool
	}{
		{"http/1.1", w.URL(), &http.Transport{DisableKeepAlives: true}, true},
		{"h2c", w.URL(), h2c, false},
		{"h2", w.TLSURL(), overTLS, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer tt.transport.CloseIdleConnections()
			defer w.Faults().Set("", fakeworkspace.Reset()).Remove()
			resp, err := (&http.Client{Transport: tt.transport}).Get(tt.url + "/api/2.2/jobs/list")
			if err == nil {
				resp.Body.Close()
				t.Fatalf("answered %d", resp.StatusCode)
			}
			if tt.reset && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestFaultTimesAndMethod(t *testing.T) {
	w := start(t)
	f := w.Faults().Set("/api/", fakeworkspace.InternalError(), fakeworkspace.Times(2), fakeworkspace.OnMethod("GET"))
	for i, want := range []int{200, 500, 500, 200} {
		method, path := "GET", "/api/2.2/jobs/list"
		if i == 0 {
			method, path = "POST", "/api/2.2/jobs/create"
		}
		if a := call(t, method, w.URL()+path, w.AdminToken(), "{}"); a.StatusCode != want {
			t.Errorf("call %d: %d, want %d", i, a.StatusCode, want)
		}
	}
	if f.Hits() != 2 {
		t.Errorf("%d hits", f.Hits())
	}
}

func TestFaultHangIsReleased(t *testing.T) {
	w := start(t)
	f := w.Faults().Set(tokensPrefix, fakeworkspace.Hang())
	done := make(chan int)
	go func() {
		done <- call(t, "GET", w.URL()+tokensPrefix+"/tokens", w.AdminToken(), "").StatusCode
	}()
	waitFor(t, func() bool { return f.Hits() == 1 })
	if a := call(t, "GET", w.URL()+"/api/2.2/jobs/list", w.AdminToken(), ""); a.StatusCode != 200 {
		t.Errorf("another path answered %d", a.StatusCode)
	}
	f.Remove()
	if status := <-done; status != 200 {
		t.Errorf("released request answered %d", status)
	}
	f.Remove() // twice is fine
}

func TestFaultHangEndsWithClientAndClose(t *testing.T) {
	w := start(t)
	f := w.Faults().Set("", fakeworkspace.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 2)
	get := func(ctx context.Context) {
		req, _ := http.NewRequestWithContext(ctx, "GET", w.URL()+"/", nil)
		resp, err := noRedirects.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}
	go get(ctx)
	waitFor(t, func() bool { return f.Hits() == 1 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("client gave up with %v", err)
	}
	go get(t.Context())
	waitFor(t, func() bool { return f.Hits() == 2 })
	w.Close()
	if err := <-failed; err == nil {
		t.Error("answered although the workspace closed")
	}
}

func TestFaultLatencyAndStatusTogether(t *testing.T) {
	w := start(t)
	w.Faults().Set("", fakeworkspace.BadGateway())
	w.Faults().Set("", fakeworkspace.Latency(30*time.Millisecond))
	began := time.Now()
	a := call(t, "GET", w.URL()+"/", "", "")
	if a.StatusCode != 502 || time.Since(began) < 30*time.Millisecond {
		t.Errorf("%d after %v", a.StatusCode, time.Since(began))
	}
}

// TestFaultsConcurrently gives the race detector something to find.
func TestFaultsConcurrently(t *testing.T) {
	w := start(t, fakeworkspace.WithMaxRequestLog(16))
	token := w.Mint(fakeworkspace.TokenSpec{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				f := w.Faults().Set(tokensPrefix, fakeworkspace.InternalError(), fakeworkspace.Times(1))
				w.SetScopes(token.Info.TokenId, "sql")
				f.Hits()
				w.Requests()
				f.Remove()
			}
		})
		wg.Go(func() {
			for range 50 {
				call(t, "GET", w.URL()+tokensPrefix+"/tokens/"+token.Info.TokenId, w.AdminToken(), "")
				w.Faults().Clear()
				w.Reset()
			}
		})
	}
	wg.Wait()
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !what() {
		if time.Now().After(deadline) {
			t.Fatal("waited too long")
		}
		time.Sleep(time.Millisecond)
	}
}
