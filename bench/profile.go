package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

const (
	profileTime = 10 * time.Second
	// pgoTime is longer, because what is rare but slow counts too.
	pgoTime = 30 * time.Second
)

// profiled drives one gateway as it ships and takes a CPU profile and a heap
// profile of it meanwhile.
func (l *lab) profiled(ctx context.Context, d *driver, took time.Duration, of site) (cpu, heap []byte, err error) {
	dir, err := os.MkdirTemp(l.dir, "profile-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, nil, err
	}
	of.Address = addresses[1]
	v := l.asShipped()
	config, err := l.writeGateway(dir, addresses[0], v, []site{of})
	if err != nil {
		return nil, nil, err
	}
	p, err := spawn(dir, shipped, v.environment(), v.program, "run", "--config", config)
	if err != nil {
		return nil, nil, err
	}
	defer p.stop()
	if err := p.awaitListening(ctx, addresses...); err != nil {
		return nil, nil, err
	}
	targets := []*target{newTarget(shipped, addresses[1], p.pid())}
	if err := d.warmUp(ctx, targets); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	driven := make(chan error, 1)
	go func() {
		rounds := int((took + 2*time.Second) / sliceTime)
		slices, err := d.drive(ctx, targets, schedule(1, rounds, rand.New(rand.NewPCG(1, 1))))
		say("profiled at %.0f requests a second and %.0f us of CPU each", median(each(slices, slice.throughput)), median(each(slices, slice.cpuPerRequest)))
		driven <- err
	}()
	debug := "http://" + addresses[0] + "/debug/pprof/"
	if cpu, err = get(ctx, debug+fmt.Sprintf("profile?seconds=%d", int(took.Seconds()))); err == nil {
		heap, err = get(ctx, debug+"allocs")
	}
	if err != nil {
		cancel()
	}
	if failed := <-driven; err == nil {
		err = failed
	}
	return cpu, heap, err
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

// profile leaves the profiles and a summary of them in a folder.
func (l *lab) profile(ctx context.Context, d *driver, out string) error {
	cpu, heap, err := l.profiled(ctx, d, profileTime, sites[l.profileSite])
	if err != nil {
		return fmt.Errorf("profiling the gateway: %w", err)
	}
	var text strings.Builder
	for _, part := range []struct {
		title, value string
		data         []byte
	}{
		{"CPU", "cpu", cpu},
		{"allocated bytes, since the start", "alloc_space", heap},
	} {
		if err := summarizeProfile(&text, part.title, part.value, part.data); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{"cpu.pprof": cpu, "allocs.pprof": heap, "profile.txt": []byte(text.String())} {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
	}
	fmt.Print(text.String())
	return nil
}

// recordPGO writes the profile that the compiler reads.
func (l *lab) recordPGO(ctx context.Context, d *driver, path string) error {
	cpu, _, err := l.profiled(ctx, d, pgoTime, sites[shipped])
	if err != nil {
		return fmt.Errorf("recording a profile: %w", err)
	}
	say("writing %s (%d KiB)", path, len(cpu)>>10)
	return os.WriteFile(path, cpu, 0o644)
}

const ownModule = "github.com/scopegate/scopegate/"

// owned attributes a sample to the function of ours that is nearest to where the
// time was spent, as long as no proxy or server stands between: what the handler
// calls next is not its own cost.
func owned(sample *profile.Sample) (name string, leaf bool) {
	for i, location := range sample.Location {
		for j, line := range location.Line {
			if line.Function == nil {
				continue
			}
			f := line.Function.Name
			switch {
			case strings.HasPrefix(f, ownModule):
				return strings.TrimPrefix(f, ownModule), i == 0 && j == 0
			case strings.HasPrefix(f, "github.com/caddyserver/caddy/v2/modules/caddyhttp"), strings.HasPrefix(f, "net/http."):
				return "", false
			}
		}
	}
	return "", false
}

// summarizeProfile writes the dearest functions of all, and all of ours.
func summarizeProfile(b *strings.Builder, title, valueType string, data []byte) error {
	p, err := profile.Parse(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("reading a profile: %w", err)
	}
	at := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == valueType })
	if at < 0 {
		return fmt.Errorf("reading a profile: it has no %s", valueType)
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
		return fmt.Errorf("reading a profile: it is empty")
	}
	share := func(n int64) float64 { return 100 * float64(n) / float64(total) }
	fmt.Fprintf(b, "%s: the dearest functions\n", title)
	for _, name := range dearest(flat, 20) {
		fmt.Fprintf(b, "  %5.1f %%  %s\n", share(flat[name]), name)
	}
	sum := int64(0)
	for _, n := range with {
		sum += n
	}
	fmt.Fprintf(b, "%s: functions of this project, alone and with what they call of other packages; %.1f %% in all\n", title, share(sum))
	for _, name := range dearest(with, 25) {
		fmt.Fprintf(b, "  %5.1f %%  %5.1f %%  %s\n", share(alone[name]), share(with[name]), name)
	}
	b.WriteByte('\n')
	return nil
}

func dearest(values map[string]int64, most int) []string {
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
