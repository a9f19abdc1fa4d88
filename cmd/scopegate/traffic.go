package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/config"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// rehearsal is how long the simulated clients are at work.
const rehearsal = 7 * 24 * time.Hour

// runTraffic simulates a week of rehearsal, prints what came of it, and stays up.
func runTraffic(listen string) error {
	clock := newWeek(time.Now())
	caddymodule.UseClock(clock.now)
	admin, err := demoAddress("", caddy.DefaultAdminListen)
	if err != nil {
		return err
	}
	d, err := startDemo(demoOptions{
		listen: listen,
		enforce: caddymodule.Handler{
			Mode: "observe",
			// The example of the README: whatever such a token holds, it may do no more.
			Policies: []caddymodule.Policy{{
				Name:  "analyst",
				Match: []caddymodule.Match{{Kind: "comment", Values: []string{"analyst *"}}},
				Allow: []caddymodule.Route{{Method: "GET", Path: "/api/2.1/unity-catalog/catalogs"}, {Method: "*", Path: "/api/2.0/preview/sql/queries"}},
			}},
		},
		admin:      admin,
		logging:    logLevel(zap.ErrorLevel),
		workspace:  []fakeworkspace.Option{fakeworkspace.WithClock(clock.now)},
		adminToken: true,
	})
	if err != nil {
		return err
	}
	p := newPrinter(os.Stdout)
	p.title("scopegate demo: a week's rehearsal")
	p.line("The workspace's clients work for seven days, which pass in seconds. Nothing is refused.")
	p.blank()
	staff := hire(d.workspace, clock.now())
	calls, err := d.work(clock, staff)
	if err != nil {
		return err
	}
	clock.end()
	if err := d.publish(p, admin, staff, calls); err != nil {
		return err
	}
	select {} // Caddy's signal handling ends the process
}

// publish prints the report and the recommendations, as the commands would.
func (d *demo) publish(p *printer, admin string, staff []worker, calls int) error {
	p.title("$ scopegate scopes report --address " + admin)
	if err := printAnswer(p.out, admin, "usage?format=table"); err != nil {
		return err
	}
	for _, w := range staff {
		if !w.recommend {
			continue
		}
		p.blank()
		p.title(fmt.Sprintf("$ scopegate scopes recommend --address %s %s", admin, w.token.Info.TokenId))
		if err := printAnswer(p.out, admin, "recommend?token_id="+w.token.Info.TokenId); err != nil {
			return err
		}
	}
	p.blank()
	p.line("%d calls were made. The gateway stays up, so that you can ask it yourself. As the embedded workspace's", calls)
	p.line("admin (export DATABRICKS_TOKEN=%s) you can also", d.workspace.AdminToken())
	p.line("apply a recommendation (scopegate scopes recommend --address %s <token-id> --apply)", admin)
	p.line("or revoke a token (scopegate scopes revoke --address %s --workspace %s <token-id>).", admin, d.workspace.URL())
	p.line("Press Ctrl-C to stop.")
	return nil
}

// printAnswer prints an answer of the gateway's admin API.
func printAnswer(out io.Writer, admin, route string) error {
	answer, err := caddycmd.AdminAPIRequest(admin, http.MethodGet, "/databricks_scopes/"+route, nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(out, answer.Body)
	return err
}

// week is a clock that is set from event to event, and then goes on as the
// machine's.
type week struct {
	mu   sync.Mutex
	at   time.Time
	over bool
}

func newWeek(end time.Time) *week { return &week{at: end.Add(-rehearsal)} }

func (w *week) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return time.Now()
	}
	return w.at
}

func (w *week) set(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = at
}

func (w *week) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// work lets every worker make its calls in the order of their times, with the
// Databricks SDK, and returns their number.
func (d *demo) work(clock *week, staff []worker) (calls int, err error) {
	type event struct {
		at     time.Time
		client *databricks.WorkspaceClient
		call   call
	}
	var events []event
	begin := clock.now()
	for _, w := range staff {
		client, err := databricks.NewWorkspaceClient(&databricks.Config{
			Host: d.url, Token: w.token.Value, AuthType: "pat", Loaders: []config.Loader{isolated{}},
			RateLimitPerSecond: 10_000, // a week passes in seconds
		})
		if err != nil {
			return 0, err
		}
		for _, c := range w.calls {
			for at := begin.Add(c.first); at.Before(begin.Add(rehearsal)); at = at.Add(c.every) {
				if c.when == nil || c.when(at) {
					events = append(events, event{at, client, c})
				}
			}
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for _, e := range events {
		clock.set(e.at)
		// What the workspace refuses is part of the week: an agent tries things.
		if err := e.call.do(ctx, e.client); err != nil && ctx.Err() != nil {
			return 0, fmt.Errorf("simulating a week: %w", err)
		}
	}
	return len(events), nil
}
