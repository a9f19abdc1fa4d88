package audit

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

func init() {
	caddy.RegisterModule(fails{})
	httpcaddyfile.RegisterHandlerDirective("test_fails", func(g httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		g.Next()
		f := new(fails)
		g.Args(&f.How)
		return f, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_fails", httpcaddyfile.Before, "reverse_proxy")
}

// fails is a handler that fails in the way that the Caddyfile names.
type fails struct {
	How string `json:"how"`
}

func (fails) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_fails", New: func() caddy.Module { return new(fails) }}
}

func (f *fails) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	switch f.How {
	case "panic":
		panic("as a handler with a bug does")
	case "abort":
		w.WriteHeader(http.StatusOK)
		panic(http.ErrAbortHandler)
	case "error":
		return errors.New("an error that names no status")
	case "status":
		return caddyhttp.Error(http.StatusTeapot, errors.New("an error with a status"))
	case "late":
		w.WriteHeader(http.StatusAccepted)
		return caddyhttp.Error(http.StatusBadGateway, errors.New("an error after the header"))
	}
	return nil
}

// TestRecordsOfFailures: the record exists and says what happened, and the error or the
// panic still reaches Caddy.
func TestRecordsOfFailures(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	site := func(how string) string {
		return fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s}\ntest_fails %s", workspace.URL(), harness.AdminBlock, how)
	}
	g := harness.StartSite(t, workspace, site("error"))
	token := g.Mint("jobs")
	for _, test := range []struct {
		how             string
		outcome         string
		status, upstram int
		errorType       string
	}{
		{"panic", "panicked", 0, 0, "panicked"},
		{"abort", "aborted", 200, 200, "aborted"},
		{"error", "failed", 500, 0, "failed"},
		{"status", "failed", 418, 0, "failed"},
		{"late", "failed", 202, 202, "failed"},
		{"nothing", "answered", 200, 0, ""},
	} {
		t.Run(test.how, func(t *testing.T) {
			g.Load(t, site(test.how))
			before := len(g.ReadRecords(t))
			// A connection to the old socket, just after a reload, ends without a record.
			// One that a panic ends leaves a record.
			harness.WaitFor(t, "a record", func() bool {
				r, err := http.NewRequestWithContext(t.Context(), "GET", g.URL+harness.JobsList, nil)
				if err != nil {
					t.Fatal(err)
				}
				harness.Bearer(token.Value)(r)
				response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
				switch {
				case err != nil && !harness.HungUp(err):
					t.Fatal(err)
				case err != nil && test.how != "panic" && test.how != "abort":
					return false
				case err == nil:
					response.Body.Close()
					if test.how == "panic" {
						t.Fatal("the panic did not end the connection")
					}
					if test.status != 0 && response.StatusCode != test.status {
						t.Errorf("the client saw %d", response.StatusCode)
					}
				}
				for range 20 {
					if len(g.ReadRecords(t)) > before {
						return true
					}
					time.Sleep(10 * time.Millisecond)
				}
				return false
			})
			record := g.Records(t, before+1)[before]
			got := fmt.Sprint(record["outcome"], record["status"], record["upstream_status"], record["error_type"], record["decision"], record["reason"])
			want := fmt.Sprint(test.outcome, float64(test.status), float64(test.upstram), test.errorType, "allow", "permitted")
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestRecordOfAnAnswer(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "audit {\ncomment plain\n}")
	token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "etl@example.com", Scopes: []string{"jobs"}, Comment: "nightly export"})
	got := g.Send(t, "POST", "/api/2.1/jobs/create", func(r *http.Request) {
		harness.Bearer(token.Value)(r)
		r.Body = http.NoBody
		body := `{"name":"x"}`
		r.Body, r.ContentLength = readCloser(body), int64(len(body))
		r.Header.Set("User-Agent", "agent/1.0 \xff")
	})
	record := g.Records(t, 1)[0]
	for name, want := range map[string]any{
		"outcome": "answered", "status": float64(got.StatusCode), "upstream_status": float64(got.StatusCode), "bytes_received": 12.0,
		"bytes_sent": float64(len(got.Body)), "request_id": got.Header.Get("X-Request-Id"), "workspace": "127.0.0.1",
		"comment": "nightly export", "owner": "etl@example.com", "creator": "etl@example.com", "path": "/api/2.1/jobs/create", "user_agent": "agent/1.0 \uFFFD",
		"error_type": "", "facts_source": "lookup",
	} {
		if record[name] != want {
			t.Errorf("%s is %v, want %v", name, record[name], want)
		}
	}
	if d, _ := record["upstream_duration"].(float64); d <= 0 {
		t.Errorf("upstream_duration is %v", record["upstream_duration"])
	}
	if got.Header.Get("X-Request-Id") == "" || len(record["policy_hash"].(string)) != 12 || record["catalog"] == "" {
		t.Errorf("%v", record)
	}
	if refusal := g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value)); g.Records(t, 2)[1]["request_id"] != refusal.Header.Get("X-Request-Id") {
		t.Error("a refusal's request id differs from the record's")
	}
}

func readCloser(s string) *stringBody { return &stringBody{strings.NewReader(s)} }

type stringBody struct{ *strings.Reader }

func (stringBody) Close() error { return nil }

func TestAuditOptions(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gateway := func(options string) string {
		return harness.GatewayBlock(workspace, options)
	}
	g := harness.StartSite(t, workspace, gateway(""))
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}, Comment: "nightly export"})
	hashes := make(map[any]string)
	for _, test := range []struct{ name, options, comment, path string }{
		{"defaults", "", "sha256:d7fdb5293230158b", harness.JobsList},
		{"plain", "audit {\ncomment plain\n}", "nightly export", harness.JobsList},
		{"redacted", "audit {\ncomment off\nredact path\n}", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.ReadRecords(t))
			g.Load(t, gateway(test.options))
			g.Send(t, "GET", harness.JobsList+"?x=y", harness.Bearer(token.Value))
			record := g.Records(t, before+1)[before]
			if record["comment"] != test.comment || record["path"] != test.path || record["template"] == "" {
				t.Errorf("comment %v, path %v, template %v", record["comment"], record["path"], record["template"])
			}
			hashes[record["policy_hash"]] = test.name
		})
	}
	if len(hashes) != 1 {
		t.Errorf("the same rules have different hashes: %v", hashes)
	}
	before := len(g.ReadRecords(t))
	for i, options := range []string{"mode observe", "unscoped_tokens deny", "oauth verify", "policy p {\nscopes jobs\n}", "policy p {\nscopes sql\n}"} {
		g.Load(t, gateway(options))
		g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
		hash := g.Records(t, before+i+1)[before+i]["policy_hash"]
		if other, ok := hashes[hash]; ok {
			t.Errorf("%q has the same hash as %q", options, other)
		}
		hashes[hash] = options
	}
	lines := len(g.ReadRecords(t))
	g.Load(t, gateway("audit {\nlog off\n}"))
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	g.Load(t, gateway(""))
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	if got := len(g.Records(t, lines+1)); got != lines+1 {
		t.Errorf("%d lines, want %d: log off did not stop the log", got, lines+1)
	}
}
