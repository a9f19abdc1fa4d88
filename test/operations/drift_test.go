package operations

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// canary is in every path that is sent, and must not be in anything that is kept.
const canary = "canary-4711"

// dissent is a row of the map that a workspace contradicts.
type dissent struct {
	name   string
	method string // of calls
	row    scopes.Operation
	needs  string // by the workspace, as in the any_of column
	routed string // what the operator's own row says, if there is one
	how    fakeworkspace.OwnScopes
	// enforced and observed are the scopes of the tokens that call in each mode.
	enforced, observed []string
	versions           []string // of the API that are called instead of the row's
}

// paths returns the paths that clients call.
func (d *dissent) paths() (paths []string) {
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(d.row.Template, canary)
	if len(d.versions) == 0 {
		return []string{path}
	}
	for _, version := range d.versions {
		paths = append(paths, regexp.MustCompile(`^/api/[0-9.]+/`).ReplaceAllString(path, "/api/"+version+"/"))
	}
	return paths
}

// row returns the row of the shipped map for a request.
func row(t *testing.T, method, template string) scopes.Operation {
	t.Helper()
	return rowWhere(t, func(o *scopes.Operation) bool { return o.Method == method && o.Template == template })
}

// rowWhere returns the first row of the shipped map that fits, and has no odd parameters.
func rowWhere(t *testing.T, fits func(*scopes.Operation) bool) scopes.Operation {
	t.Helper()
	for _, o := range scopes.Default().Operations() {
		if fits(&o) && !strings.Contains(o.Template, "...") && !strings.Contains(o.Template, ":") {
			return o
		}
	}
	t.Fatal("the map has no such row")
	return scopes.Operation{}
}

// dissents are the ways in which a map can be wrong.
func dissents(t *testing.T) []dissent {
	doubtful := rowWhere(t, func(o *scopes.Operation) bool {
		return o.Doubtful() && o.Method == "GET" && len(o.AnyOf) == 2 && len(o.Scopes()) == 2 && !slices.Contains(o.AnyOf, scopes.AllAPIs)
	})
	unknown := rowWhere(t, func(o *scopes.Operation) bool {
		return o.Method == "GET" && slices.Equal(o.AnyOf, []string{scopes.AllAPIs}) && !o.Optional && strings.HasPrefix(o.Template, "/api/2.")
	})
	const things = "/api/2.0/internal/things"
	internal := scopes.Operation{Method: "GET", Template: things, AnyOf: []string{"jobs"}, Name: "GET " + things}
	const others = "/api/2.0/internal/more"
	more := scopes.Operation{Method: "GET", Template: others, AnyOf: []string{"clusters+jobs"}, Name: "GET " + others}
	return []dissent{
		{name: "narrower any-of, of the operator's own", method: "GET", row: row(t, "GET", "/api/2.0/lakeview/dashboards"), needs: "dashboards", routed: "dashboards,sql",
			enforced: []string{"dashboards", "sql"}},
		{name: "a path of the operator's own", method: "GET", row: internal, needs: "sql", routed: "jobs", enforced: []string{"jobs"}},
		{name: "a third scope beside two, named alone", method: "GET", row: more, needs: "clusters+jobs+sql", routed: "clusters+jobs",
			how: fakeworkspace.OwnScopes{NameMissing: true}, enforced: []string{"clusters,jobs"}},
		{name: "wrong scope", method: "GET", row: row(t, "GET", harness.JobsList), needs: "notifications", enforced: []string{"jobs"}},
		{name: "needs all-apis", method: "GET", row: row(t, "GET", harness.ClustersList), needs: "all-apis", enforced: []string{"clusters"}},
		{name: "wider any-of", method: "GET", row: row(t, "GET", "/api/2.0/secrets/scopes/list"), needs: "access-management,secrets",
			observed: []string{"sql", "access-management"}},
		{name: "too strict", method: "GET", row: unknown, needs: "workspace", observed: []string{"sql", "workspace"}},
		{name: "both, named together", method: "GET", row: row(t, "GET", "/api/2.0/pipelines"), needs: "jobs+pipelines",
			enforced: []string{"pipelines"}, observed: []string{"jobs", "jobs,pipelines"}},
		{name: "both, named one by one", method: "GET", row: row(t, "GET", "/api/2.0/ip-access-lists"), needs: "networking+settings",
			how: fakeworkspace.OwnScopes{NameMissing: true}, enforced: []string{"networking"}, observed: []string{"settings", "networking,settings"}},
		{name: "a doubtful row", method: "GET", row: doubtful, needs: doubtful.AnyOf[0], enforced: doubtful.AnyOf},
		{name: "HEAD", method: "HEAD", row: row(t, "GET", "/api/2.0/global-init-scripts"), needs: "settings", enforced: []string{"global-init-scripts"}},
		{name: "versions of one operation", method: "GET", row: row(t, "GET", "/api/2.2/jobs/get"), needs: "workspace",
			enforced: []string{"jobs"}, versions: []string{"2.0", "2.1", "2.2"}},
		{name: "any scope", method: "GET", row: row(t, "GET", harness.Me), needs: "scim", enforced: []string{"jobs"}},
		{name: "in plain text", method: "GET", row: row(t, "GET", "/api/2.0/sql/warehouses"), needs: "unity-catalog",
			how: fakeworkspace.OwnScopes{Wording: fakeworkspace.ServiceText}, enforced: []string{"sql"}},
		{name: "as a challenge", method: "GET", row: row(t, "GET", "/api/2.0/genie/spaces"), needs: "sql",
			how: fakeworkspace.OwnScopes{Wording: fakeworkspace.Challenge}, enforced: []string{"genie"}},
		{name: "in the words of 2025", method: "GET", row: row(t, "GET", "/api/2.0/git-credentials"), needs: "files",
			how: fakeworkspace.OwnScopes{Wording: fakeworkspace.FrontDoor2025}, enforced: []string{"workspace"}},
	}
}

