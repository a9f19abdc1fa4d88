package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"
)

const (
	profileTime = 10 * time.Second
	// pgoTime is longer, to catch rare but slow functions.
	pgoTime = 30 * time.Second
)

// profiles are the profiles of one gateway under load.
type profiles struct {
	site      string
	cpu, heap []byte
	requests  int // during the CPU profile
}

// profiled drives gateways with one site each in turn, and takes a CPU profile and a
// heap profile of each. They share the profiling time.
func (l *lab) profiled(ctx context.Context, d *driver, took time.Duration, names []string) ([]profiles, error) {
	dir, err := os.MkdirTemp(l.dir, "profile-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	recorded := make([]profiles, len(names))
	targets := make([]*target, len(names))
	admins := make([]string, len(names))
	for i, name := range names {
		admin, err := freeAddresses(1)
		if err != nil {
			return nil, err
		}
		p, started, err := l.gatewayWithAdmin(ctx, dir, shipped, admin[0], l.variantOf(name), name)
		if err != nil {
			return nil, err
		}
		defer p.stop()
		if err := p.awaitListening(ctx, admin[0]); err != nil {
			return nil, err
		}
		recorded[i].site, admins[i], targets[i] = name, admin[0], started[0]
	}
	if err := d.warmUp(ctx, targets); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var taking sync.WaitGroup
	failures := make([]error, len(names))
	for i, admin := range admins {
		taking.Go(func() {
			debug := "http://" + admin + "/debug/pprof/"
			r, err := &recorded[i], error(nil)
			if r.cpu, err = get(ctx, debug+fmt.Sprintf("profile?seconds=%d", int(took.Seconds()))); err == nil {
				r.heap, err = get(ctx, debug+"allocs")
			}
			if failures[i] = err; err != nil {
				cancel()
			}
		})
	}
	rounds := int(took/sliceTime) / len(names)
	measured, err := d.drive(ctx, targets, schedule(len(names), rounds, rand.New(rand.NewPCG(1, 1))))
	taking.Wait()
	for i, t := range targets {
		var rates, costs []float64
		for _, s := range measured {
			if s.target == i {
				rates, costs = append(rates, s.throughput()), append(costs, s.cpuPerRequest())
				recorded[i].requests += int(s.throughput() * sliceTime.Seconds())
			}
		}
		say("profiled %s at %.0f requests a second and %.0f us of CPU each", t.name, median(rates), median(costs))
	}
	return recorded, errors.Join(append(failures, err)...)
}

// variantOf returns how to run the gateway of a site.
func (l *lab) variantOf(name string) variant {
	switch name {
	case withOTLP:
		return l.asShipped(otlpTo(l.receiver.Address)...)
	case withDead:
		return l.asShipped(otlpTo(l.dead)...)
	case against:
		return l.against
	}
	return l.asShipped()
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("taking a profile: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("taking a profile: status %d", response.StatusCode)
	}
	return io.ReadAll(response.Body)
}

// profile writes the profiles and a summary of them to a folder. It returns the share of our
// own functions in the CPU time of the gateway as shipped in percent, or 0 if that is not
// among the sites.
func (l *lab) profile(ctx context.Context, d *driver, took time.Duration, out string) (own float64, err error) {
	recorded, err := l.profiled(ctx, d, time.Duration(len(l.profileSites))*took, l.profileSites)
	if err != nil {
		return 0, fmt.Errorf("profiling the gateway: %w", err)
	}
	var text strings.Builder
	for _, r := range recorded {
		suffix := ""
		if len(recorded) > 1 {
			suffix = "-" + r.site
		}
		for _, part := range []struct {
			name, title, value string
			data               []byte
		}{
			{"cpu", "CPU", "cpu", r.cpu},
			{"allocs", "allocated bytes since the start", "alloc_space", r.heap},
		} {
			share, err := summarizeProfile(&text, part.title+" of "+r.site, part.value, part.data)
			if err != nil {
				return 0, err
			}
			if r.site == shipped && part.name == "cpu" {
				own = share
			}
			if err := os.WriteFile(filepath.Join(out, part.name+suffix+".pprof"), part.data, 0o644); err != nil {
				return 0, err
			}
		}
	}
	for _, r := range recorded[1:] {
		if err := compareProfiles(&text, recorded[0], r); err != nil {
			return 0, err
		}
	}
	if err := os.WriteFile(filepath.Join(out, "profile.txt"), []byte(text.String()), 0o644); err != nil {
		return 0, err
	}
	fmt.Print(text.String())
	return own, nil
}

// recordPGO writes the profile that the compiler reads.
func (l *lab) recordPGO(ctx context.Context, d *driver, path string) error {
	recorded, err := l.profiled(ctx, d, pgoTime, []string{shipped})
	if err != nil {
		return fmt.Errorf("recording a profile: %w", err)
	}
	cpu := recorded[0].cpu
	say("writing %s (%d KiB)", path, len(cpu)>>10)
	return os.WriteFile(path, cpu, 0o644)
}

// compareProfiles writes where a request costs more CPU in one gateway than in another,
// by function, including callees.
func compareProfiles(b *strings.Builder, base, of profiles) error {
	before, all, err := costs(base)
	if err != nil {
		return err
	}
	after, allOf, err := costs(of)
	if err != nil {
		return err
	}
	more := make(map[string]int64)
	for name, cost := range after {
		more[name] = cost - before[name]
	}
	for name, cost := range before {
		more[name] = after[name] - cost
	}
	us := func(ns int64) float64 { return float64(ns) / 1e3 }
	fmt.Fprintf(b, "CPU per request in us: %s %.1f, %s %.1f; the difference by function, including callees\n", base.site, us(all), of.site, us(allOf))
	for _, name := range mostExpensive(more, 60) {
		fmt.Fprintf(b, "  %6.2f  %6.2f  %+6.2f  %s\n", us(before[name]), us(after[name]), us(more[name]), name)
	}
	b.WriteByte('\n')
	return nil
}

// costs returns the CPU time per request of each function, including callees, and of
// all together, in nanoseconds.
func costs(of profiles) (by map[string]int64, all int64, err error) {
	p, err := profile.Parse(bytes.NewReader(of.cpu))
	if err != nil {
		return nil, 0, fmt.Errorf("reading a profile: %w", err)
	}
	at := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" })
	if at < 0 || of.requests == 0 {
		return nil, 0, errors.New("reading a profile: it has no CPU time, or no request was answered")
	}
	by = make(map[string]int64)
	for _, s := range p.Sample {
		all += s.Value[at]
		seen := make(map[string]bool) // count recursive functions once
		for _, location := range s.Location {
			for _, line := range location.Line {
				if line.Function != nil && !seen[line.Function.Name] {
					seen[line.Function.Name] = true
					by[line.Function.Name] += s.Value[at]
				}
			}
		}
	}
	for name := range by {
		by[name] /= int64(of.requests)
	}
	return by, all / int64(of.requests), nil
}

const ownModule = "github.com/scopegate/scopegate/"

// handedOn are beginnings of functions to which our functions hand a request or a response:
// what these call is not ours. Handlers are recognized by their name.
var handedOn = []string{
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/", // packages below it, such as reverseproxy
	"github.com/caddyserver/caddy/v2/modules/caddyhttp.(*ResponseWriterWrapper)",
	"github.com/caddyserver/caddy/v2/modules/caddyhttp.(*responseRecorder)",
	"github.com/caddyserver/caddy/v2/modules/caddyhttp.(*IdleTimeout", // reader and writer
	"net/http.(*response)", "net/http.(*chunkWriter)", "net/http.(*body)", "net/http.(*http2", "net/http.(*ResponseController)",
	"net/http.(*expectContinueReader)", "net/http.(*Transport)", "net/http.(*persistConn)", "net/http.(*bodyEOFSignal)", "net/http.(*Client)",
	"golang.org/x/net/http2", "google.golang.org/grpc",
}

// owned attributes a sample to the innermost function of this project, unless a handler that
// it calls, the server's response or a client is in between: their cost is not the gateway's.
// What our functions call elsewhere counts, such as the allocator, maps and system calls.
func owned(sample *profile.Sample) (name string, leaf bool) {
	for i, location := range sample.Location {
		for j, line := range location.Line {
			if line.Function == nil {
				continue
			}
			f := line.Function.Name
			if strings.HasPrefix(f, ownModule) {
				return strings.TrimPrefix(f, ownModule), i == 0 && j == 0
			}
			handler := strings.HasSuffix(f, ".ServeHTTP") || strings.Contains(f, ".ServeHTTP.")
			if handler || slices.ContainsFunc(handedOn, func(start string) bool { return strings.HasPrefix(f, start) }) {
				return "", false
			}
		}
	}
	return "", false
}

// summarizeProfile writes the most expensive functions, and all functions of this project. It
// returns the share of the latter in percent.
func summarizeProfile(b *strings.Builder, title, valueType string, data []byte) (own float64, err error) {
	p, err := profile.Parse(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("reading a profile: %w", err)
	}
	at := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == valueType })
	if at < 0 {
		return 0, fmt.Errorf("reading a profile: it has no %s", valueType)
	}
	total := int64(0)
	flat, alone, with := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, s := range p.Sample {
		value := s.Value[at]
		total += value
		if len(s.Location) > 0 && len(s.Location[0].Line) > 0 && s.Location[0].Line[0].Function != nil {
			flat[s.Location[0].Line[0].Function.Name] += value
		}
		name, leaf := owned(s)
		if name == "" {
			continue
		}
		with[name] += value
		if leaf {
			alone[name] += value
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("reading a profile: no samples")
	}
	share := func(n int64) float64 { return 100 * float64(n) / float64(total) }
	fmt.Fprintf(b, "%s: the most expensive functions\n", title)
	for _, name := range mostExpensive(flat, 20) {
		fmt.Fprintf(b, "  %5.1f %%  %s\n", share(flat[name]), name)
	}
	sum := int64(0)
	for _, n := range with {
		sum += n
	}
	fmt.Fprintf(b, "%s: functions of this project, alone and including calls to other packages; %.1f %% in total\n", title, share(sum))
	for _, name := range mostExpensive(with, 25) {
		fmt.Fprintf(b, "  %5.1f %%  %5.1f %%  %s\n", share(alone[name]), share(with[name]), name)
	}
	b.WriteByte('\n')
	return share(sum), nil
}

func mostExpensive(values map[string]int64, most int) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if values[a] != values[b] {
			return int(max(-1, min(1, values[b]-values[a])))
		}
		return strings.Compare(a, b)
	})
	return names[:min(most, len(names))]
}
