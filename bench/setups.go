package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// Names of the targets.
const (
	direct       = "direct"
	stockProxy   = "caddy"
	stockTuned   = "caddy-tuned"
	stockAuth    = "caddy-forward-auth"
	nginxProxy   = "nginx"
	nginxAuth    = "nginx-auth-request"
	shipped      = "gateway"
	shippedLog   = "gateway-log"
	shippedQuiet = "gateway-no-audit"

	plain     = "plain"
	plainTwin = "plain-twin"
	enforce   = "enforce"
	withLines = "enforce-audit"
	withOTLP  = "enforce-audit-otlp"
	withDead  = "enforce-audit-otlp-dead"
	withLog   = "enforce-log" // through Caddy's log, line by line

	against = "against" // the gateway with another build or other settings

	secure    = "tls"
	secureOne = "tls-http1"
)

// group is a set of targets that are driven in turn. Its processes are started for it
// and stopped after it.
type group struct {
	name      string
	processes int // how many times everything is restarted
	rounds    int // per restart
	start     func(ctx context.Context, l *lab, dir string) (running, error)
}

// running is a started group.
type running struct {
	targets   []*target
	processes []*process
	skipped   []string
	closers   []func() error
	calls     []call // nil for the calls that all groups use
}

func (r *running) stop() {
	for _, t := range r.targets {
		t.disconnect()
	}
	for _, closer := range r.closers {
		_ = closer() // of a client
	}
	for _, p := range r.processes {
		p.stop()
	}
}

// add adds the results of a start function.
func (r *running) add(p *process, targets []*target, err error) error {
	if err != nil {
		return err
	}
	r.processes = append(r.processes, p)
	r.targets = append(r.targets, targets...)
	return nil
}

func one(p *process, t *target, err error) (*process, []*target, error) {
	return p, []*target{t}, err
}

// Options of the block audit. The first is Caddyfile.example's.
const (
	auditOutput = "output stdout"
	auditLog    = "log on"
	auditOff    = "log off"
)

// sites are the sites of one gateway, by name.
var sites = map[string]site{
	plain:        {plain: true},
	plainTwin:    {plain: true},
	enforce:      {Audit: auditOff},
	withLines:    {Audit: auditOutput},
	withOTLP:     {Audit: auditOutput},
	withDead:     {Audit: auditOutput},
	withLog:      {Audit: auditLog},
	shipped:      {Audit: auditOutput},
	shippedLog:   {Audit: auditLog},
	shippedQuiet: {Audit: auditOff},
	against:      {Audit: auditOutput},
	secure:       {Audit: auditOutput},
	secureOne:    {Audit: auditOutput, versions: []string{"1.1"}},
}

// handlerGroup compares sites of one gateway: what the handler and its audit cost. Two
// identical sites show the error.
func handlerGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	return r, r.add(l.gateway(ctx, dir, "gateway", l.asShipped(), plain, plainTwin, enforce, withLines, withLog))
}

// otlpGroup compares a site of a gateway that exports spans with one of a gateway that
// does not. Exporting is a setting of the process, so this needs two.
func otlpGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	return r, l.exporting(ctx, &r, dir, l.receiver.Address, withOTLP)
}

// deadGroup is otlpGroup without a receiver for the spans.
func deadGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	if !l.stillDead() {
		return r, fmt.Errorf("%s must stay free, but another program listens there", l.dead)
	}
	return r, l.exporting(ctx, &r, dir, l.dead, withDead)
}

func (l *lab) exporting(ctx context.Context, r *running, dir, to, name string) error {
	return errors.Join(
		r.add(l.gateway(ctx, dir, "gateway", l.asShipped(), withLines)),
		r.add(l.gateway(ctx, dir, "exporting", l.asShipped(otlpTo(to)...), plain, name)),
	)
}

func otlpTo(address string) []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + address,
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_TRACES_EXPORTER=otlp",
		"OTEL_METRICS_EXPORTER=none",
		"OTEL_LOGS_EXPORTER=none",
	}
}

