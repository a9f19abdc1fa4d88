package adminapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

func TestRoutes(t *testing.T) {
	first, second, absent := token(1).ID.String(), token(2).ID.String(), token(3).ID.String()
	const value = "dapi0123456789abcdef0123456789abcdef"
	forgotten := func(_ *fakeGateway, f *fakeTokens, u *fakeUsage) {
		u.state.Cut = usage.Cut{Entries: 7, Calls: 9, Since: now, First: now.Add(-72 * time.Hour), Last: now.Add(-24 * time.Hour)}
	}
	for _, test := range []struct {
		name, method, target string
		change               func(*fakeGateway, *fakeTokens, *fakeUsage)
		status               int
		says, lacks          []string
	}{
		{name: "health", target: "health", status: 200, says: []string{`{"live":true,"ready":true,"stopping":false}`}},
		{name: "not ready", target: "health", change: func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) { g.ready = false }, status: 503, says: []string{`{"live":true,"ready":false,"stopping":false}`}},
		{name: "stopping", target: "health", change: func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) { g.stopping = true }, status: 503, says: []string{`{"live":true,"ready":false,"stopping":true}`}},
		{name: "wrong method", method: "POST", target: "health", status: 405, says: []string{"use GET"}},
		{name: "wrong method for a token", target: "tokens/" + first, status: 405, says: []string{"use DELETE"}},

		{name: "explain for a token", target: "explain?method=GET&path=/api/2.2/clusters/list&token_id=" + first, status: 200, says: []string{`"decision":"deny","reason":"missing_scope"`}},
		{name: "explain for scopes", target: "explain?method=get&path=/api/2.2/jobs/list&scopes=sql,jobs", status: 200, says: []string{`"decision":"allow"`, `"source":`}},
		{name: "explain for a token without scopes", target: "explain?method=GET&path=/api/2.2/jobs/list", status: 200, says: []string{`"decision":"allow"`}},
		{name: "explain for an unknown token", target: "explain?method=GET&path=/&token_id=" + absent, status: 404, says: []string{"the workspace has no token of this id"}},
		{name: "explain in an outage", target: "explain?method=GET&path=/&token_id=" + absent, change: fail, status: 503, says: []string{"the workspace is down"}},
		{name: "explain for a token value", target: "explain?method=GET&path=/&token_id=" + value, status: 400, says: []string{"reading token_id: a token id has 64 hexadecimal digits"}},
		{name: "explain for both", target: "explain?method=GET&path=/&scopes=x&token_id=" + first, status: 400, says: []string{"set token_id or scopes, not both"}},
		{name: "explain without a path", target: "explain?method=GET", status: 400, says: []string{"the path must begin with a slash"}},
		{name: "explain without a handler", target: "explain", change: func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) { g.judges = nil }, status: 404, says: []string{"no databricks_scopes handler"}},
		{name: "explain with two that judge alike", target: "explain?method=GET&path=/", change: anotherJudge("same"), status: 200},
		{name: "explain with two that judge differently", target: "explain?method=GET&path=/", change: anotherJudge("other"), status: 409, says: []string{"handlers with different rules"}},

		{name: "catalog", target: "catalog", status: 200, says: []string{"GET\t/api/2.2/jobs/list\tjobs\t"}},
		{name: "one catalog with other rules", target: "catalog", change: anotherJudge("other"), status: 200, says: []string{"GET\t/api/2.2/jobs/list\tjobs\t"}},
		{name: "catalogs that differ", target: "catalog", change: anotherCatalog, status: 409, says: []string{"handlers with different rules"}},

		{name: "the catalog below routes", target: "catalog?base=true", change: onlyOurs, status: 200, says: []string{"GET\t/api/2.2/jobs/list\tjobs\t"}, lacks: []string{"/api/2.0/ours"}},
		{name: "and with them", target: "catalog?base=false", change: onlyOurs, status: 200, says: []string{"GET\t/api/2.0/ours\tjobs\t"}},
		{name: "the catalog below routes of each workspace", target: "catalog?base=true", change: anotherWorkspace, status: 409, says: []string{"name one of them"}},
		{name: "that of another workspace", target: "catalog?base=true&workspace=nowhere.example.com", status: 404, says: []string{"no databricks_scopes handler for that workspace"}},
		{name: "a workspace without base", target: "catalog?workspace=nowhere.example.com", status: 400, says: []string{"workspace goes with base=true"}},
		{name: "base that is not true or false", target: "catalog?base=x", status: 400, says: []string{"base must be true or false"}},
		{name: "catalog with something else", target: "catalog?bass=true", status: 400, says: []string{"did you mean base?"}},

		{name: "report", target: "report", status: 200, says: []string{first, second, `"jobs.List"`, `"one@example.com"`, "the names of 1 owners are being looked up"}},
		{name: "its other name", target: "usage", status: 200, says: []string{first, second}},
		{name: "report as table", target: "report?format=table", status: 200, says: []string{first[:12], "never seen", "3 calls recorded"}},
		{name: "report as CSV", target: "report?format=csv", status: 200, says: []string{first, second}},
		{name: "report in another format", target: "report?format=xml", status: 400, says: []string{"format must be json, csv or table, not"}},
		{name: "report of unscoped tokens", target: "report?unscoped=true", status: 200, says: []string{second}, lacks: []string{first}},
		{name: "report of tokens that expire", target: "report?expiring=14d", status: 200, lacks: []string{first, second}},
		{name: "report of an owner", target: "report?owner=one@*", status: 200, says: []string{first}, lacks: []string{second}},
		{name: "filter that is not true or false", target: "report?no_expiry=perhaps", status: 400, says: []string{"no_expiry must be true or false, not"}},
		{name: "misspelled filter", target: "report?unscopd=true", status: 400, says: []string{"unknown parameter", "did you mean unscoped?"}},
		{name: "report sorted by nothing known", target: "report?sort=size", status: 400, says: []string{"cannot sort by"}},
		{name: "report of unused tokens without a time", target: "report?unused=soon", status: 400, says: []string{"unused must be a duration such as 30d or 12h, not"}},
		{name: "report of unused tokens in no time", target: "report?unused=0d", status: 400, says: []string{"unused must be a duration"}},
		{name: "report of the workspace by name", target: "report?workspace=w.example.com/", status: 200, says: []string{first}},
		{name: "report of another workspace", target: "report?workspace=https://x.example.com", status: 404, says: []string{"no databricks_scopes handler for that workspace"}},
		{name: "report of what is not a workspace", target: "report?workspace=ftp://x.example.com", status: 400, says: []string{"the scheme must be https"}},
		{name: "report of one of several workspaces", target: "report", change: anotherWorkspace, status: 409, says: []string{"name one of them: https://a.example.com, " + workspaceURL}},
		{name: "report without a handler", target: "report", change: func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) { g.workspaces = nil }, status: 404, says: []string{"no databricks_scopes handler"}},
		{name: "report without the list", target: "report", change: fail, status: 200, says: []string{first, "the workspace is down"}, lacks: []string{second}},
		{name: "report without saved usage", target: "report", change: unreadable, status: 200, says: []string{first, "saved usage could not be read: no disk"}},

		{name: "recommendation", target: "recommend?token_id=" + first, status: 200, says: []string{"recommend  jobs", "one@example.com", "comment 1", workspaceURL}},
		{name: "recommendation for programs", target: "recommend?format=json&token_id=" + first, status: 200, says: []string{`"workspace":"` + workspaceURL, `"scopes":["jobs"]`}},
		{name: "recommendation by recent use", target: "recommend?used=1d&token_id=" + first, status: 200, says: []string{"recommend  jobs"}},
		{name: "recommendation in another format", target: "recommend?format=csv&token_id=" + first, status: 400, says: []string{"format must be text or json"}},
		{name: "recommendation by what is not a time", target: "recommend?used=soon&token_id=" + first, status: 400, says: []string{"used must be a duration such as 30d or 12h, not"}},
		{name: "recommendation without a token", target: "recommend", status: 400, says: []string{"reading token_id: "}},
		{name: "recommendation for a token value", target: "recommend?token_id=" + value, status: 400, says: []string{"64 hexadecimal digits"}},
		{name: "recommendation for a token that was not seen", target: "recommend?token_id=" + second, status: 404, says: []string{"has not seen the token yet"}},
		{name: "recommendation for a token that may have been dropped", target: "recommend?token_id=" + second, change: forgotten, status: 404, says: []string{"this does not mean that the token was not used: not seen since 2026-02-28 12:00; before, all evidence about 7 tokens was dropped since 2026-03-01"}, lacks: []string{"has not seen"}},
		{name: "report on a token that may have been dropped", target: "report?format=table", change: forgotten, status: 200, says: []string{"evidence missing: not seen since 2026-02-28 12:00"}, lacks: []string{"never seen"}},
		{name: "report of unused tokens of which some may have been dropped", target: "report?unused=3d&format=table", change: forgotten, status: 200, says: []string{"1 token was left out of the unused"}, lacks: []string{second[:12]}},
		{name: "recommendation for an unknown token", target: "recommend?token_id=" + absent, status: 404, says: []string{"the workspace has no token of this id"}},
		{name: "recommendation without saved usage", target: "recommend?token_id=" + first, change: unreadable, status: 503, says: []string{"saved usage cannot be read, so there is no recommendation: no disk"}},
		{name: "recommendation by an unknown parameter", target: "recommend?tokenid=" + first, status: 400, says: []string{"did you mean token_id?"}},

		{name: "replay", target: "replay", status: 200, says: []string{`"workspace":"` + workspaceURL + `"`, first, `"handlers":1`, `"verdicts":[[{"passes":true,"needs":"jobs","reason":"permitted"}]]`, `"owner":"one@example.com"`}},
		{name: "replay in an outage", target: "replay", change: fail, status: 503, says: []string{"the workspace's tokens are not known, so there is nothing to judge: ", "the workspace is down"}},
		{name: "replay without saved usage", target: "replay", change: unreadable, status: 503, says: []string{"saved usage cannot be read, so there is nothing to judge: no disk"}},
		{name: "replay of one of several workspaces", target: "replay", change: anotherWorkspace, status: 409, says: []string{"name one of them"}},
		{name: "replay with something else", target: "replay?format=csv", status: 400, says: []string{"unknown parameter"}},

		{name: "known tokens", target: "tokens", status: 200, says: []string{`"known":2`, first, second}},
		{name: "no tokens", target: "tokens", change: func(_ *fakeGateway, f *fakeTokens, _ *fakeUsage) { f.known = nil }, status: 200, says: []string{`{"known":0,"ids":[]}`}},
		{name: "purge", method: "DELETE", target: "tokens/" + first, status: 200, says: []string{`{"known":true}`}},
		{name: "purge in one of several workspaces", method: "DELETE", target: "tokens/" + first, change: anotherWorkspace, status: 200, says: []string{`{"known":true}`}},
		{name: "purge what is not known", method: "DELETE", target: "tokens/" + absent, status: 200, says: []string{`{"known":false}`}},
		{name: "purge what is not an id", method: "DELETE", target: "tokens/" + value, status: 400, says: []string{"DELETE /databricks_scopes/tokens/{id}: a token id has 64 hexadecimal digits"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			gateway, known, seen := newFake()
			if test.change != nil {
				test.change(gateway, known, seen)
			}
			if test.method == "" {
				test.method = http.MethodGet
			}
			status, body := do(t, serve(t, gateway), test.method, test.target)
			if status != test.status {
				t.Errorf("%d %.300s", status, body)
			}
			checkText(t, body, test.says, append(test.lacks, value))
		})
	}
}

