package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// fleetAt is a gateway whose fleet changes with time.
type fleetAt func(since time.Duration) (any, error)

func (f fleetAt) do(t *testing.T, asked *[]string) adminapi.Do {
	began := time.Now()
	return func(_, method, uri string, _ http.Header, _ io.Reader) (*http.Response, error) {
		*asked = append(*asked, method+" "+uri)
		answer, err := f(time.Since(began))
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(answer)
		if err != nil {
			t.Error(err)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body))}, nil
	}
}

// fleetOf is a fleet whose edge is behind until a time.
func fleetOf(until time.Duration) fleetAt {
	return func(since time.Duration) (any, error) {
		s := fleet.Status{Workspace: "https://w.example.com", Role: "authority", Generation: 50, Edges: []fleet.Edge{
			{Name: "edge-1", Connected: true, Generation: 50},
			{Name: "edge-2", Connected: true, Generation: 40, Behind: true},
			{Name: "edge-3", Generation: 40, Behind: true},
		}}
		if since >= until {
			s.Edges[1].Generation, s.Edges[1].Behind = 50, false
		}
		return []fleet.Status{s}, nil
	}
}

func TestFleetCommand(t *testing.T) {
	const forever = time.Hour
	down := func(time.Duration) (any, error) {
		return []fleet.Status{{Workspace: "https://w.example.com", Role: "shared", Store: &fleet.StoreStatus{Error: "refused"}}}, nil
	}
	full := func(time.Duration) (any, error) {
		return []fleet.Status{{Workspace: "https://w.example.com", Role: "shared", Store: &fleet.StoreStatus{Up: true, Refused: "OOM"}}}, nil
	}
	for _, test := range []struct {
		name, args  string
		gateway     fleetAt
		fails       bool
		says, lacks []string
		took        time.Duration // at least, and not two seconds more
	}{
		{name: "table", args: "", gateway: fleetOf(forever), says: []string{"https://w.example.com: this gateway is an authority.", "edge-1  connected", "edge-2  behind", "edge-3  gone"}},
		{name: "behind", args: "--behind", gateway: fleetOf(forever), says: []string{"edge-2  behind", "edge-3  gone"}, lacks: []string{"edge-1"}},
		{name: "JSON", args: "--format json", gateway: fleetOf(forever), says: []string{`"name": "edge-1"`, `"generation": 50`}},
		{name: "JSON of those behind", args: "--format json --behind", gateway: fleetOf(forever), says: []string{`"name": "edge-2"`}, lacks: []string{"edge-1"}},
		{name: "CSV", args: "--format csv", gateway: fleetOf(forever), says: []string{",edge,edge-1,connected,50,"}},
		{name: "check of what is well", args: "--check", gateway: fleetOf(0), says: []string{"edge-1"}},
		{name: "check of what catches up", args: "--check", gateway: fleetOf(4 * time.Second), says: []string{"edge-2  behind"}, took: 4 * time.Second},
		{name: "check of what does not", args: "--check", gateway: fleetOf(forever), fails: true, says: []string{"1 edge has been behind for more than 10s: edge-2"}, lacks: []string{"10s: edge-3"}, took: 10 * time.Second},
		{name: "check of a store that is down", args: "--check", gateway: down, fails: true, says: []string{"https://w.example.com: the store is down: refused"}},
		{name: "check of a store that is full", args: "--check", gateway: full, fails: true, says: []string{"https://w.example.com: the store refuses operations: OOM"}},
		{name: "no check of it", args: "", gateway: down, says: []string{"The store is down: refused"}},
		{name: "another format", args: "--format xml", gateway: fleetOf(0), fails: true, says: []string{`--format must be table, json or csv, not "xml"`}},
		{name: "no gateway", args: "--check", gateway: func(time.Duration) (any, error) { return nil, errors.New("connection refused") }, fails: true, says: []string{"name its admin API with --address"}},
		{name: "a gateway that ends", args: "--check", gateway: func(since time.Duration) (any, error) {
			if since > 0 {
				return nil, errors.New("connection refused")
			}
			return fleetOf(forever)(since)
		}, fails: true, says: []string{"connection refused"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), []string(nil)
				out, err := run(t, test.gateway.do(t, &asked), "", append([]string{"fleet", "--workspace", "w.example.com"}, strings.Fields(test.args)...)...)
				if (err != nil) != test.fails {
					t.Errorf("%v", err)
				}
				for _, part := range test.says {
					if !strings.Contains(out, part) {
						t.Errorf("it lacks %q:\n%s", part, out)
					}
				}
				for _, part := range test.lacks {
					if strings.Contains(out, part) {
						t.Errorf("it says %q:\n%s", part, out)
					}
				}
				if took := time.Since(began); took < test.took || took > test.took+2*time.Second {
					t.Errorf("it took %s, want %s", took, test.took)
				}
				for _, request := range asked {
					if request != "GET /databricks_scopes/fleet?workspace=w.example.com" {
						t.Errorf("asked %s", request)
					}
				}
			})
		})
	}
}

