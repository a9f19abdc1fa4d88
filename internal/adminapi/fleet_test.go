package adminapi

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
)

// withFleet gives the workspace of a fake gateway a fleet with 1,000 edges.
func withFleet(g *fakeGateway, known *fakeTokens, _ *fakeUsage) {
	last := fleet.NewGeneration(uint64(now.Add(-time.Second).UnixMilli()), 7)
	known.generation = last
	g.workspaces[0].Fleet = &fakeFleet{
		status: fleet.Status{
			Workspace: "not so", Role: "authority", Generation: last,
			Store: &fleet.StoreStatus{Since: now.Add(-time.Minute), Error: "dapi0123456789abcdef0123456789abcdef"},
			Edges: []fleet.Edge{{Name: "edge-1", Authority: "a", Connected: true, Behind: true, Seen: now}},
		},
		progress: map[fleet.Generation]fleet.Progress{last: {Generation: last, Edges: 1000, Applied: 998, Seconds: .4, Stragglers: []string{"edge-1", "edge-2"}}},
	}
}

func TestFleetRoutes(t *testing.T) {
	gateway, known, seen := newFake()
	withFleet(gateway, known, seen)
	generation := known.generation
	number, _ := json.Marshal(generation)
	id := token(1).ID.String()
	for _, test := range []struct {
		name, method, target string
		change               func(*fakeGateway, *fakeTokens, *fakeUsage)
		status               int
		says, lacks          []string
	}{
		{name: "alone", target: "fleet", status: 200, says: []string{`[`, `"role": "single"`, `"workspace": "` + workspaceURL + `"`}},
		{name: "alone as table", target: "fleet?format=table", status: 200, says: []string{workspaceURL + ": this gateway is on its own."}},
		{name: "authority", target: "fleet", change: withFleet, status: 200, says: []string{`"role": "authority"`, `"generation": ` + string(number), `"workspace": "` + workspaceURL + `"`, `"name": "edge-1"`}, lacks: []string{"dapi0123", "not so"}},
		{name: "authority as table", target: "fleet?format=table", change: withFleet, status: 200, says: []string{"The store is down for 1m: ", "edge-1  behind"}, lacks: []string{"dapi0123"}},
		{name: "authority as CSV", target: "fleet?format=csv", change: withFleet, status: 200, says: []string{",edge,edge-1,behind,"}, lacks: []string{"dapi0123"}},
		{name: "another format", target: "fleet?format=xml", status: 400, says: []string{"format must be json, csv or table"}},
		{name: "several workspaces", target: "fleet", change: anotherWorkspace, status: 200, says: []string{`"workspace": "https://a.example.com"`, `"workspace": "` + workspaceURL}},
		{name: "one of several", target: "fleet?workspace=a.example.com", change: anotherWorkspace, status: 200, says: []string{`"workspace": "https://a.example.com"`}, lacks: []string{workspaceURL}},
		{name: "another workspace", target: "fleet?workspace=https://x.example.com", status: 404, says: []string{"no databricks_scopes handler for that workspace"}},
		{name: "no handler", target: "fleet", change: func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) { g.workspaces = nil }, status: 404},
		{name: "misspelled", target: "fleet?fromat=csv", status: 400, says: []string{"did you mean format?"}},
		{name: "wrong method", method: "POST", target: "fleet", status: 405, says: []string{"use GET"}},

		{name: "progress", target: "fleet/progress?generation=" + string(number), change: withFleet, status: 200, says: []string{`"generation":` + string(number), `"edges":1000,"applied":998,"seconds":0.4,"stragglers":["edge-1","edge-2"]`}},
		{name: "progress of what never was", target: "fleet/progress?generation=1", change: withFleet, status: 200, says: []string{`"edges":0,"applied":0,"seconds":0,"stragglers":[]`}},
		{name: "progress alone", target: "fleet/progress?generation=1", status: 404, says: []string{"the gateway has no fleet for this workspace"}},
		{name: "progress of nothing", target: "fleet/progress", change: withFleet, status: 400, says: []string{"generation must be the number that DELETE /databricks_scopes/tokens/{id} answers, not"}},
		{name: "progress of 0", target: "fleet/progress?generation=0", change: withFleet, status: 400},
		{name: "progress of a word", target: "fleet/progress?generation=-1", change: withFleet, status: 400},
		{name: "progress in one of several workspaces", target: "fleet/progress?generation=1", change: anotherWorkspace, status: 409, says: []string{"name one of them"}},

		{name: "purge alone", method: "DELETE", target: "tokens/" + id, status: 200, says: []string{`{"known":true}`}},
		{name: "purge", method: "DELETE", target: "tokens/" + id, change: withFleet, status: 200, says: []string{`{"known":true,"generation":` + string(number) + `,"edges":1000,"workspace":"` + workspaceURL + `"}`}},
		{name: "purge while the log is down", method: "DELETE", target: "tokens/" + id, change: func(g *fakeGateway, f *fakeTokens, u *fakeUsage) {
			withFleet(g, f, u)
			f.generation, g.workspaces[0].Fleet.(*fakeFleet).untold = 0, fleet.StoreDown
		}, status: 200, says: []string{`{"known":true,"workspace":"` + workspaceURL + `","untold":"store_down"}`}},
		{name: "purge at an edge", method: "DELETE", target: "tokens/" + id, change: func(g *fakeGateway, f *fakeTokens, u *fakeUsage) { withFleet(g, f, u); f.generation = 0 }, status: 200, says: []string{`{"known":true,"workspace":"` + workspaceURL + `"}`}},
		{name: "purge without a handler", method: "DELETE", target: "tokens/" + id, change: func(g *fakeGateway, _ *fakeTokens, _ *fakeUsage) { g.workspaces = nil }, status: 200, says: []string{`{"known":false,"untold":"no_handler"}`}},
		{name: "purge by an unknown parameter", method: "DELETE", target: "tokens/" + id + "?worksapce=x", status: 400, says: []string{"did you mean workspace?"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			gateway, known, seen := newFake()
			if test.change != nil {
				test.change(gateway, known, seen)
			}
			if test.method == "" {
				test.method = "GET"
			}
			status, body := do(t, serve(t, gateway), test.method, test.target)
			if status != test.status {
				t.Errorf("%d %.300s", status, body)
			}
			checkText(t, body, test.says, test.lacks)
		})
	}
}

