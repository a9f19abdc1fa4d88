package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/config"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/gatewaycmd"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// runTraffic simulates a week in mode observe, prints the results, and keeps running.
func runTraffic(p *printer, listen, admin string) error {
	if admin == gatewaycmd.Off {
		return errors.New("--traffic needs the admin API for its reports; omit --admin off")
	}
	clock := newClock(time.Now().Add(-week))
	caddymodule.UseClock(clock.now)
	d, err := start(options{
		listen: listen,
		admin:  cmp.Or(admin, gatewaycmd.Socket),
		enforce: caddymodule.Handler{Rules: caddymodule.Rules{
			Mode: "observe",
			// The README's example: only two APIs, whatever scopes the token has.
			Policies: []caddymodule.Policy{{
				Name:  "analyst",
				Match: []caddymodule.Match{{Kind: "comment", Values: []string{"analyst *"}}},
				Allow: []caddymodule.Route{{Method: "GET", Path: "/api/2.1/unity-catalog/catalogs"}, {Method: "*", Path: "/api/2.0/preview/sql/queries"}},
			}},
		}},
		logging:    gatewaycmd.LogLevel(zap.ErrorLevel),
		workspace:  []fakeworkspace.Option{fakeworkspace.WithClock(clock.now)},
		adminToken: true,
	})
	if err != nil {
		return err
	}
	p.title("scopegate demo: a week in mode observe")
	p.line("Simulating seven days of traffic. This takes a few seconds. Nothing is refused.")
	p.blank()
	clients := mintClients(d.workspace, clock.now())
	calls, err := d.simulate(clock, clients)
	if err != nil {
		return err
	}
	clock.resume()
	if err := d.awaitRecorded(calls); err != nil {
		return err
	}
	if err := d.publish(p, clients, calls); err != nil {
		return err
	}
	select {} // Caddy's signal handling ends the process
}

// simulate makes the clients' calls in order of time, with the Databricks SDK, and
// returns the number of requests.
func (d *demo) simulate(clock *clock, clients []client) (requests int, err error) {
	type event struct {
		at   time.Time
		sdk  *databricks.WorkspaceClient
		call call
	}
	counter := &countingTransport{next: http.DefaultTransport}
	var events []event
	begin := clock.now()
	for _, c := range clients {
		sdk, err := databricks.NewWorkspaceClient(&databricks.Config{
			Host: d.url, Token: c.token.Value, AuthType: "pat", Loaders: []config.Loader{isolated{}},
			RateLimitPerSecond: 10_000, // a week takes seconds
			HTTPTransport:      counter,
		})
		if err != nil {
			return 0, err
		}
		for _, call := range c.calls {
			for at := begin.Add(call.first); at.Before(begin.Add(week)); at = at.Add(call.every) {
				if call.when == nil || call.when(at) {
					events = append(events, event{at, sdk, call})
				}
			}
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for _, e := range events {
		clock.set(e.at)
		// Refusals by the workspace are part of the simulation: an agent tries many calls.
		if err := e.call.do(ctx, e.sdk); err != nil && ctx.Err() != nil {
			return 0, fmt.Errorf("simulating a week: %w", err)
		}
	}
	return counter.requests, nil
}

// countingTransport counts the requests that carry a token, as the gateway's report does.
// One SDK call can make several requests, and the SDK's discovery needs no token. It is
// not safe for concurrent use.
type countingTransport struct {
	next     http.RoundTripper
	requests int
}

func (t *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" {
		t.requests++
	}
	return t.next.RoundTrip(r)
}

// awaitRecorded waits until the gateway has recorded all requests: it records a request
// just after the client gets the response.
func (d *demo) awaitRecorded(requests int) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var report struct {
			Calls int `json:"calls"`
		}
		if err := d.ask("usage?format=json", func(body io.Reader) error { return json.NewDecoder(body).Decode(&report) }); err != nil {
			return err
		}
		switch {
		case report.Calls == requests:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the gateway recorded %d of %d requests", report.Calls, requests)
		}
	}
}

// publish prints the report and the recommendations as the commands would, and more
// commands to try.
func (d *demo) publish(p *printer, clients []client, requests int) error {
	show := func(body io.Reader) error {
		_, err := io.Copy(p.out, body)
		return err
	}
	p.title("$ scopegate scopes report --address " + d.admin)
	if err := d.ask("usage?format=table", show); err != nil {
		return err
	}
	for _, c := range clients {
		if !c.recommend {
			continue
		}
		p.blank()
		p.title(fmt.Sprintf("$ scopegate scopes recommend --address %s %s", d.admin, c.token.Info.TokenId))
		if err := d.ask("recommend?token_id="+c.token.Info.TokenId, show); err != nil {
			return err
		}
	}
	p.blank()
	p.line("These tokens made %d calls:", requests)
	p.blank()
	rows := [][]cell{}
	for _, c := range clients {
		rows = append(rows, []cell{{text: c.token.Info.Comment}, {text: c.token.Value, style: bold}})
	}
	p.table(nil, rows)
	p.blank()
	p.line("The console shows these tokens, and decisions as they happen: %s", d.console)
	p.blank()
	p.line("The gateway keeps running. Make more calls, then get the report again:")
	p.blank()
	p.line("%s", curl(clients[0].token.Value, d.url+"/api/2.1/unity-catalog/catalogs"))
	p.line("scopegate scopes report --address %s", d.admin)
	p.blank()
	p.line("Apply a recommendation or revoke a token, as the fake workspace's admin:")
	p.blank()
	p.line("export DATABRICKS_TOKEN=%s", d.workspace.AdminToken())
	p.line("scopegate scopes recommend --address %s <token-id> --apply", d.admin)
	p.line("scopegate scopes revoke --address %s --workspace %s <token-id>", d.admin, d.workspace.URL())
	p.blank()
	p.line("To install the command scopegate: go install ./cmd/scopegate")
	p.line("Press Ctrl-C to stop.")
	return nil
}

// ask reads a response of the gateway's admin API.
func (d *demo) ask(route string, read func(io.Reader) error) error {
	answer, err := caddycmd.AdminAPIRequest(d.admin, http.MethodGet, "/databricks_scopes/"+route, nil, nil)
	if err != nil {
		return err
	}
	return cmp.Or(read(answer.Body), answer.Body.Close())
}
