package fleetreport

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/fleet"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return now.Add(-d) }

func generation(age time.Duration) fleet.Generation {
	return fleet.NewGeneration(uint64(before(age).UnixMilli()), 0)
}

// authority is a fleet with an edge in every state.
func authority() fleet.Status {
	return fleet.Status{
		Workspace: "https://w.example.com", Role: "authority", Generation: generation(3 * time.Second),
		Store: &fleet.StoreStatus{Up: true, Since: before(50 * time.Hour)},
		Members: []fleet.Member{
			{Name: "authority-0", Self: true, Version: "v1.2.3", Generation: generation(3 * time.Second), Seen: now, Edges: 3},
			{Name: "authority-1", Generation: generation(5 * time.Second), Seen: before(2 * time.Second)},
		},
		Edges: []fleet.Edge{
			{Name: "good", Authority: "authority-0", Version: "v1.2.3", Generation: generation(3 * time.Second), Connected: true, Since: before(26 * time.Hour), Seen: before(time.Second)},
			{Name: "slow", Authority: "authority-0", Generation: generation(4500 * time.Millisecond), Behind: true, Connected: true, Since: before(time.Hour), Seen: before(30 * time.Second)},
			{Name: "new", Authority: "authority-0", Behind: true, Connected: true, Since: before(time.Second)},
			{Name: "=cmd\x1b[2J\tdapi0123456789abcdef0123456789abcdef" + strings.Repeat("x", 60), Authority: "authority-1", Generation: generation(time.Hour), Behind: true, Since: before(5 * time.Minute), Seen: before(6 * time.Minute)},
		},
	}
}

const table = `https://w.example.com: this gateway is an authority. Last change 3s ago.
The store is up for 2d.
Edges: 3 connected, 2 of them behind; 1 gone.

GATEWAY                 VERSION  BEHIND  EDGES  SEEN
authority-0 (this one)  v1.2.3   -       3      0s ago
authority-1             -        2.0s    0      2s ago

EDGE                  STATE      BEHIND  FOR  SEEN     VERSION  AUTHORITY
good                  connected  -       1d   1s ago   v1.2.3   authority-0
slow                  behind     1.5s    1h   30s ago  -        authority-0
new                   behind     ?       1s   never    -        authority-0
%s  gone       59m     5m   6m ago   -        authority-1

https://x.example.com: this gateway is an edge.
The authority https://a.example.com is down for 12s: connection refused.

https://y.example.com: this gateway is on its own.
`

func report() *Report {
	return &Report{At: now, Fleets: []fleet.Status{
		authority(),
		{Workspace: "https://x.example.com", Role: "edge", Upstream: &fleet.UpstreamStatus{URL: "https://a.example.com", Since: before(12 * time.Second), Error: "connection refused"}},
		{Workspace: "https://y.example.com", Role: "single"},
	}}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := report().WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	hostile := ""
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "=cmd") {
			hostile = strings.TrimRight(line[:strings.Index(line, "  gone")], " ")
		}
	}
	if strings.ContainsAny(hostile, "\x1b\t") || strings.Contains(hostile, "dapi0123456789abcdef0123456789abcdef") || len([]rune(hostile)) > nameWidth {
		t.Errorf("what an edge calls itself is shown as %q", hostile)
	}
	if diff := cmp.Diff(strings.Replace(table, "%s", hostile, 1), out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := report().WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+1+1+2+4+2+1 {
		t.Errorf("%d lines\n%s", len(lines), out.String())
	}
	for _, want := range []string{
		"workspace,kind,name,state,generation,behind_seconds,since,seen,version,authority,edges,error",
		"https://w.example.com,store,,up,,,2026-02-27T10:00:00Z,,,,,",
		"https://x.example.com,authority,https://a.example.com,down,,,2026-03-01T11:59:48Z,,,,,connection refused",
		"https://w.example.com,edge,new,behind,,,2026-03-01T11:59:59Z,,,authority-0,,",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("it lacks %q\n%s", want, out.String())
		}
	}
	if !strings.Contains(out.String(), ",gateway,authority-1,,") || !strings.Contains(out.String(), ",gateway,authority-0,this,") || !strings.Contains(out.String(), ",2.000,") || !strings.Contains(out.String(), ",'=cmd") {
		t.Error(out.String())
	}
}

// TestJSON: it is the list of the admin API, also if there is nothing in it.
func TestJSON(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := (&Report{}).WriteJSON(&out); err != nil || strings.TrimSpace(out.String()) != "[]" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := report().WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got []fleet.Status
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report().Fleets, got); diff != "" {
		t.Error(diff)
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	r := report()
	only := r.Behind()
	names := []string{}
	only.eachEdge(func(_ *fleet.Status, e *fleet.Edge) { names = append(names, e.Name[:3]) })
	if !slices.Equal(names, []string{"slo", "new", "=cm"}) || len(only.Fleets) != 3 || only.Fleets[0].Members != nil {
		t.Errorf("%q", names)
	}
	if diff := cmp.Diff(report(), r); diff != "" {
		t.Errorf("the report itself was changed\n%s", diff)
	}
}

