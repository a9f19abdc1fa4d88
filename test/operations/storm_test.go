package operations

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// storm sends a request again and again, each over its own connection, which it closes
// after a while if the answer has not come. Call the returned function to end it.
func storm(g *harness.Gateway, request string, patience time.Duration) (end func()) {
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			conn, err := net.Dial("tcp", g.Listen)
			if err != nil {
				continue
			}
			_, _ = io.WriteString(conn, request)
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			_, _ = conn.Read(make([]byte, 100))
			_ = conn.Close()
		}
	})
	return func() { close(stop); wg.Wait() }
}

// TestStormsTurnNobodyAway: clients that may change nothing, or only their own tokens, cannot
// make the gateway turn others away, and a revocation still takes effect at once.
func TestStormsTurnNobodyAway(t *testing.T) {
	const group = "DELETE /api/2.0/preview/scim/v2/Groups/7 HTTP/1.1\r\n"
	for _, test := range []struct {
		name, options string
		request       string
		patience      time.Duration
		status        int
	}{
		{"hanging up before the refusal", "", group + "Authorization: Bearer LOW\r\n", 10 * time.Millisecond, 403},
		{"hanging up in the body", "", "POST /api/2.0/scim/v2/Bulk HTTP/1.1\r\nAuthorization: Bearer LOW\r\nContent-Length: 9\r\n", 10 * time.Millisecond, 403},
		{"an OAuth token that nobody verified", "oauth pass", group + "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA\r\n", 10 * time.Millisecond, 403},
		{"nobody, where refusals are only recorded", "mode observe", group, time.Second, 500},
		{"its own token, in a form that may mean another", "", "PATCH /api/2.0/token/" + strings.Repeat("ab", 32) + "?id=1 HTTP/1.1\r\nAuthorization: Bearer LOW\r\n", time.Second, 200},
		{"its own token, in an odd body", "", "POST /api/2.0/token/delete HTTP/1.1\r\nAuthorization: Bearer LOW\r\n", time.Second, 200},
		{"errors that it can bring about", "", group + "Authorization: Bearer LOW\r\n", time.Second, 500},
		{"changes that are made", "", group + "Authorization: Bearer LOW\r\n", time.Second, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := startLenient(t)
			// The usual limits.
			g := harness.StartSite(t, workspace.Workspace, fmt.Sprintf("databricks_gateway %s {\n%s%s\n}", workspace.url, harness.AdminBlock, test.options))
			low := workspace.Mint(fakeworkspace.TokenSpec{Owner: "low@example.com", Scopes: []string{"scim", "authentication"}})
			admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"})
			victim := workspace.Mint(fakeworkspace.TokenSpec{Owner: "victim@example.com", Scopes: []string{"jobs"}})
			honest := []fakeworkspace.Token{admin, victim}
			for i := range 18 {
				honest = append(honest, workspace.Mint(fakeworkspace.TokenSpec{Owner: fmt.Sprintf("u%d@example.com", i), Scopes: []string{"jobs"}}))
			}
			for _, token := range honest {
				harness.WaitFor(t, "the tokens to be known", func() bool { return use(t, g, token.Value) == 200 })
			}
			workspace.onLookup(func(http.ResponseWriter, *http.Request) bool { time.Sleep(30 * time.Millisecond); return false })
			var reached atomic.Int32
			workspace.onChange(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, victim.Info.TokenId) {
					workspace.Revoke(victim.Info.TokenId)
					return
				}
				reached.Add(1)
				if test.status == 403 {
					select { // time to hang up
					case <-time.After(100 * time.Millisecond):
					case <-r.Context().Done():
					}
				}
				w.WriteHeader(test.status)
			})
			end := storm(g, strings.ReplaceAll(test.request, "LOW", low.Value)+"Host: "+g.Listen+"\r\n\r\n", test.patience)
			defer end()
			harness.WaitFor(t, "the storm", func() bool { return reached.Load() > 5 })
			var wg sync.WaitGroup
			for _, token := range honest {
				wg.Go(func() {
					for range 4 {
						if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
							t.Errorf("owner %d: %d %s", token.Info.OwnerId, got.StatusCode, got.Body)
						}
						time.Sleep(300 * time.Millisecond)
					}
				})
			}
			wg.Wait()
			if got := g.Send(t, "DELETE", "/api/2.0/token-management/tokens/"+victim.Info.TokenId, harness.Bearer(admin.Value)); got.StatusCode != 200 {
				t.Fatalf("the revocation: %d %s", got.StatusCode, got.Body)
			}
			if got := use(t, g, victim.Value); got == 200 && test.options != "mode observe" {
				t.Error("a token passes after it was revoked")
			}
		})
	}
}

