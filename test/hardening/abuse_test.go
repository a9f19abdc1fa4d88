package hardening

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/scopes"
)

// TestRehearsal: a policy in mode observe does not disable the protections that apply to
// every request.
func TestRehearsal(t *testing.T) {
	r := startRig(t, "policy soon {\nscopes sql\nmode observe\n}\n")
	for _, header := range []string{
		"X: y", "Cookie: DBAUTH={all}", "X-HTTP-Method-Override: DELETE", "X-Original-URL: /api/2.0/secrets/list",
		"Authorization~: Bearer {files}", "X-Databricks-Azure-SP-Management-Token: x", "Upgrade: h2c\r\nConnection: Upgrade",
	} {
		t.Run(header, func(t *testing.T) {
			r.try(t, request("GET", "/api/2.1/clusters/list", "all", header), passes)
		})
	}
}

// TestOAuthPass: an OAuth token that passes without a check cannot carry a second
// credential or a second request with it.
func TestOAuthPass(t *testing.T) {
	r := startRig(t, "oauth pass")
	for _, header := range []string{
		"X: y", "Authorization~: Bearer {files}", "X-HTTP-Method-Override: DELETE",
		"X-Original-URL: /api/2.0/secrets/list", "Upgrade: h2c\r\nConnection: Upgrade",
	} {
		t.Run(header, func(t *testing.T) {
			conn := r.Dial(t)
			conn.WriteText(t, r.fill.Replace(with("/api/2.1/clusters/list", "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.x", header)))
			if got := outcomeOf(conn.Answer(t, "GET").Response); got != passes {
				t.Fatalf("outcome %q", got)
			}
			all := r.Workspace.Requests()
			r.clean(t, &all[len(all)-1])
		})
	}
}

// TestPolicyMethods: a policy denies a route in every spelling of its method.
func TestPolicyMethods(t *testing.T) {
	r := startRig(t, "policy keep {\ndeny DELETE /api/2.0/fs/files/*\ndeny GET /api/2.1/clusters/list\n}\n")
	const denied = "policy_denied"
	for _, tt := range []struct{ method, target, want string }{
		{"DELETE", "/api/2.0/fs/files/a", denied},
		{"GET", "/api/2.1/clusters/list", denied},
		{"HEAD", "/api/2.1/clusters/list", denied},
		{"GET", "/api/2.1/clusters/x/..%2flist", malformed},
		{"GET", "/API/2.0/Clusters/List;x", malformed},
		{"GET", "/API/2.0/Clusters/List", denied},
		{"GET", "/ajax-api/2.0/clusters/list", denied},
		{"GET", "/api/clusters/list", denied},
		{"GET", "/o/123/api/2.0/preview/clusters/list/", denied},
		{"delete", "/api/2.0/fs/files/a", denied},
		{"Delete", "/api/2.0/fs/files/a", denied},
		{"get", "/api/2.1/clusters/list", denied},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			r.try(t, request(tt.method, tt.target, "all"), tt.want)
		})
	}
}

