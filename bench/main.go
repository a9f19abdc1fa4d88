// Command bench measures what the gateway costs and compares it with alternatives. See
// README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 2 && slices.Contains(parts, os.Args[1]) {
		exitOn(runPart(os.Args[1]))
		return
	}
	options := readOptions()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if options.only == onlyFleet {
		exitOn(measureFleet(ctx, options))
		return
	}
	exitOn(run(ctx, options))
}

// onlyFleet is the group that is measured by itself: it has other processes and results.
const onlyFleet = "fleet"

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command-line flags.
type options struct {
	scale float64
	smoke bool
	out   string
	only  string
	pgo   string
	edges int

	heimdall string

	profileSites string

	against, againstEnv, againstLog string
}

func readOptions() options {
	var o options
	flag.Float64Var(&o.scale, "scale", 1, "multiply the number of fresh processes; 2 takes twice as long and narrows the intervals by a third")
	flag.BoolVar(&o.smoke, "smoke", false, "run for a few seconds to check that everything works; the numbers mean nothing")
	flag.StringVar(&o.out, "out", "out", "folder for results.txt, results.json, results.svg and the profiles")
	flag.StringVar(&o.only, "only", "", "measure only these groups (comma-separated): handler, otlp, dead, setups, rivals, decision, cost, latency, connections, program, profile, or one of against, tls and fleet, which are off by default; fleet stands alone")
	flag.IntVar(&o.edges, "edges", 1000, "group fleet: how many edges")
	flag.StringVar(&o.pgo, "pgo", "", "record a profile for profile-guided optimization, write it to this file, and measure nothing")
	flag.StringVar(&o.profileSites, "profile-sites", shipped, "sites to profile, each compared with the first (comma-separated): "+strings.Join(slices.Sorted(maps.Keys(sites)), ", "))
	flag.StringVar(&o.heimdall, "heimdall", os.Getenv("SCOPEGATE_BENCH_HEIMDALL"), "path of Heimdall, see heimdall/README.md (default $SCOPEGATE_BENCH_HEIMDALL; skipped without)")
	flag.StringVar(&o.against, "against", "", "group against: path of another build of the gateway (default the same build)")
	flag.StringVar(&o.againstEnv, "against-env", "", "group against: environment variables of the other gateway, such as GOGC=100 (comma-separated)")
	flag.StringVar(&o.againstLog, "against-log", "exclude", "group against: how the other gateway's default log handles the proxy's lines: exclude, filter, or lazy for old builds that have that encoder")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench: takes flags only; see -h")
		os.Exit(2)
	}
	if o.edges < 2 {
		fmt.Fprintln(os.Stderr, "bench: -edges must be 2 or more")
		os.Exit(2)
	}
	return o
}

func (o options) wants(group string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), group)
}

// groups returns the groups to measure, with their processes and rounds. At scale 1 the
// whole run takes about twelve minutes on two cores. Groups with small differences get most.
func (o options) groups() (wanted []group) {
	for _, g := range []group{
		{"handler", 14, 5, handlerGroup},
		{"otlp", 10, 4, otlpGroup},
		{"dead", 10, 4, deadGroup},
		{"setups", 7, 5, setupsGroup},
		{"rivals", 4, 4, rivalsGroup},
		{"decision", 10, 5, decisionGroup},
		{"cost", 4, 4, costGroup},
		{"against", 10, 10, againstGroup},
		{"tls", 8, 8, secureGroup},
	} {
		onDemand := g.name == "against" || g.name == "tls"
		if !o.wants(g.name) || onDemand && o.only == "" {
			continue
		}
		g.processes = max(1, int(float64(g.processes)*o.scale+0.5))
		if o.smoke {
			g.processes, g.rounds = 1, 1
		}
		wanted = append(wanted, g)
	}
	return wanted
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "scopegate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers run as another user
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	l := &lab{dir: dir, profileSites: strings.Split(o.profileSites, ",")}
	for _, name := range l.profileSites {
		if _, ok := sites[name]; !ok {
			return fmt.Errorf("unknown site %q", name)
		}
	}
	defer l.stop()
	if l.heimdall, err = programAt(o.heimdall); err != nil {
		return fmt.Errorf("looking for Heimdall: %w", err)
	}
	if err := l.build(ctx, say); err != nil {
		return err
	}
	began := time.Now()
	if err := l.start(); err != nil {
		return err
	}
	l.against = l.asShipped(strings.FieldsFunc(o.againstEnv, func(c rune) bool { return c == ',' })...)
	l.against.log = o.againstLog
	if o.against != "" {
		if l.against.program, err = filepath.Abs(o.against); err != nil {
			return err
		}
	}
	calls, distinct := corpus(l.upstream.Tokens)
	say("%d tokens, %d paths, %d connections, slices of %s", len(l.upstream.Tokens), distinct, connections, sliceTime)
	d := &driver{calls: calls}
	if o.pgo != "" {
		return l.recordPGO(ctx, d, o.pgo)
	}
	measured, err := l.measureAll(ctx, o.groups(), d)
	if err != nil {
		return err
	}
	r := evaluate(measured, rand.New(rand.NewPCG(1, 2)))
	failed := l.measureMore(ctx, o, d, &r)
	r.Made, r.Took = began.UTC().Truncate(time.Second), time.Since(began).Round(time.Second).String()
	return errors.Join(failed, r.write(o.out)) // what was measured before a failure took minutes
}

// programAt returns the absolute path of a program, or nothing for none.
func programAt(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// measureMore measures what is not the ratio of targets.
func (l *lab) measureMore(ctx context.Context, o options, d *driver, r *results) (err error) {
	if o.wants("latency") {
		if r.Latency, err = l.latency(ctx, o.scale, o.smoke); err != nil {
			return err
		}
	}
	if o.wants("connections") {
		skipped := []string(nil)
		if r.Connections, skipped, err = l.connections(ctx, d, o.smoke); err != nil {
			return err
		}
		r.skip(skipped)
	}
	if o.wants("program") {
		if r.Program, err = l.program(ctx, o.smoke); err != nil {
			return err
		}
	}
	if o.wants("profile") {
		took := profileTime
		if o.smoke {
			took = time.Second
		}
		if r.OwnShare, err = l.profile(ctx, d, took, o.out); err != nil {
			return err
		}
		if r.OwnShare > 0 {
			r.Goals = append(r.Goals, judgeCeiling(ownShareName, ownShareGoal, "%", exactly(r.OwnShare)))
		}
	}
	return nil
}

// measureAll interleaves the groups, so that a slow minute of the machine affects each of
// them a little and none of them alone.
func (l *lab) measureAll(ctx context.Context, groups []group, d *driver) (measured []measurement, err error) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	most := 0
	for _, g := range groups {
		most = max(most, g.processes)
	}
	for i := range most {
		for _, g := range groups {
			// Spread groups with fewer processes evenly.
			if i*g.processes/most == (i+1)*g.processes/most {
				continue
			}
			m, err := l.measure(ctx, g, d, rng)
			if err != nil {
				return nil, fmt.Errorf("group %s: %w", g.name, err)
			}
			say("%-8s %d/%d, other programs used %.0f %% of the machine", g.name, (i+1)*g.processes/most, g.processes, 100*m.others)
			measured = append(measured, m)
		}
	}
	return measured, nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// write writes the results to a folder and prints them.
func (r results) write(out string) error {
	encoded, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	text := r.text()
	for name, content := range map[string][]byte{
		"results.json": append(encoded, '\n'),
		"results.txt":  []byte(text),
		"results.svg":  []byte(r.svg()),
	} {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	fmt.Print(text)
	return nil
}
