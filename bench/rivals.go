package main

import (
	"context"
	"errors"
)

// Names of rivals.
const (
	heimdall = "heimdall"
	// nginxGuard is nginx proxying, and asking the gateway by auth_request.
	nginxGuard = "nginx-gateway"
)

// rivals do the same work: they look up a token by an API call, remember the answer, require
// a scope and proxy. nginx and stock Caddy only proxy: they are the floors.
var rivals = []struct {
	name  string
	start func(ctx context.Context, l *lab, r *running, dir string) error
}{
	{nginxProxy, func(ctx context.Context, l *lab, r *running, dir string) error {
		return l.addNginx(ctx, r, dir, nginxServer{Name: nginxProxy})
	}},
	{stockProxy, func(ctx context.Context, l *lab, r *running, dir string) error {
		return r.add(one(l.stock(ctx, dir, stockProxy, false, false)))
	}},
	{shipped, gatewayRival(shipped)},
	{shippedQuiet, gatewayRival(shippedQuiet)},
	{nginxGuard, guardRival},
	{heimdall, func(ctx context.Context, l *lab, r *running, dir string) error { return l.addHeimdall(ctx, r, dir) }},
}

func gatewayRival(name string) func(context.Context, *lab, *running, string) error {
	return func(ctx context.Context, l *lab, r *running, dir string) error {
		return r.add(l.gateway(ctx, dir, name, l.asShipped(), name))
	}
}

// guardRival starts nginx and the gateway that it asks.
func guardRival(ctx context.Context, l *lab, r *running, dir string) error {
	if l.nginx == "" {
		r.skipped = append(r.skipped, nginxGuard)
		return nil
	}
	d, err := l.decider(ctx, dir)
	if err != nil {
		return err
	}
	r.processes = append(r.processes, d.process)
	if err := l.learn(ctx, d); err != nil {
		return err
	}
	return l.addNginx(ctx, r, dir, nginxServer{Name: nginxGuard, Asks: d.decide, AskPath: decidePath, pids: []int{d.pid()}, enforces: true})
}

// rivalsGroup starts all rivals.
func rivalsGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	for _, rival := range rivals {
		err = errors.Join(err, rival.start(ctx, l, &r, dir))
	}
	return r, err
}