// TestLateChange: a change takes effect at once too if its client did not wait for the
// answer.
func TestLateChange(t *testing.T) {
	workspace := startLenient(t)
	g := harness.StartSite(t, workspace.Workspace, workspace.site(""))
	admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
	victim := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	arrived, answer, answered := make(chan struct{}), make(chan struct{}), make(chan struct{})
	workspace.onChange(func(w http.ResponseWriter, r *http.Request) {
		defer close(answered)
		close(arrived)
		select {
		case <-answer: // it finishes what it began
			workspace.Revoke(victim.Info.TokenId)
		case <-r.Context().Done():
			t.Error("the change ended with its client")
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	left := make(chan struct{})
	go func() {
		defer close(left)
		r := harness.NewRequest(t, "DELETE", g.URL+"/api/2.0/token-management/tokens/"+victim.Info.TokenId, admin, nil)
		if response, err := harness.Client(t).Do(r.WithContext(ctx)); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-arrived
	cancel()
	<-left
	time.Sleep(1500 * time.Millisecond) // until the gateway has done all that it does when a client leaves
	if got := use(t, g, victim.Value); got != 200 {
		t.Errorf("before the revocation: %d", got)
	}
	close(answer)
	<-answered
	harness.WaitFor(t, "the token to be refused", func() bool { return use(t, g, victim.Value) != 200 })
}

// TestRepeatedChange: net/http repeats some requests by itself when a connection breaks. That
// there is nothing left to delete then does not mean that nothing was deleted.
func TestRepeatedChange(t *testing.T) {
	for _, header := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		workspace := startLenient(t)
		g := harness.StartSite(t, workspace.Workspace, workspace.site(""))
		admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
		victim := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
		for range 3 { // so that there is a connection to use again
			if got := use(t, g, victim.Value); got != 200 {
				t.Fatal(got)
			}
		}
		var tries atomic.Int32
		workspace.onChange(func(w http.ResponseWriter, _ *http.Request) {
			if tries.Add(1) == 1 {
				workspace.Revoke(victim.Info.TokenId)
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusNotFound)
		})
		r := harness.NewRequest(t, "DELETE", g.URL+"/api/2.0/token-management/tokens/"+victim.Info.TokenId, admin, nil, header, "x")
		if got := harness.Do(t, harness.Client(t), r).StatusCode; got != 404 || tries.Load() != 2 {
			t.Errorf("%s: answered %d after %d tries", header, got, tries.Load())
		}
		if got := use(t, g, victim.Value); got == 200 {
			t.Errorf("%s: the token passes after it was revoked", header)
		}
		harness.Stop(t)
	}
}

// TestChangesByOwnRoutes: rows of the operator do not hide what a path changes.
func TestChangesByOwnRoutes(t *testing.T) {
	for _, test := range []struct{ row, method, path string }{
		{"POST\t/api/2.0/scim/v2/Bulk\tscim", "POST", "/api/2.0/scim/v2/Bulk"},
		{"*\t/api/2.0/scim/v2/Users/{id}\tscim", "DELETE", "/api/2.0/scim/v2/Users/OWNER"},
		{"*\t/api/{path...}\tall-apis", "DELETE", "/api/2.0/token-management/all/ID"},
		{"*\t/api/{path...}\tall-apis\toperator\tjobs.RunNow", "DELETE", "/api/9.9/token-management/tokens/ID"},
		{"*\t/api/{path...}\tall-apis\toperator\tsettings.Tokens.Create", "DELETE", "/api/9.9/token-management/tokens/ID"},
		{"*\t/api/2.1/token/delete\tauthentication", "POST", "/api/2.1/token/delete"},
		{"POST\t/ajax-api/2.0/token/delete\tauthentication", "POST", "/ajax-api/2.0/token/delete"},
	} {
		workspace := startLenient(t)
		file := filepath.Join(t.TempDir(), "routes.tsv")
		if err := os.WriteFile(file, []byte(test.row+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		g := harness.StartSite(t, workspace.Workspace, workspace.site("}\nroutes "+file+"\npolicy p {\nmatch comment zzz\ndeny GET /api/2.0/clusters/list"))
		admin := workspace.Mint(fakeworkspace.TokenSpec{Owner: "admin@example.com"}).Value
		victim := workspace.Mint(fakeworkspace.TokenSpec{Owner: "victim@example.com", Scopes: []string{"jobs"}})
		if got := use(t, g, victim.Value); got != 200 {
			t.Fatal(got)
		}
		workspace.onChange(func(http.ResponseWriter, *http.Request) { workspace.Revoke(victim.Info.TokenId) })
		path := strings.NewReplacer("ID", victim.Info.TokenId, "OWNER", fmt.Sprint(victim.Info.OwnerId)).Replace(test.path)
		if got := g.Send(t, test.method, path, harness.Bearer(admin)); got.StatusCode != 200 {
			t.Errorf("%q: the change: %d %s", test.row, got.StatusCode, got.Body)
		}
		if got := use(t, g, victim.Value); got == 200 {
			t.Errorf("%q: the token passes after it was revoked", test.row)
		}
		harness.Stop(t)
	}
}

// TestNamesOutlastDoubt: those who may change nothing cannot make the gateway forget the
// names by which policies match.
func TestNamesOutlastDoubt(t *testing.T) {
	workspace := startLenient(t)
	g := harness.StartSite(t, workspace.Workspace, workspace.site("}\npolicy other {\nmatch owner somebody-else@example.com\ndeny GET "+harness.JobsList))
	low := workspace.Mint(fakeworkspace.TokenSpec{Owner: "low@example.com", Scopes: []string{"scim"}}).Value
	other := workspace.Mint(fakeworkspace.TokenSpec{Owner: "sp@example.com", Creator: "admin@example.com", Scopes: []string{"jobs"}}).Value
	harness.WaitFor(t, "the name", func() bool { return use(t, g, other) == 200 })
	for _, status := range []int{403, 500} {
		workspace.onChange(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		end := storm(g, "POST /api/2.0/scim/v2/Bulk HTTP/1.1\r\nAuthorization: Bearer "+low+"\r\nHost: "+g.Listen+"\r\nContent-Length: 9\r\n\r\n{", 30*time.Millisecond)
		for range 20 {
			if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(other)); got.StatusCode != 200 {
				t.Errorf("answers %d: %d %s", status, got.StatusCode, got.Body)
			}
			time.Sleep(30 * time.Millisecond)
		}
		end()
	}
}