// dissenter is a workspace that contradicts the map, and a gateway in front of it.
type dissenter struct {
	*harness.Gateway
	tokens map[string]string // by scopes, joined by commas
}

func startDissenter(t *testing.T, all []dissent, directives string) *dissenter {
	t.Helper()
	options := []fakeworkspace.Option{}
	if len(all) > 0 {
		options = append(options, fakeworkspace.WithScopeCheck(harness.CatalogScopes))
	}
	var own []fakeworkspace.OwnScopes
	for _, d := range all {
		d.how.Method, d.how.Template, d.how.AnyOf = d.row.Method, d.row.Template, strings.Split(d.needs, ",")
		own = append(own, d.how)
	}
	workspace := harness.StartWorkspace(t, append(options, fakeworkspace.WithOwnScopes(own...))...)
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	for i := range all {
		for _, path := range all[i].paths() {
			workspace.Handle(path, answer)
		}
	}
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, directives))
	return &dissenter{g, make(map[string]string)}
}

// token returns a token with scopes that are joined by commas.
func (g *dissenter) token(granted string) string {
	if g.tokens[granted] == "" {
		g.tokens[granted] = g.Mint(strings.Split(granted, ",")...).Value
	}
	return g.tokens[granted]
}

// call makes a request through the gateway, and returns once it is recorded.
func (g *dissenter) call(t *testing.T, method, path, granted string) harness.Answer {
	t.Helper()
	before := len(g.ReadRecords(t))
	answer := g.Send(t, method, path+"?q="+canary, harness.Bearer(g.token(granted)))
	g.Records(t, before+1)
	return answer
}

// drift returns what the gateway learned.
func (g *dissenter) drift(t *testing.T) (drift usage.Drift) {
	t.Helper()
	status, body := g.Admin(t, "GET", "/databricks_scopes/drift?all=true")
	if err := json.Unmarshal([]byte(body), &drift); status != 200 || err != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	return drift
}

// run runs scopes drift.
func (g *dissenter) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := harness.Command(t, "", "scopes", append([]string{"drift", "--address", g.AdminAddress()}, args...)...)
	if err != nil {
		t.Fatalf("scopes drift %v: %v\n%s", args, err, out)
	}
	return out
}

