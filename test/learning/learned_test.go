package learning

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// policies caps tokens with the comment capped.
const policies = `
policy capped {
	match comment capped
	scopes sql
}`

// TestLearnedRoutes: with routes learned, what a refusal of the workspace names holds at
// once and after reloads and restarts, for tokens' scopes and for nothing else.
func TestLearnedRoutes(t *testing.T) {
	workspace := answering(t, map[string]string{"GET " + catalogs: "sql", "GET " + clusters: "clusters"})
	g := harness.NewGateway(t, workspace)
	options := harness.GatewayBlock(workspace, "routes learned"+policies)
	g.Load(t, options)
	right, wrong, other := g.Mint("sql").Value, g.Mint("unity-catalog").Value, g.Mint("jobs").Value
	capped := workspace.Mint(fakeworkspace.TokenSpec{Comment: "capped", Scopes: []string{"sql", "unity-catalog"}}).Value
	check := func(when string, want map[string]int) {
		t.Helper()
		for token, status := range want {
			if got := g.Send(t, "GET", catalogs, harness.Bearer(token)); got.StatusCode != status {
				t.Errorf("%s: answered %d %s, want %d", when, got.StatusCode, got.Body, status)
			}
		}
	}
	check("before", map[string]int{right: 403, other: 403})
	seen := len(harness.Arrivals(workspace))
	check("a token that the map permits", map[string]int{wrong: 403})
	if len(harness.Arrivals(workspace)) != seen+1 {
		t.Fatal("the workspace was not asked")
	}
	got := g.SendAfterReload(t, "GET", catalogs, harness.Bearer(right), 200)
	if got.StatusCode != 200 {
		t.Errorf("learned: answered %d %s", got.StatusCode, got.Body)
	}
	harness.WaitFor(t, "a record that says so", func() bool {
		return slices.ContainsFunc(g.ReadRecords(t), func(r map[string]any) bool { return r["evidence"] == "learned" && r["decision"] == "allow" })
	})
	after := map[string]int{right: 200, other: 403, wrong: 403, capped: 403}
	check("learned", after)
	if r := g.Send(t, "GET", catalogs, harness.Bearer(capped)); r.Refused(t, 403, "policy_denied").ErrorCode != 403 {
		t.Error("the policy permits what was learned")
	}
	if r := g.Send(t, "GET", clusters, harness.Bearer(right)); r.StatusCode != 403 {
		t.Errorf("another operation: answered %d", r.StatusCode)
	}
	g.Load(t, options+"\n# reloaded")
	check("reloaded", after)
	harness.Stop(t)
	g.Load(t, options)
	check("restarted", after)

	// Nothing of it holds where the option is left out.
	g.Load(t, harness.GatewayBlock(workspace, policies))
	check("without the option", map[string]int{right: 403})
}