// TestFleetTrustsNoGateway: names of edges are chosen by others, and shown harmlessly.
func TestFleetTrustsNoGateway(t *testing.T) {
	hostile := []fleet.Status{{Workspace: "https://w\x1b[2J", Role: "x\x1b[2J", Edges: []fleet.Edge{{Name: "\x1b]0;x\x07dapi0123456789abcdef0123456789abcdef", Version: "a\nEDGE", Authority: "\u202e"}}}}
	for _, format := range []string{"table", "csv", "json"} {
		out, err := run(t, answering(hostile), "", "fleet", "--format", format)
		if err != nil || strings.ContainsAny(out, "\x1b\x07\u202e") || strings.Contains(out, "dapi0123456789") || strings.Contains(out, "\nEDGE\n") {
			t.Errorf("%s: %v\n%q", format, err, out)
		}
	}
}

// TestProgress: a command waits for edges, and not too long.
func TestProgress(t *testing.T) {
	progress := func(edges, applied int, stragglers ...string) fleet.Progress {
		return fleet.Progress{Generation: 7, Edges: edges, Applied: applied, Stragglers: stragglers}
	}
	for _, test := range []struct {
		name    string
		gateway fleetAt
		took    time.Duration
		applied int
		fails   bool
	}{
		{"at once", func(time.Duration) (any, error) { return progress(3, 3), nil }, 0, 3, false},
		{"after a while", func(since time.Duration) (any, error) {
			if since < 2*time.Second {
				return progress(3, 1), nil
			}
			return progress(3, 3), nil
		}, 2 * time.Second, 3, false},
		{"never", func(time.Duration) (any, error) { return progress(3, 1), nil }, 4 * time.Second, 1, false},
		{"the last ones leave", func(since time.Duration) (any, error) {
			if since < time.Second {
				return progress(3, 1), nil
			}
			return progress(1, 1), nil
		}, time.Second, 1, false},
		{"the gateway ends", func(since time.Duration) (any, error) {
			if since < time.Second {
				return progress(3, 1), nil
			}
			return nil, errors.New("connection refused")
		}, time.Second, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), []string(nil)
				after := told{adminapi.Client{Do: test.gateway.do(t, &asked)}, adminapi.Forgotten{Generation: 7, Edges: 3, Workspace: "https://w"}}
				got, err := after.progress(t.Context())
				if (err != nil) != test.fails || got.Applied != test.applied {
					t.Errorf("%+v, %v", got, err)
				}
				if took := time.Since(began); took < test.took || took > test.took+time.Second || took > edgesPatience {
					t.Errorf("it took %s, want %s", took, test.took)
				}
				if asked[0] != "GET /databricks_scopes/fleet/progress?generation=7&workspace=https%3A%2F%2Fw" || len(asked) > 20 {
					t.Errorf("asked %q", asked)
				}
			})
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began, asked := time.Now(), []string(nil)
			after := told{adminapi.Client{Do: fleetAt(func(time.Duration) (any, error) { return progress(3, 1), nil }).do(t, &asked)}, adminapi.Forgotten{Generation: 7, Edges: 3}}
			if _, err := after.progress(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
		})
	})
}