// TestWork bounds the work that one request's path can cause, which happens before the
// caller is authenticated. It measures memory as a stand-in for time.
func TestWork(t *testing.T) {
	const enough = 4 << 20
	for _, tt := range []struct{ name, path string }{
		{"slashes", strings.Repeat("/", 4000) + `\//%2e%252e%252f`},
		{"trailing slashes", `/%252e%61\%2e%61;a/.` + strings.Repeat("/", 15000)},
		{"dots", "/" + strings.Repeat("./", 4000) + "%252e%252f;a%5c"},
		{"parameters", "/" + strings.Repeat("a;", 4000) + "%253b%255c/..%2f"},
		{"escapes", "/" + strings.Repeat("%2561", 3000) + "/..;%5c"},
		{"backslashes", "/" + strings.Repeat(`\`, 12000) + "%252f;.%3f"},
		{"spaces", "/" + strings.Repeat("%20", 5000) + ";%255c/."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = scopes.Default().Read("GET", tt.path, nil)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > enough {
				t.Errorf("%d KiB for a path of %d bytes", used>>10, len(tt.path))
			}
		})
	}
}

// TestRecords: a client can neither add lines to the log nor make a line arbitrarily long.
func TestRecords(t *testing.T) {
	r := startRig(t, "")
	line := func(text string) []byte {
		before, err := os.ReadFile(r.AuditLog)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Dial(t)
		c.WriteText(t, r.fill.Replace(text))
		c.Answer(t, "PUT")
		var after []byte
		harness.WaitFor(t, "the record", func() bool {
			after, _ = os.ReadFile(r.AuditLog)
			return len(after) > len(before) && after[len(after)-1] == '\n'
		})
		return after[len(before):]
	}
	const limit = 4 << 10
	for _, tt := range []struct{ name, text string }{
		{"long path", request("GET", "/api/2.0/"+strings.Repeat("a", 14000), "files")},
		{"path of escapes", request("GET", "/api/2.0/"+strings.Repeat("%22", 4000), "files")},
		{"long user agent", request("GET", "/api/2.0/fs/files/a", "files", "User-Agent: "+strings.Repeat("a", 14000))},
		{"user agent of quotes", request("GET", "/api/2.0/fs/files/a", "files", "User-Agent: "+strings.Repeat(`"\`, 7000))},
		{"user agent that is not text", request("GET", "/api/2.0/fs/files/a", "files", "User-Agent: "+strings.Repeat("\xff", 14000))},
		{"user agent with a record", request("GET", "/api/2.0/fs/files/a", "files", `User-Agent: x","decision":"allow","y":"`)},
		{"long trace", request("GET", "/api/2.0/fs/files/a", "files", "Traceparent: 00-"+strings.Repeat("a", 14000))},
		{"many spellings", request("GET", "/api/2.0/fs/files/a", "files", strings.Split(strings.TrimSpace(spelled(300)), "\n")...)},
		{"long spelling", request("GET", "/api/2.0/fs/files/a", "files", strings.Repeat("~", 14000)+"Cookie: x")},
		{"many trailers", strings.Replace(request("PUT", "/api/2.0/fs/files/a", "files", "Transfer-Encoding: chunked", "Trailer: "+trailers(1500)), "Connection: close\r\n", "", 1) + "0\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := line(tt.text)
			if bytes.Count(got, []byte("\n")) != 1 || len(got) > limit {
				t.Errorf("%d bytes in %d lines", len(got), bytes.Count(got, []byte("\n")))
			}
			if bytes.Count(got, []byte(`"decision":`)) != 1 {
				t.Errorf("more than one decision in %s", got)
			}
		})
	}
}

func spelled(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sCookie%s: x\n", strings.Repeat("~", i%17), strings.Repeat("!", i/17))
	}
	return b.String()
}

func trailers(n int) string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("x%d", i))
	}
	return strings.Join(names, ",")
}

// TestFlood sends random tokens. Facts about valid tokens must stay fresh during the
// flood: otherwise a revoked token would keep working, and after max_stale all others
// would stop working.
func TestFlood(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "cache {\nttl 500ms\n}\nlookup {\nrate 10\ntimeout 2s\n}\n")
	token := w.Mint(fakeworkspace.TokenSpec{Scopes: []string{"files"}, Lifetime: time.Hour})
	client := harness.Client(t)
	get := func(client *http.Client, token string) string {
		return harness.Do(t, client, harness.NewRequest(t, "GET", g.URL+"/api/2.0/fs/files/a", token, nil)).Header.Get("X-Scopegate-Reason")
	}
	if got := get(client, token.Value); got != "" {
		t.Fatalf("refused: %s", got)
	}

	stop := make(chan struct{})
	var flood sync.WaitGroup
	defer flood.Wait()
	defer close(stop)
	for i := range 30 {
		flood.Go(func() {
			client := harness.Client(t)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					get(client, fmt.Sprintf("dapi%016x%016x", i, n))
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	w.Revoke(token.Info.TokenId)
	for deadline := time.Now().Add(3 * time.Second); get(client, token.Value) == ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a revoked token still passes during the flood")
		}
	}
}
