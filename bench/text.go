package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// labels are the names of setups in the report.
var labels = map[string]string{
	direct:       "upstream, directly",
	nginxProxy:   "nginx proxy_pass",
	nginxAuth:    "nginx auth_request + proxy_pass",
	stockProxy:   "stock Caddy reverse_proxy",
	stockTuned:   "stock Caddy reverse_proxy, tuned transport",
	stockAuth:    "stock Caddy forward_auth + reverse_proxy, both tuned",
	shipped:      "gateway as shipped",
	shippedLog:   "gateway, audit through Caddy's log",
	shippedQuiet: "gateway as shipped, audit off",
	plain:        "gateway's proxy without enforcement",
	plainTwin:    "an identical site (A/A)",
	enforce:      "with enforcement, audit off",
	withLines:    "with enforcement and audit",
	withLog:      "with enforcement and audit through Caddy's log",
	withOTLP:     "with enforcement, audit and OTLP",
	withDead:     "with enforcement, audit and OTLP, receiver dead",
	against:      "gateway, other build or settings",
	secure:       "gateway to TLS, HTTP/2",
	secureOne:    "gateway to TLS, HTTP/1.1",
}

// text returns the report as text.
func (r results) text() string {
	var b strings.Builder
	table := func(write func(w *tabwriter.Writer)) {
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		write(w)
		_ = w.Flush() // cannot fail: it writes to a string
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s, %d CPUs, %s; measured for %s\n\n", r.Machine.System, r.Machine.CPUs, r.Machine.Go, r.Took)
	table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "setup\treq/s [quartiles]\tp50 ms\tp99 ms\tCPU us/req\tpeak memory")
		group := ""
		for _, s := range r.Setups {
			if s.Group != group {
				group = s.Group
				fmt.Fprintf(w, "(%s)\n", group)
			}
			fmt.Fprintf(w, "%s\t%.0f [%.0f-%.0f]\t%.1f\t%.1f\t%.0f\t%.0f MiB\n", labels[s.Name],
				s.Throughput.Median, s.Throughput.Low, s.Throughput.High, s.P50.Median, s.P99.Median, s.CPU.Median, mebibytes(s.PeakMemory))
		}
	})
	table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "paired ratio [95 % interval]\tthroughput\tCPU/request\tp50\tp99\tprocesses")
		for _, c := range r.Ratios {
			fmt.Fprintf(w, "%s / %s\t%s\t%s\t%s\t%s\t%d\n", c.Of, c.Base[0], c.Throughput, c.CPU, c.P50, c.P99, len(c.Throughput.PerProcess))
		}
	})
	table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "goal\tmeasured\t")
		for _, o := range r.Goals {
			fmt.Fprintf(w, "%s / %s at least x%.2f\t%s\t%s\n", o.Of, o.Base, o.AtLeast, o.Is, o.text())
		}
	})
	r.Program.text(&b)
	for _, name := range r.Skipped {
		fmt.Fprintf(&b, "SKIPPED: %s, because nginx is not installed\n", labels[name])
	}
	for _, group := range []string{"handler", "otlp", "dead", "setups", "against", "tls"} {
		if others, ok := r.Others[group]; ok && others > disturbed {
			fmt.Fprintf(&b, "DISTURBED: other programs used up to %.0f %% of the machine in group %s; run it again when the machine is idle\n", 100*others, group)
		}
	}
	if twin := r.twin(); twin != nil && (twin.Median < 0.97 || twin.Median > 1.03) {
		fmt.Fprintf(&b, "VOID: two identical sites differ: %s\n", twin)
	}
	return b.String()
}

// disturbed is the share of the machine that others may use: some of it is kernel time
// that is charged to no process.
const disturbed = 0.06

// twin returns the ratio of the A/A pair, which shows the error of the run.
func (r results) twin() *estimate {
	for i := range r.Ratios {
		if r.Ratios[i].Of == plainTwin {
			return &r.Ratios[i].Throughput
		}
	}
	return nil
}

func (e estimate) String() string {
	if len(e.PerProcess) == 0 {
		return "-"
	}
	return fmt.Sprintf("x%.3f [%.3f-%.3f]", e.Median, e.Low, e.High)
}

func (o outcome) text() string {
	text := "met"
	if !o.Met {
		text = fmt.Sprintf("missed by %.1f %%", 100*(1-o.Is.Median/o.AtLeast))
	}
	if !o.Sure {
		text += " (the goal is inside the interval)"
	}
	return text
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