// setupsGroup compares whole processes: the gateway as shipped, and the alternatives.
func setupsGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	r.targets = []*target{newTarget(direct, l.upstream.Address, l.upstream.pid())}
	err = errors.Join(
		r.add(one(l.stock(ctx, dir, stockProxy, false, false))),
		r.add(one(l.stock(ctx, dir, stockTuned, true, false))),
		r.add(one(l.stock(ctx, dir, stockAuth, true, true))),
		r.add(l.gateway(ctx, dir, shipped, l.asShipped(), shipped)),
		r.add(l.gateway(ctx, dir, shippedLog, l.asShipped(), shippedLog)),
		r.add(l.gateway(ctx, dir, shippedQuiet, l.asShipped(), shippedQuiet)),
	)
	return r, errors.Join(err, l.addNginx(ctx, &r, dir,
		nginxServer{Name: nginxProxy}, nginxServer{Name: nginxAuth, Asks: l.authorizer.Address, AskPath: "/auth"},
	))
}

// againstGroup compares the gateway with another build or with other settings.
func againstGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	return r, errors.Join(
		r.add(l.gateway(ctx, dir, shipped, l.asShipped(), shipped)),
		r.add(l.gateway(ctx, dir, against, l.against, against)),
	)
}

// secureGroup compares HTTP/2 to a workspace with TLS, which is what databricks_gateway
// uses, with HTTP/1.1. It has a separate workspace and separate tokens.
func secureGroup(ctx context.Context, l *lab, dir string) (r running, err error) {
	upstream, v, err := l.secureWorkspace(&r, dir)
	if err != nil {
		return r, err
	}
	r.calls, _ = corpus(upstream.Tokens)
	return r, r.add(l.gateway(ctx, dir, "gateway", v, secure, secureOne))
}

// refuses makes sure that the targets do what they are measured for.
func (r *running) refuses(tokens []string) error {
	if r.calls != nil { // it has tokens of its own
		return nil
	}
	for _, t := range r.targets {
		s := t.sender([]call{forbidden(tokens)})
		err := s.send(0)
		s.release()
		var refused refusal
		switch denied := errors.As(err, &refused) && refused.status == http.StatusForbidden; {
		case t.enforces && err == nil:
			return fmt.Errorf("%s permits what a token's scopes do not", t.name)
		case t.enforces && !denied:
			return fmt.Errorf("%s does not refuse what a token's scopes do not permit, but: %w", t.name, err)
		case !t.enforces && err != nil:
			return fmt.Errorf("%s refuses something, which voids the run: %w", t.name, err)
		}
	}
	return nil
}

// measurement is the result of one start of a group.
type measurement struct {
	group   string
	names   []string // targets; slices refer to them by index
	slices  []slice
	peaks   map[string]int64 // peak memory in bytes, by target
	others  float64          // share of the machine that other programs used
	skipped []string
}

// measure starts a group, drives it and stops it.
func (l *lab) measure(ctx context.Context, g group, d *driver, rng randomizer) (m measurement, err error) {
	dir, err := os.MkdirTemp(l.dir, g.name+"-")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(dir)
	r, err := g.start(ctx, l, dir)
	defer r.stop()
	if err != nil {
		return m, fmt.Errorf("starting the setups: %w", err)
	}
	if len(r.targets) == 0 { // all are skipped
		return measurement{group: g.name, skipped: r.skipped}, nil
	}
	if r.calls != nil {
		d = &driver{calls: r.calls}
	}
	if err := d.warmUp(ctx, r.targets); err != nil {
		return m, err
	}
	if err := r.refuses(l.upstream.Tokens); err != nil {
		return m, err
	}
	before := l.clock(r)
	m = measurement{group: g.name, skipped: r.skipped, peaks: make(map[string]int64)}
	m.slices, err = d.drive(ctx, r.targets, schedule(len(r.targets), g.rounds, rng))
	if err != nil {
		return m, err
	}
	m.others = l.clock(r).others(before)
	for _, t := range r.targets {
		m.names = append(m.names, t.name)
		for _, pid := range t.pids {
			m.peaks[t.name] += memory(pid, "VmHWM")
		}
	}
	return m, nil
}