func fail(_ *fakeGateway, f *fakeTokens, _ *fakeUsage) { f.err = errors.New("the workspace is down") }

func unreadable(_ *fakeGateway, _ *fakeTokens, f *fakeUsage) { f.err = errors.New("no disk") }

func anotherJudge(key string) func(*fakeGateway, *fakeTokens, *fakeUsage) {
	return func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) {
		g.judges = append(g.judges, Judge{g.judges[0].Judge, key, workspaceURL})
	}
}

func anotherCatalog(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) {
	other := *g.judges[0].Judge
	catalog, err := scopes.Default().With([]scopes.Operation{{Method: "GET", Template: "/api/2.0/ours", AnyOf: []string{"jobs"}, Evidence: scopes.Inferred, Name: "ours.Get", Source: "a test"}})
	if err != nil {
		panic(err) // the row is a constant
	}
	other.Catalog = catalog
	g.judges = append(g.judges, Judge{&other, g.judges[0].Key, workspaceURL})
}

func onlyOurs(g *fakeGateway, known *fakeTokens, seen *fakeUsage) {
	anotherCatalog(g, known, seen)
	g.judges = g.judges[1:]
}

func anotherWorkspace(g *fakeGateway, _ *fakeTokens, seen *fakeUsage) {
	g.workspaces = append(g.workspaces, Workspace{URL: "https://a.example.com", Tokens: new(fakeTokens), Usage: seen})
}

