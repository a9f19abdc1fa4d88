package decisions

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestHandleErrors: a site's error routes may replace a refusal, and the client gets the
// refusal if none does.
func TestHandleErrors(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	for _, test := range []struct {
		name, errorRoutes string
		custom            string // body; empty for the refusal
		status            int
	}{
		{"none", "", "", 403},
		{"all errors", "handle_errors {\nrespond \"custom {err.status_code}\"\n}", "custom 403", 403},
		{"this status", "handle_errors 403 {\nrespond \"custom\" 451\n}", "custom", 451},
		{"another status", "handle_errors 404 {\nrespond \"custom\"\n}", "", 403},
		{"only the workspace's errors", "handle_errors {\n@theirs not header X-Scopegate-Reason *\nhandle /nowhere {\nrespond \"custom\"\n}\n}", "", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "")+"\n"+test.errorRoutes)
			token := g.Mint("jobs")
			got := g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
			if test.custom == "" {
				got.CheckRefusal(t, golden.FindRefusal(t, "missing_scope", "scopes", "clusters"))
			} else if got.StatusCode != test.status || got.Body != test.custom {
				t.Errorf("got %d %q, want %d %q", got.StatusCode, got.Body, test.status, test.custom)
			}
			// An error route does not change the record.
			if reason := got.Header.Get("X-Scopegate-Reason"); reason != "missing_scope" {
				t.Errorf("X-Scopegate-Reason is %q", reason)
			}
			record := g.Records(t, 1)[0]
			if record["reason"] != "missing_scope" || record["status"] != float64(test.status) || record["bytes_sent"] != float64(len(got.Body)) || record["request_id"] != got.Header.Get("X-Request-Id") {
				t.Errorf("record: %v", record)
			}
			if passed := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); passed.StatusCode != http.StatusOK {
				t.Errorf("permitted request: %d", passed.StatusCode)
			}
		})
	}
}

// TestHandleErrorsSeesTheMessage: error routes can show the refusal's message.
func TestHandleErrorsSeesTheMessage(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "")+"\nhandle_errors {\nrespond \"{err.status_code} {err.message} {databricks_scopes.reason}\"\n}")
	token := g.Mint("jobs")
	got := g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
	want := golden.FindRefusal(t, "missing_scope", "scopes", "clusters")
	for _, part := range []string{"403", want.Message, "[ReqId: " + got.Header.Get("X-Request-Id") + "]", "missing_scope"} {
		if !strings.Contains(got.Body, part) {
			t.Errorf("%q lacks %q", got.Body, part)
		}
	}
}

// TestHandleErrorsCannotForward: an error route that proxies, as for failover, gets
// nothing of a refused request that could make it pass elsewhere.
func TestHandleErrorsCannotForward(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	var got *http.Request
	backup := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		got = r
		fmt.Fprintf(w, "backup got %q", content)
	}))
	t.Cleanup(backup.Close)
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "")+"\nhandle_errors {\nreverse_proxy "+backup.URL+"\n}")
	token := g.Mint("jobs")
	answer := g.Send(t, "POST", harness.ClustersList+"?secret=query", func(r *http.Request) {
		harness.Bearer(token.Value)(r)
		r.Header.Set("Cookie", "session=x")
		r.Header.Set("X-HTTP-Method-Override", "DELETE")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("body")), 4
	})
	if answer.StatusCode != 200 || answer.Body != `backup got ""` {
		t.Fatalf("%d %s", answer.StatusCode, answer.Body)
	}
	for _, name := range []string{"Authorization", "Cookie", "X-HTTP-Method-Override"} {
		if value := got.Header.Get(name); value != "" {
			t.Errorf("%s was forwarded", name)
		}
	}
	if got.URL.RawQuery != "" {
		t.Error("the query was forwarded")
	}
}

// TestRefusalsInErrorRoutes: a handler in an error route that refuses again answers, and
// does not start over.
func TestRefusalsInErrorRoutes(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gateway := harness.GatewayBlock(workspace, "")
	g := harness.StartSite(t, workspace, gateway+"\nhandle_errors {\n"+gateway+"\n}")
	got := g.Send(t, "GET", harness.ClustersList, harness.Bearer(g.Mint("jobs").Value))
	// The error route's request has no credential.
	got.CheckRefusal(t, golden.FindRefusal(t, "missing_credential"))
	if n := len(g.Records(t, 2)); n != 2 {
		t.Errorf("%d records, want one for each handler", n)
	}
}

// TestErrorRoutesAndClients: gRPC clients keep their status, and what an error route that
// does not answer has set is gone.
func TestErrorRoutesAndClients(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "")+"\nhandle_errors {\nheader X-Page yes\nheader Etag abc\n@json header Accept text/html\nrespond @json \"page\"\n}")
	token := g.Mint("jobs").Value
	grpc := g.Send(t, "POST", "/x.Y/Z", func(r *http.Request) {
		harness.Bearer(token)(r)
		r.Header.Set("Content-Type", "application/grpc")
	})
	if grpc.StatusCode != 200 || grpc.Header.Get("Grpc-Status") != "7" {
		t.Errorf("gRPC: %d, status %q", grpc.StatusCode, grpc.Header.Get("Grpc-Status"))
	}
	plain := g.Send(t, "GET", harness.ClustersList, harness.Bearer(token))
	plain.CheckRefusal(t, golden.FindRefusal(t, "missing_scope", "scopes", "clusters"))
	if plain.Header.Get("X-Page") != "" || plain.Header.Get("Etag") != "" {
		t.Errorf("headers of the error route: %v", plain.Header)
	}
	page := g.Send(t, "GET", harness.ClustersList, func(r *http.Request) {
		harness.Bearer(token)(r)
		r.Header.Set("Accept", "text/html")
	})
	if page.Body != "page" || page.Header.Get("X-Page") != "yes" {
		t.Errorf("the page is %q, with %v", page.Body, page.Header)
	}
}