// TestDrift: a workspace disagrees with the map in many ways. scopes drift alone leads to a
// gateway that agrees with it in all of them.
func TestDrift(t *testing.T) {
	all := dissents(t)
	file := filepath.Join(harness.TempDir(t), "routes.tsv")
	ours := "GET\t/api/2.0/internal/others\tjobs\n"
	for _, d := range all {
		if d.routed != "" {
			ours += d.row.Method + "\t" + d.row.Template + "\t" + d.routed + "\tdocumented\n"
		}
	}
	if err := os.WriteFile(file, []byte(ours), 0o600); err != nil {
		t.Fatal(err)
	}
	g := startDissenter(t, all, "routes "+file)
	load := func(options string) { g.Load(t, harness.GatewayBlock(g.Workspace, options)) }
	for range 3 {
		g.call(t, "GET", "/api/2.1/unity-catalog/catalogs", "unity-catalog")
	}
	visit := func(of func(*dissent) []string) {
		for i := range all {
			for _, granted := range of(&all[i]) {
				for _, path := range all[i].paths() {
					g.call(t, all[i].method, path, granted)
				}
			}
		}
	}
	visit(func(d *dissent) []string { return d.enforced })
	harness.Stop(t) // what was learned is not forgotten
	load("mode observe\nroutes " + file)
	visit(func(d *dissent) []string { return d.observed })

	if status, body := g.Admin(t, "GET", "/databricks_scopes/explain?method=GET&path=/api/2.1/unity-catalog/catalogs"); status != 200 || !strings.Contains(body, `"confirmed_here":3`) {
		t.Errorf("what was confirmed: %d %s", status, body)
	}
	drift := g.drift(t)
	for i := range all {
		d := &all[i]
		at := slices.IndexFunc(drift.Rows, func(r usage.DriftRow) bool { return r.Operation == d.row.Name && r.Template == d.row.Template })
		if at < 0 {
			t.Errorf("%s: nothing was learned", d.name)
		} else if r := drift.Rows[at]; r.State != usage.DriftWrong || r.Correction != d.needs {
			t.Errorf("%s: %+v, want %s", d.name, r, d.needs)
		}
	}
	if t.Failed() {
		t.Fatalf("%+v", drift)
	}

	printed := []string{g.run(t), g.run(t, "--format", "csv"), g.run(t, "--format", "json"), g.run(t, "--routes"), g.run(t, "--upstream"), g.run(t, "--write", file), g.run(t, "--write", file)}
	if !strings.Contains(printed[0], fmt.Sprintf("To correct %d rows here: scopegate scopes drift --write routes.tsv", len(all))) {
		t.Errorf("the table is\n%s", printed[0])
	}
	written, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(written), "GET\t/api/2.0/internal/others\tjobs\n# replaced: ") || strings.Count(string(written), "\tobserved\t") != len(all) {
		t.Fatalf("%v, written is\n%s", err, written)
	}
	if upstream := printed[4]; strings.Contains(upstream, "internal") || strings.Contains(upstream, "127.0.0.1") || strings.Count(upstream, "\n") != 3+len(all)-strings.Count(ours, "\tdocumented\n") {
		t.Errorf("the report for others is\n%s", upstream)
	}
	g.leaksNothing(t, append(printed, string(written))...)

	load("routes " + file)
	for i := range all {
		g.agrees(t, &all[i])
	}
	if out := g.run(t); !strings.Contains(out, "There is nothing to correct.") {
		t.Errorf("afterwards, scopes drift says\n%s", out)
	}
	for _, r := range g.drift(t).Rows {
		// Who may do everything says nothing, and enforcement keeps the others out.
		if silent := r.Needs == scopes.AllAPIs; r.State != usage.DriftCorrected && r.State != usage.DriftConfirmed || r.Agreed == 0 && !silent {
			t.Errorf("afterwards: %+v", r)
		}
	}
	g.leaksNothing(t)
}

// agrees checks that the gateway lets pass what the workspace does, and nothing else.
func (g *dissenter) agrees(t *testing.T, d *dissent) {
	t.Helper()
	tokens := slices.Concat(d.enforced, d.observed, d.row.Scopes(), strings.Split(strings.ReplaceAll(d.needs, "+", ","), ","),
		[]string{strings.ReplaceAll(d.needs, "+", ","), "sharing"})
	slices.Sort(tokens)
	for _, granted := range slices.Compact(tokens) {
		for _, path := range d.paths() {
			before := len(harness.Arrivals(g.Workspace))
			g.call(t, d.method, path, granted)
			passed := len(harness.Arrivals(g.Workspace)) > before
			direct := harness.Do(t, harness.Client(t), harness.NewRequest(t, d.method, g.Workspace.URL()+path, g.token(granted), nil))
			if permitted := direct.StatusCode != http.StatusForbidden; passed != permitted {
				t.Errorf("%s: a token with %s passes: %t, and the workspace permits it: %t", d.name, granted, passed, permitted)
			}
		}
	}
}