func TestAcknowledged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want string
		p    fleet.Progress
	}{
		{"acknowledged by 1,000 of 1,000 edges in 0.4 s", fleet.Progress{Edges: 1000, Applied: 1000, Seconds: .41}},
		{"acknowledged by 1 of 1 edge in less than 0.1 s", fleet.Progress{Edges: 1, Applied: 1, Seconds: .01}},
		{"acknowledged by 998 of 1,000 edges in 5.0 s; not yet: a, b", fleet.Progress{Edges: 1000, Applied: 998, Seconds: 5, Stragglers: []string{"a", "b"}}},
		{"acknowledged by 992 of 1,000 edges in 5.0 s; not yet: a, b, c, d, e, … and 3 more", fleet.Progress{Edges: 1000, Applied: 992, Seconds: 5, Stragglers: strings.Split("abcdefgh", "")}},
		{"acknowledged by 0 of 2,000 edges in 5.0 s; not yet: a, … and 1,999 more", fleet.Progress{Edges: 2000, Seconds: 5, Stragglers: []string{"a"}}},
		{"acknowledged by 0 of 3 edges in 5.0 s; not yet: 3 edges", fleet.Progress{Edges: 3, Seconds: 5}},
		{"acknowledged by 2 of 3 edges in 5.0 s; not yet: a", fleet.Progress{Edges: 3, Applied: 2, Seconds: 5, Stragglers: []string{"a", "b"}}},
		{"acknowledged by 0 of 1 edge in less than 0.1 s; not yet: " + strings.Repeat("x", 47) + "…", fleet.Progress{Edges: 1, Applied: -5, Stragglers: []string{strings.Repeat("x", 500)}}},
	} {
		if got := acknowledged(&test.p); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// TestRevokeTellsEdges: what is revoked is revoked, whatever becomes of the edges.
func TestRevokeTellsEdges(t *testing.T) {
	workspace := startWorkspace(t)
	for _, test := range []struct {
		name      string
		forgotten adminapi.Forgotten
		progress  fleet.Progress
		fails     bool
		says      string
		silent    bool
	}{
		{name: "all", forgotten: adminapi.Forgotten{Generation: 9, Edges: 3}, progress: fleet.Progress{Edges: 3, Applied: 3, Seconds: .4}, says: "The token is revoked.\nThe change was acknowledged by 3 of 3 edges in 0.4 s.\n"},
		{name: "no edges", forgotten: adminapi.Forgotten{Generation: 9}, silent: true},
		{name: "no fleet", forgotten: adminapi.Forgotten{Known: true}, silent: true},
		{name: "Redis is down", forgotten: adminapi.Forgotten{Known: true, Untold: fleet.StoreDown}, silent: true, says: "note: Redis is down: this gateway and its own edges apply the change now; other gateways apply it when Redis is back, or after their ttl. If it is urgent, run the command once more with --address of each.\n"},
		{name: "Redis refuses", forgotten: adminapi.Forgotten{Untold: fleet.StoreRefused}, silent: true, says: "note: Redis has not taken the change yet: "},
		{name: "an edge alone", forgotten: adminapi.Forgotten{Untold: fleet.UpstreamDown}, silent: true, says: "note: this edge reaches no authority: "},
		{name: "shutting down", forgotten: adminapi.Forgotten{Untold: fleet.ShuttingDown}, silent: true, says: "note: the gateway is shutting down, and has told no other one: "},
		{name: "a later version", forgotten: adminapi.Forgotten{Untold: "new"}, silent: true, says: "note: the gateway could not tell the others: "},
		{name: "no handler", forgotten: adminapi.Forgotten{Untold: fleet.NoHandler}, silent: true, says: "note: no gateway was notified (the gateway has no databricks_scopes handler, or is shutting down); gateways notice"},
		{name: "the edges left", forgotten: adminapi.Forgotten{Generation: 9, Edges: 3}},
		{name: "unknown", forgotten: adminapi.Forgotten{Generation: 9, Edges: 3}, fails: true, says: "note: the change was made, but how many edges have applied it is not known: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "o@example.com"})
			test.forgotten.Workspace = workspace.URL()
			polled := false
			out, err := run(t, func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
				if method == http.MethodDelete {
					if want := "/databricks_scopes/tokens/" + token.Info.TokenId + "?workspace=" + url.QueryEscape(workspace.URL()); uri != want {
						t.Errorf("asked %s", uri)
					}
					return answering(test.forgotten)(address, method, uri, header, body)
				}
				polled = true
				if test.fails {
					return unreachable(address, method, uri, header, body)
				}
				return answering(test.progress)(address, method, uri, header, body)
			}, "", "revoke", token.Info.TokenId, "--workspace", workspace.URL(), "--yes")
			if err != nil || !strings.Contains(out, "The token is revoked.\n") || !strings.Contains(out, test.says) || test.says == "" && !strings.HasSuffix(out, "revoked.\n") {
				t.Errorf("%v\n%s", err, out)
			}
			if polled == test.silent {
				t.Errorf("asked for progress: %t", polled)
			}
		})
	}
}