// TestRefused: a store that is full is up, and yet a problem.
func TestRefused(t *testing.T) {
	t.Parallel()
	const problem = "change XADD: server says: OOM command not allowed."
	full := &Report{At: now, Fleets: []fleet.Status{{
		Workspace: "https://w.example.com", Role: "shared", Store: &fleet.StoreStatus{Up: true, Since: before(time.Hour), Refused: problem},
	}}}
	if got, want := full.Down(), []string{"https://w.example.com: the store refuses operations: " + problem}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, test := range []struct {
		name  string
		write func(*Report, io.Writer) error
		want  string
	}{
		{"text", (*Report).WriteTable, "The store is up for 1h.\nIt refuses operations, so that other gateways may not hear of changes: change XADD: server says: OOM command not allowed.\n"},
		{"CSV", (*Report).WriteCSV, ",store,,refusing,,,2026-03-01T11:00:00Z,,,,," + problem + "\n"},
		{"JSON", (*Report).WriteJSON, `"refused": "` + problem + `"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := test.write(full, &out); err != nil || !strings.Contains(out.String(), test.want) {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}

// TestDisbelieved: a store with entries of another fleet says what to do.
func TestDisbelieved(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		all  []fleet.Disbelieved
		want string
	}{
		{"none", nil, "The store is up for 1h.\n"},
		{"another key", []fleet.Disbelieved{{Kind: "foreign", Count: 3, Last: before(time.Minute)}, {Kind: "future", Count: 1, Last: now}},
			"The store is up for 1h.\nIt has entries that this gateway does not believe: 3 foreign, the last 1m ago; 1 future, the last 0s ago. Foreign ones are sealed with another key: gateways of one fleet need the same key.\n"},
		{"another clock", []fleet.Disbelieved{{Kind: "future", Count: 1, Last: now}},
			"The store is up for 1h.\nIt has entries that this gateway does not believe: 1 future, the last 0s ago.\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &Report{At: now, Fleets: []fleet.Status{{Workspace: "https://w.example.com", Role: "shared", Store: &fleet.StoreStatus{Up: true, Since: before(time.Hour), Disbelieved: test.all}}}}
			var text, csv strings.Builder
			if err := r.WriteTable(&text); err != nil || text.String() != "https://w.example.com: this gateway shares facts through a store.\n"+test.want {
				t.Errorf("%v\n%s", err, text.String())
			}
			if err := r.WriteCSV(&csv); err != nil || strings.Count(csv.String(), ",disbelieved,") != len(test.all) {
				t.Errorf("%v\n%s", err, csv.String())
			}
		})
	}
}

// TestNoneBehind: nothing at all would leave open whether anything was looked at.
func TestNoneBehind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, role string
		edges      []fleet.Edge
		want       bool
	}{
		{"an authority without edges", "authority", nil, true},
		{"one whose edges are well", "authority", []fleet.Edge{{Name: "one", Connected: true}}, true},
		{"one with an edge behind", "authority", []fleet.Edge{{Name: "one", Connected: true, Behind: true}}, false},
		{"one with an edge that left", "authority", []fleet.Edge{{Name: "one"}}, false},
		{"an edge, which does not know", "edge", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := &Report{At: now, Fleets: []fleet.Status{{Role: test.role, Edges: test.edges}}}
			only := all.Behind()
			var out strings.Builder
			if err := only.WriteTable(&out); err != nil || strings.Contains(out.String(), "\nNo edge is behind.\n") != test.want {
				t.Errorf("%v\n%s", err, out.String())
			}
			out.Reset()
			if err := all.WriteTable(&out); err != nil || strings.Contains(out.String(), "No edge") {
				t.Errorf("of all: %v\n%s", err, out.String())
			}
		})
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	r := report()
	if got := r.Down(); !slices.Equal(got, []string{"https://x.example.com: the authority https://a.example.com is down: connection refused"}) {
		t.Errorf("%q", got)
	}
	r.Fleets[0].Store = &fleet.StoreStatus{Error: "timeout\n"}
	if got := r.Down(); len(got) != 2 || got[0] != `https://w.example.com: the store is down: timeout\n` {
		t.Errorf("%q", got)
	}
}

// TestLags: an edge that keeps up with the changes is no problem although it is behind
// whenever one looks.
func TestLags(t *testing.T) {
	t.Parallel()
	first := report()
	lags := first.Lags()
	if got := lags.Names(); !slices.Equal(got, []string{"new", "slow"}) {
		t.Fatalf("%q", got)
	}
	for _, test := range []struct {
		name   string
		change func(*fleet.Status)
		want   []string
	}{
		{"nothing", func(*fleet.Status) {}, []string{"new", "slow"}},
		{"one caught up", func(s *fleet.Status) { s.Edges[1].Generation, s.Edges[1].Behind = s.Generation, false }, []string{"new"}},
		{"one applied what it lacked, and lacks more", func(s *fleet.Status) { s.Edges[1].Generation, s.Generation = s.Generation, s.Generation+5 }, []string{"new"}},
		{"one applied a part", func(s *fleet.Status) { s.Edges[1].Generation++; s.Generation += 5 }, []string{"new", "slow"}},
		{"one left", func(s *fleet.Status) { s.Edges[2].Connected = false }, []string{"slow"}},
		{"all gone", func(s *fleet.Status) { s.Edges = nil }, nil},
		{"another one is behind now", func(s *fleet.Status) { s.Edges[0].Behind = true }, []string{"new", "slow"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			later := report()
			test.change(&later.Fleets[0])
			if got := lags.Still(later).Names(); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