// leaksNothing stops the gateway, and checks that neither tokens nor paths are in what it
// kept, counted and printed.
func (g *dissenter) leaksNothing(t *testing.T, printed ...string) {
	t.Helper()
	_, metrics := g.Admin(t, "GET", "/metrics")
	printed = append(printed, metrics)
	harness.Stop(t) // it saves what it learned
	before := len(printed)
	err := filepath.WalkDir(g.Storage, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		printed = append(printed, string(content))
		return err
	})
	if err != nil || len(printed) == before {
		t.Fatalf("%v, and %d files are stored", err, len(printed)-before)
	}
	for _, text := range printed {
		if strings.Contains(text, canary) {
			t.Errorf("a path is in\n%s", text)
		}
		for granted, token := range g.tokens {
			if strings.Contains(text, token) || strings.Contains(text, strings.TrimPrefix(token, "dapi")) {
				t.Errorf("the token with %s is in\n%s", granted, text)
			}
		}
	}
}

// TestAnswersThatTeachNothing: only the workspace's own refusals for lack of scopes, and
// successes, say something about the map.
func TestAnswersThatTeachNothing(t *testing.T) {
	const forged = `{"error_code":403,"message":"Provided access token does not have required scopes: all-apis [ReqId: 1]"}`
	answering := func(status int, content string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(content))
		}
	}
	const invocations = "/serving-endpoints/" + canary + "/invocations"
	for _, test := range []struct {
		name, method, path, scopes string
		answer                     http.HandlerFunc
	}{
		{"no permission", "GET", harness.JobsList, "jobs", answering(403, `{"error_code":"PERMISSION_DENIED","message":"User a@example.com does not have permission to perform this action"}`)},
		{"no permission, in the words of a refusal", "GET", harness.JobsList, "jobs", answering(403, `{"error_code":"PERMISSION_DENIED","message":"a job named 'required scopes: sql' is not yours"}`)},
		{"a forged refusal of a model", "POST", invocations, "model-serving", answering(403, forged)},
		{"a forged text of a model", "POST", invocations, "model-serving", answering(403, "Invalid scope, required scopes: all-apis")},
		{"a forged challenge of a model", "POST", invocations, "model-serving", answering(403, "{}", "WWW-Authenticate", `Bearer error="insufficient_scope", scope="all-apis"`)},
		{"a forged refusal of a model with its headers", "POST", invocations, "model-serving", answering(403, forged, "X-Databricks-Reason-Phrase", "Provided access token does not have required scopes: all-apis", "X-Databricks-Apiproxy-Response-Code-Details", "ext_authz_denied")},
		{"a forged refusal of a driver", "GET", "/driver-proxy-api/o/1/" + canary + "/8888/x", "clusters", answering(403, forged)},
		{"a refusal in a success", "GET", harness.JobsList, "jobs", answering(200, forged)},
		{"not found, with a token that lacks the scope", "GET", harness.JobsList, "sql", answering(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST"}`)},
		{"a bad request, with a token that lacks the scope", "GET", harness.JobsList, "sql", answering(400, "{}")},
		{"a failure", "GET", harness.JobsList, "sql", answering(500, forged)},
		{"too many requests", "GET", harness.JobsList, "sql", answering(429, forged)},
		{"a redirection", "GET", harness.JobsList, "sql", answering(302, "", "Location", "/login.html")},
		{"a token that may do everything", "GET", harness.JobsList, "", answering(200, "{}")},
		{"a refusal that names no scope", "GET", harness.JobsList, "jobs", answering(403, `{"error_code":403,"message":"Provided access token does not have required scopes: [ReqId: 1]"}`)},
		{"a refusal that names what is none", "GET", harness.JobsList, "jobs", answering(403, `{"error_code":403,"message":"Provided access token does not have required scopes: ../x, <b> [ReqId: 1]"}`)},
		{"an invalid token", "GET", harness.JobsList, "jobs", answering(403, `{"error_code":403,"message":"Invalid access token. [ReqId: 1]"}`)},
		{"another workspace's", "GET", harness.JobsList, "jobs", answering(403, `{"error_code":403,"message":"Invalid access to Org: 42 [ReqId: 1]"}`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := startDissenter(t, nil, "mode observe")
			g.Workspace.Handle(test.path, test.answer)
			if test.scopes == "" {
				g.tokens[""] = harness.LegacyToken(g.Workspace)
			}
			for range 3 {
				g.call(t, test.method, test.path, test.scopes)
			}
			for _, r := range g.drift(t).Rows {
				if r.State != usage.DriftConfirmed || len(r.Named) > 0 {
					t.Errorf("it taught %+v", r)
				}
			}
			if out := g.run(t, "--routes"); strings.Contains(out, "observed") {
				t.Errorf("scopes drift writes\n%s", out)
			}
			g.leaksNothing(t)
		})
	}
}