// TestFreshness holds that explanations rest on what a request would be judged by, and
// recommendations on what the token holds now.
func TestFreshness(t *testing.T) {
	gateway, known, _ := newFake()
	server, id := serve(t, gateway), token(1).ID.String()
	do(t, server, "GET", "explain?method=GET&path=/&token_id="+id)
	if known.fresh != tokens.DefaultFreshness {
		t.Errorf("explain asks for %+v", known.fresh)
	}
	do(t, server, "GET", "recommend?token_id="+id)
	if known.fresh != (tokens.Freshness{UnknownExpiry: true}) {
		t.Errorf("recommend asks for %+v", known.fresh)
	}
}

// TestListIsBounded holds that one answer does not list all tokens of a large gateway.
func TestListIsBounded(t *testing.T) {
	gateway, known, _ := newFake()
	known.known = nil
	for n := range maxListed + 5 {
		known.known = append(known.known, token(n))
	}
	_, body := do(t, serve(t, gateway), "GET", "tokens")
	if got := strings.Count(body, `","`) + 1; got != maxListed || !strings.Contains(body, fmt.Sprintf(`"known":%d`, maxListed+5)) {
		t.Errorf("%d ids: %.100s", got, body)
	}
}

// TestReportQuery holds that the gateway understands what clients ask.
func TestReportQuery(t *testing.T) {
	full := ReportQuery{Workspace: workspaceURL, Format: "csv", Sort: "last", Unscoped: true, NoExpiry: true, Unused: "30d", Expiring: "12h", Owner: "a & b"}
	for _, query := range []ReportQuery{{}, full} {
		sent, err := url.ParseQuery(query.encode().Encode())
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseReport(sent)
		if err != nil {
			t.Fatal(err)
		}
		want := usage.Filter{Owner: query.Owner, Unscoped: query.Unscoped, NoExpiry: query.NoExpiry}
		order, contentType := usage.ByCalls, "application/json"
		if query == full {
			want.Unused, want.Expiring = 30*24*time.Hour, 12*time.Hour
			order, contentType = usage.Order("last"), "text/csv; charset=utf-8"
		}
		if got.workspace != query.Workspace || got.filter != want || got.order != order || got.format.contentType != contentType {
			t.Errorf("%+v was understood as %+v", query, got)
		}
	}
}
