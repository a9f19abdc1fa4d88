package fakeworkspace_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// raw sends one request line as it is and returns the status.
func raw(t testing.TB, w *fakeworkspace.Workspace, target, token string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n", target, token)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestBelievedPaths(t *testing.T) {
	plain, sloppy := start(t), start(t, fakeworkspace.WithSloppyPaths())
	const list = "/api/2.2/jobs/list"
	tests := []struct {
		name, sent    string
		plain, sloppy int
	}{
		{"unchanged", list, 200, 200},
		{"encoded letter", "/api/2.2/jobs/%6cist", 200, 200},
		{"encoded slash", "/api/2.2/jobs%2Flist", 200, 200},
		{"dot segments", "/api/2.2/clusters/../jobs/./list", 200, 200},
		{"encoded dot segments", "/api/2.2/clusters/%2e%2e/jobs/list", 200, 200},
		{"doubled slashes", "//api/2.2//jobs/list", 200, 200},
		{"above the root", "/../../api/2.2/jobs/list", 200, 200},
		{"encoded twice", "/api/2.2/jobs%252Flist", 404, 200},
		{"parameters", "/api/2.2/jobs;v=1/list;x", 404, 200},
		{"backslash", `/api/2.2/jobs\list`, 404, 200},
		{"letter case", "/API/2.2/Jobs/List", 404, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := raw(t, plain, tt.sent, plain.AdminToken()); got != tt.plain {
				t.Errorf("plain: %d, want %d", got, tt.plain)
			}
			if got := raw(t, sloppy, tt.sent, sloppy.AdminToken()); got != tt.sloppy {
				t.Errorf("sloppy: %d, want %d", got, tt.sloppy)
			}
			last, _ := plain.LastRequest()
			if last.URI != tt.sent || last.Path != tt.sent {
				t.Errorf("logged %q", last.URI)
			}
		})
	}
}

func TestRequestLog(t *testing.T) {
	w := start(t, fakeworkspace.WithMaxRequestLog(3))
	token := w.Mint(fakeworkspace.TokenSpec{Owner: "alice@example.com"})
	call(t, "GET", w.URL()+"/api/2.2/jobs/list?limit=1", token.Value, "")
	got := w.Requests()
	if len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	r := got[0]
	if r.Path != "/api/2.2/jobs/list" || r.RawQuery != "limit=1" || r.TokenID != token.Info.TokenId ||
		r.UserName != "alice@example.com" || r.Status != 200 || r.Proto != "HTTP/1.1" || r.Header.Get("Authorization") == "" {
		t.Errorf("%+v", r)
	}
	for i := range 5 {
		call(t, "GET", fmt.Sprintf("%s/%d", w.URL(), i), "", "")
	}
	got = w.Requests()
	if len(got) != 3 || got[0].Path != "/2" || got[2].Path != "/4" || got[2].Status != 401 {
		t.Errorf("ring %+v", got)
	}
	if n := w.Counts().Requests; n != 6 {
		t.Errorf("%d counted", n)
	}
	w.Reset()
	if _, ok := w.LastRequest(); ok || len(w.Requests()) != 0 || w.Counts() != (fakeworkspace.Counts{}) {
		t.Error("requests left after Reset")
	}
}

func TestNoRequestLog(t *testing.T) {
	w := start(t, fakeworkspace.WithMaxRequestLog(0))
	call(t, "GET", w.URL()+"/", "", "")
	if len(w.Requests()) != 0 || w.Counts().Requests != 1 {
		t.Errorf("%+v", w.Counts())
	}
}

func TestExtraRoutes(t *testing.T) {
	w := start(t)
	token := w.Mint(fakeworkspace.TokenSpec{Owner: "alice@example.com"})
	w.Handle("GET /api/2.2/jobs/list", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		caller, found := fakeworkspace.CallerFrom(r.Context())
		fmt.Fprint(rw, found, caller.UserName, caller.TokenID == token.Info.TokenId)
	}))
	if a := call(t, "GET", w.URL()+"/api/2.2/jobs/list", token.Value, ""); string(a.body) != "truealice@example.comtrue" {
		t.Errorf("%s", a.body)
	}
	if a := call(t, "GET", w.URL()+"/api/2.2/jobs/list", "", ""); a.StatusCode != 401 {
		t.Errorf("without a credential: %d", a.StatusCode)
	}
}

func TestAsHandler(t *testing.T) {
	w := fakeworkspace.New()
	defer w.Close()
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest("GET", "https://workspace.example/.well-known/databricks-config", nil))
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), "https://workspace.example/oidc") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestStartAndCloseTwice(t *testing.T) {
	w := fakeworkspace.New()
	if w.URL() != "" || w.TLSURL() != "" || w.CAPEM() != nil {
		t.Error("URL is set before Start")
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	if w.Start() == nil {
		t.Error("Start succeeded twice")
	}
	w.Close()
	w.Close()
	if w.Start() == nil || w.StartTLS() == nil {
		t.Error("Start succeeded after Close")
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != 503 {
		t.Errorf("closed workspace answers %d", rec.Code)
	}
}

// FuzzServe: no request makes the workspace panic, and only discovery is served without a credential.
func FuzzServe(f *testing.F) {
	f.Add("GET", "/api/2.2/jobs/list", "Bearer x", "{}")
	f.Add("POST", "/oidc/v1/token", "Basic Og==", "grant_type=client_credentials")
	f.Add("PATCH", "/api/2.0/token/%00", "Basic", "[]")
	f.Add("CONNECT", "//..;/%2e%2e\\", "Bearer eyJ..", "")
	w := fakeworkspace.New(fakeworkspace.WithSloppyPaths())
	f.Cleanup(w.Close)
	f.Fuzz(func(t *testing.T, method, path, authorization, body string) {
		for _, header := range []string{authorization, "Bearer " + w.AdminToken()} {
			req := httptest.NewRequest("GET", "/", strings.NewReader(body))
			req.Method, req.URL.Path, req.RequestURI = method, path, path
			req.Header.Set("Authorization", header)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, req)
			last, _ := w.LastRequest()
			public := strings.HasPrefix(last.Believed, "/oidc/") || last.Believed == "/.well-known/databricks-config" ||
				last.Believed == "/telemetry-unauth"
			if header == authorization && rec.Code != http.StatusUnauthorized && rec.Code != http.StatusForbidden && !public {
				t.Errorf("%q %q with %q: %d", method, path, header, rec.Code)
			}
		}
	})
}