// TestForgedRefusals: code of customers, which clients can make the workspace run, and
// answers that are not the workspace's, open nothing, however often they say so.
func TestForgedRefusals(t *testing.T) {
	const forged = `{"error_code":403,"message":"Provided access token does not have required scopes: jobs"}`
	workspace := harness.StartWorkspace(t)
	forge := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Databricks-Reason-Phrase", "Provided access token does not have required scopes: jobs")
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="jobs"`)
		w.Header().Set("X-Databricks-Apiproxy-Response-Code-Details", "ext_authz_denied")
		w.WriteHeader(403)
		_, _ = io.WriteString(w, forged)
	})
	quoted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		_, _ = io.WriteString(w, `{"message":"User does not have permission on '`+r.URL.Query().Get("name")+`'"}`)
	})
	for _, path := range []string{"/serving-endpoints/m/invocations", "/serving-endpoints/m/served-models/v/invocations", "/api/2.0/serving-endpoints/m/invocations",
		"/api/7.9/unity-catalog/catalogs", "/driver-proxy-api/", "/driver-proxy/", "/ai-gateway/", "/api/2.0/mcp/", "/api/2.0/external-function", "/serving-endpoints/openai/", "/apps/"} {
		workspace.Handle(path, forge)
	}
	workspace.Handle("GET "+secrets, quoted)
	workspace.Handle("GET "+catalogs, forge)
	for _, mode := range []string{"enforce", "observe"} {
		g := harness.NewGateway(t, workspace)
		g.Global = harness.TapEvents(event)
		options := "mode " + mode + "\nroutes learned"
		g.Load(t, harness.GatewayBlock(workspace, options))
		attacker := g.Mint("model-serving", "clusters", "ai-gateway", "unity-catalog", "genie", "secrets").Value
		victim := g.Mint("jobs").Value
		for _, call := range []string{
			"POST /serving-endpoints/m/invocations", "POST /serving-endpoints/m/served-models/v/invocations", "POST /api/2.0/serving-endpoints/m/invocations",
			"GET /driver-proxy-api/o/1/c/8080/x", "GET /driver-proxy/o/1/c/8080/x", "POST /ai-gateway/x/y", "POST /api/2.0/mcp/external/c", "POST /api/2.0/mcp/genie",
			"POST /api/2.0/external-function", "POST /serving-endpoints/openai/v1/x", "GET /apps/x",
			"GET " + secrets + "?name=Provided%20access%20token%20does%20not%20have%20required%20scopes:%20jobs",
			"GET " + "/api/7.9/unity-catalog/catalogs", // a spelling that the workspace may not know
		} {
			method, path, _ := strings.Cut(call, " ")
			for range 3 {
				g.Send(t, method, path, harness.Bearer(attacker))
			}
			if got := g.Send(t, method, path, harness.Bearer(victim)); mode == "enforce" && got.Header.Get("X-Scopegate-Reason") == "" {
				t.Errorf("%s: opened: %d %s", call, got.StatusCode, got.Body)
			}
		}
		if mode == "observe" {
			// It may be the cookie's user who is refused.
			g.Send(t, "GET", catalogs, func(r *http.Request) {
				harness.Bearer(attacker)(r)
				r.Header.Set("Cookie", "session=1")
			})
		}
		harness.NoEvent(t, 0)
		if got, text := lessons(t, g); len(got) != 0 {
			t.Errorf("learned %v: %s", got, text)
		}
	}

	// Handlers of the site that answer in the workspace's place.
	g := harness.StartSite(t, workspace, harness.ScopesBlock(workspace)+fmt.Sprintf("respond `%s` 403", forged))
	g.Send(t, "GET", catalogs, harness.Bearer(g.Mint("unity-catalog").Value))
	if got, _ := lessons(t, g); len(got) != 0 {
		t.Errorf("learned from the site: %v", got)
	}
}

// TestStreamedRefusal: what is read of a refusal reaches the client at once and unchanged.
func TestStreamedRefusal(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	rest := make(chan struct{})
	const begin, end = `{"message":"Provided access token does not have required scopes: `, `sql"}`
	workspace.Handle("GET "+catalogs, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		_, _ = io.WriteString(w, begin)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-rest:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, end)
	}))
	g := harness.StartGateway(t, workspace, "")
	response, err := harness.Client(t).Do(harness.NewRequest(t, "GET", g.URL+catalogs, g.Mint("unity-catalog").Value, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len(begin))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != begin {
		t.Fatalf("%q, %v", first, err)
	}
	close(rest)
	if more, err := io.ReadAll(response.Body); err != nil || string(more) != end {
		t.Errorf("%q, %v", more, err)
	}
	if got, text := lessons(t, g); got["catalog.Catalogs.List"].Disagreed != 1 {
		t.Error(text)
	}
}

// TestCutRefusal: of a refusal that breaks off it is not known what it names.
func TestCutRefusal(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	workspace.Handle("GET "+catalogs, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(403)
		_, _ = io.WriteString(w, "Invalid scope, required scopes: sql")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	g := harness.StartGateway(t, workspace, "")
	response, err := harness.Client(t).Do(harness.NewRequest(t, "GET", g.URL+catalogs, g.Mint("unity-catalog").Value, nil))
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	if got, text := lessons(t, g); len(got) != 0 {
		t.Error(text)
	}
}
