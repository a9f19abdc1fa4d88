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
	nginxGuard:   "nginx proxying, auth_request to the gateway",
	heimdall:     "Heimdall, proxy mode",
	nginxYes:     "nginx auth_request to Caddy respond 200",
	nginxYesTwin: "an identical site (A/A)",
	nginxDecide:  "nginx auth_request to databricks_decision",
	nginxBare:    "nginx auth_request to a bare net/http server",
	askBare:      "bare net/http server, 200",
	askCaddy:     "Caddy respond 200",
	askDecide:    "databricks_decision",
	askGRPC:      "databricks_decision, gRPC, 64 in flight",
	askGRPCOne:   "databricks_decision, gRPC, 1 in flight",
	secure:       "gateway to TLS, HTTP/2",
	secureOne:    "gateway to TLS, HTTP/1.1",
	secureStock:  "stock Caddy to TLS, HTTP/2",
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
			fmt.Fprintf(w, "%s\t%s\t%s\n", o.name(), o.is(), o.text())
		}
	})
	costText(&b, r.Setups)
	millionText(&b, r.Setups)
	connectionText(&b, r.Connections)
	latencyText(&b, r.Latency)
	r.Program.text(&b)
	for _, name := range r.Skipped {
		fmt.Fprintf(&b, "SKIPPED: %s, %s\n", labels[name], missing(name))
	}
	for _, group := range groupNames {
		if others, ok := r.Others[group]; ok && others > disturbed {
			fmt.Fprintf(&b, "DISTURBED: other programs used up to %.0f %% of the machine in group %s; run it again when the machine is idle\n", 100*others, group)
		}
	}
	for _, name := range []string{plainTwin, nginxYesTwin} {
		if twin := r.twin(name); twin != nil && (twin.Median < 0.97 || twin.Median > 1.03) {
			fmt.Fprintf(&b, "VOID: two identical sites differ: %s %s\n", name, twin)
		}
	}
	return b.String()
}

// disturbed is the share of the machine that others may use: some of it is kernel time
// that is charged to no process.
const disturbed = 0.06

// missing says why a target was skipped, and how to get what it needs.
func missing(name string) string {
	if name == heimdall {
		return "because no -heimdall was given; bench/heimdall/README.md says how to build it"
	}
	return "because nginx is not installed; on Debian: apt-get install nginx-light"
}

// costText writes what a request costs before a handler of Caddy begins, and a decision.
func costText(b *strings.Builder, setups []setup) {
	costs := inGroup(setups, "cost")
	if len(costs) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "asked without nginx\tCPU us/request [quartiles]\treq/s")
	for _, s := range costs {
		fmt.Fprintf(w, "%s\t%.1f [%.1f-%.1f]\t%.0f\n", labels[s.Name], s.CPU.Median, s.CPU.Low, s.CPU.High, s.Throughput.Median)
	}
	_ = w.Flush() // to a string
	b.WriteByte('\n')
}

// millionText writes the CPU time of a million requests.
func millionText(b *strings.Builder, setups []setup) {
	found := inGroup(setups, "rivals")
	if len(found) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "rival\tCPU s for 1,000,000 requests\tmeasured over")
	for _, s := range found {
		fmt.Fprintf(w, "%s\t%.1f\t%d requests\n", labels[s.Name], s.CPUOfMillion, s.Requests)
	}
	_ = w.Flush() // to a string
	b.WriteByte('\n')
}

func inGroup(setups []setup, group string) (found []setup) {
	for _, s := range setups {
		if s.Group == group {
			found = append(found, s)
		}
	}
	return found
}

// twin returns the ratio of an A/A pair, which shows the error of the run.
func (r results) twin(name string) *estimate {
	for i := range r.Ratios {
		if r.Ratios[i].Of == name {
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

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
