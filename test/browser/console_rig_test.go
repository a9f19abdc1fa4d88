package browser

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// console is a gateway that shows its page, in front of a workspace.
type console struct {
	*harness.Gateway
	Page string // its URL, without a slash at the end
	http *http.Client
}

// rehearse are options of a gateway that refuses nothing yet, and that may look up many tokens.
const rehearse = `mode observe
lookup {
	rate 1000
	concurrency 64
}
policy analysts {
	match comment "analyst *"
	access read
	mode enforce 10%
}
policy agents {
	match comment "* agent"
	scopes sql genie
	mode observe
}
`

// startConsole starts a gateway with options of databricks_gateway, and its page.
func startConsole(t *testing.T, options string) *console {
	t.Helper()
	w := harness.StartWorkspace(t)
	c := &console{Gateway: harness.NewGateway(t, w), http: harness.Client(t)}
	address := harness.FreeAddress(t)
	host, port, _ := strings.Cut(address, ":")
	c.Page = "http://localhost:" + port
	// The rest of the file is a site of its own.
	c.Load(t, harness.GatewayBlock(w, options)+fmt.Sprintf("\n}\nhttp://localhost:%s {\nbind %s\ndatabricks_console\n", port, host))
	return c
}

// client is a token and what its owner does with it.
type client struct {
	spec  fakeworkspace.TokenSpec
	calls []string // method and path
	times int
}

const day = 24 * time.Hour

// office are clients as an operator knows them.
func office() []client {
	ago := func(days int) time.Time { return time.Now().Add(-time.Duration(days) * day) }
	const (
		jobs     = "GET /api/2.2/jobs/list"
		run      = "POST /api/2.2/jobs/run-now"
		clusters = "GET /api/2.1/clusters/list"
		house    = "GET /api/2.0/sql/warehouses"
		catalogs = "GET /api/2.1/unity-catalog/catalogs"
		lineage  = "GET /api/2.0/lineage-internal/graph"
		state    = "POST /api/2.0/sql/statements"
	)
	return []client{
		{fakeworkspace.TokenSpec{Owner: "etl@example.com", Comment: "airflow nightly loads", CreationTime: ago(420)}, []string{jobs, run, clusters}, 40},
		{fakeworkspace.TokenSpec{Owner: "bi@example.com", Comment: "sales dashboard", Scopes: []string{"all-apis"}, CreationTime: ago(20), Lifetime: 365 * day}, []string{house, state, catalogs}, 60},
		{fakeworkspace.TokenSpec{Owner: "ana@example.com", Comment: "analyst laptop", CreationTime: ago(90), Lifetime: 180 * day}, []string{catalogs, house, run}, 12},
		{fakeworkspace.TokenSpec{Owner: "omar@example.com", Comment: "analyst notebook", CreationTime: ago(10), Lifetime: 90 * day}, []string{catalogs, state}, 9},
		{fakeworkspace.TokenSpec{Owner: "support@example.com", Comment: "support agent", Scopes: []string{"sql", "genie", "jobs"}, CreationTime: ago(30), Lifetime: 90 * day}, []string{state, jobs}, 25},
		{fakeworkspace.TokenSpec{Owner: "vendor@example.com", Comment: "lineage vendor", CreationTime: ago(200), Lifetime: 210 * day}, []string{catalogs, lineage}, 15},
		{fakeworkspace.TokenSpec{Owner: "leaver@example.com", Comment: "tmp", CreationTime: ago(700), LastUsed: ago(310)}, nil, 0},
		{fakeworkspace.TokenSpec{Owner: "bi@example.com", Comment: "old dashboard", Scopes: []string{"sql", "dashboards"}, CreationTime: ago(300), Lifetime: 400 * day, LastUsed: ago(45)}, nil, 0},
		{fakeworkspace.TokenSpec{Owner: "ml@example.com", Comment: "feature store sync", Scopes: []string{"clusters", "files", "jobs"}, CreationTime: ago(60), Lifetime: 70 * day}, []string{jobs, clusters, house}, 18},
	}
}

// hostileText is what owners and comments may be: markup, quotes, changes of the writing
// direction, and one long word.
const hostileText = `"><img src=x onerror="window.attacked=1"><script>window.attacked=1</script>'` + "`\u202egnp.exe\u202c \u05e9\u05dc\u05d5\u05dd "

// hostile are clients whose owners write what they like.
func hostile() []client {
	return []client{
		{
			fakeworkspace.TokenSpec{Owner: hostileText, Comment: hostileText + strings.Repeat("w", 300), Scopes: []string{"sql"}},
			[]string{"GET /api/2.0/sql/warehouses", "GET /api/2.0/%3Cimg%20src=x%20onerror=alert(1)%3E/%E2%80%AEgnp", "GET /api/2.0/'quotes'/" + strings.Repeat("long", 80)}, 2,
		},
		{fakeworkspace.TokenSpec{Owner: "=HYPERLINK(\"http://x\")@example.com", Comment: "javascript:alert(1)"}, []string{"DELETE /api/2.2/jobs/delete"}, 1},
	}
}

// play mints the clients' tokens and makes their calls, by turns. It returns the tokens. Each
// is called before a turn, unless it is nil.
func (c *console) play(t *testing.T, clients []client, each func(turn int)) (minted []fakeworkspace.Token) {
	t.Helper()
	for _, client := range clients {
		minted = append(minted, c.Workspace.Mint(client.spec))
	}
	for turn := range 60 {
		if each != nil {
			each(turn)
		}
		for i, client := range clients {
			// Spread over all turns.
			for range (turn+1)*client.times/60 - turn*client.times/60 {
				for _, call := range client.calls {
					c.call(t, minted[i].Value, call)
				}
			}
		}
	}
	return minted
}

func (c *console) call(t *testing.T, token, call string) {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	answer := harness.Do(t, c.http, harness.NewRequest(t, method, c.URL+path, token, nil))
	if answer.StatusCode == http.StatusServiceUnavailable {
		t.Fatalf("%s: %d %s", call, answer.StatusCode, answer.Body)
	}
}

// crowd mints many tokens, of which some are used.
func (c *console) crowd(t *testing.T, n, used int) {
	t.Helper()
	scopes := [][]string{nil, {"all-apis"}, {"sql"}, {"jobs", "clusters"}, {"sql", "genie", "dashboards", "unity-catalog", "files", "jobs", "clusters"}}
	tokens := make([]string, n)
	for i := range n {
		spec := fakeworkspace.TokenSpec{
			Owner: fmt.Sprintf("person-%04d@example.com", i%2500), Comment: fmt.Sprintf("pipeline %d", i), Scopes: scopes[i%len(scopes)],
			CreationTime: time.Now().Add(-time.Duration(i%900) * day),
		}
		if i%3 > 0 {
			spec.Lifetime = time.Duration(i%900+1+i%120) * day
		}
		tokens[i] = c.Workspace.Mint(spec).Value
	}
	calls := []string{"GET /api/2.2/jobs/list", "GET /api/2.0/sql/warehouses", "GET /api/2.1/clusters/list"}
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			for i := worker; i < used; i += 4 {
				c.call(t, tokens[i], calls[i%len(calls)])
			}
		})
	}
	workers.Wait()
}