// TestPurgeSeveralFleets: the answer is about the workspace that is named, or in which the
// token was known.
func TestPurgeSeveralFleets(t *testing.T) {
	for _, test := range []struct{ name, query, want string }{
		{"known", "", workspaceURL},
		{"named", "?workspace=a.example.com", "https://a.example.com"},
		{"another", "?workspace=https://x.example.com", workspaceURL},
	} {
		t.Run(test.name, func(t *testing.T) {
			gateway, known, seen := newFake()
			withFleet(gateway, known, seen)
			other := &fakeTokens{generation: 9}
			gateway.workspaces = append([]Workspace{{URL: "https://a.example.com", Tokens: other, Usage: seen, Fleet: &fakeFleet{}}}, gateway.workspaces...)
			_, body := do(t, serve(t, gateway), "DELETE", "tokens/"+token(1).ID.String()+test.query)
			if !strings.Contains(body, `"workspace":"`+test.want+`"`) {
				t.Error(body)
			}
		})
	}
}

// TestPurgeUntold: that the fleet of another workspace was told says nothing about the one in
// question.
func TestPurgeUntold(t *testing.T) {
	t.Parallel()
	const other = "https://a.example.com"
	for _, test := range []struct {
		name, query      string
		here, there      fleet.Untold // of the workspace that knows the first token, and of the other
		workspace, wants string
		token            int
	}{
		{"the named one was not told", "?workspace=a.example.com", "", fleet.StoreDown, other, `"untold":"store_down"`, 1},
		{"the one that knows the token was not told", "", fleet.StoreRefused, "", workspaceURL, `"untold":"store_refused"`, 1},
		{"another one was not told", "", "", fleet.StoreDown, workspaceURL, `"generation":`, 1},
		{"another than the named one was not told", "?workspace=a.example.com", fleet.StoreDown, "", other, `"generation":9`, 1},
		{"one of those in question was not told", "", fleet.StoreDown, "", workspaceURL, `"untold":"store_down"`, 9},
		{"the other of those in question was not told", "", "", fleet.StoreDown, other, `"untold":"store_down"`, 9},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gateway, known, seen := newFake()
			withFleet(gateway, known, seen)
			away := &fakeTokens{generation: 9}
			gateway.workspaces = append([]Workspace{{URL: other, Tokens: away, Usage: seen, Fleet: &fakeFleet{untold: test.there}}}, gateway.workspaces...)
			gateway.workspaces[1].Fleet.(*fakeFleet).untold = test.here
			if test.here != "" {
				known.generation = 0
			}
			if test.there != "" {
				away.generation = 0
			}
			_, body := do(t, serve(t, gateway), "DELETE", "tokens/"+token(test.token).ID.String()+test.query)
			if !strings.Contains(body, `"workspace":"`+test.workspace+`"`) || !strings.Contains(body, test.wants) || strings.Contains(body, "untold") != strings.Contains(test.wants, "untold") {
				t.Error(body)
			}
		})
	}
}

func TestFleetClient(t *testing.T) {
	gateway, known, seen := newFake()
	withFleet(gateway, known, seen)
	client := clientOf(t, gateway)
	all, err := client.Fleet("")
	if err != nil || len(all) != 1 || all[0].Role != "authority" || all[0].Generation != known.generation || len(all[0].Edges) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	progress, err := client.Progress(workspaceURL, known.generation)
	if err != nil || progress.Applied != 998 || progress.Generation != known.generation {
		t.Errorf("%+v, %v", progress, err)
	}
	forgotten, err := client.Forget(token(1).ID, workspaceURL)
	if want := (Forgotten{Known: true, Generation: known.generation, Edges: 1000, Workspace: workspaceURL}); err != nil || forgotten != want {
		t.Errorf("%+v, %v", forgotten, err)
	}
	if _, err := client.Fleet("x.example.com"); err == nil {
		t.Error("it knows another workspace")
	}
}
