package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// fleetResults is what the group fleet measures.
type fleetResults struct {
	Machine machine `json:"machine"`
	Took    string  `json:"took"`

	Edges  int `json:"edges"`
	Tokens int `json:"tokens"`

	// Cold is the start of all edges at once, each with three tokens that others use too.
	Cold struct {
		Seconds    float64 `json:"seconds"` // until all edges have the facts of all their tokens
		Subscribed float64 `json:"subscribed_seconds"`
		Lookups    int     `json:"lookups"` // at the workspace
		Lists      int     `json:"lists"`
	} `json:"cold"`

	// Steady is a while without changes.
	Steady struct {
		Seconds float64 `json:"seconds"`
		Lookups int     `json:"lookups"`
		// CPU of all authorities in microseconds for an edge and a second, and their memory in
		// bytes for an edge.
		CPU    float64 `json:"cpu_us_per_edge_and_second"`
		Memory float64 `json:"memory_bytes_per_edge"`
	} `json:"steady"`

	// Asked are look-ups of a token that the authority asks the workspace about, and Found of
	// one that it knows: what an edge waits beyond the authority's own look-up.
	Asked spread `json:"edge_look_up"`
	Found spread `json:"edge_look_up_of_what_the_authority_knows"`

	// Times from telling one authority of a revocation until an edge had applied it.
	Revocation  spread `json:"revocation"`
	AfterKill   spread `json:"revocation_after_an_authority_was_killed"`
	AfterRedis  spread `json:"revocation_after_redis_was_killed"`
	Partitioned spread `json:"revocation_of_those_not_cut_off"`

	// Resubscribed is how long after an authority was killed all edges were at the other.
	Resubscribed float64 `json:"resubscribed_seconds"`
	// Without counts what was asked of edges while Redis was dead.
	Without struct {
		Known asked `json:"known"` // tokens that the edge knew
		New   asked `json:"new"`
	} `json:"without_redis"`
	// SharedAgain is how long after Redis was there again a revocation reached everybody, and
	// CaughtUp how long after half of the edges had a network again they had all that they
	// missed.
	SharedAgain float64 `json:"shared_again_seconds"`
	CaughtUp    float64 `json:"caught_up_seconds"`

	// Missing lists what did not happen in time. Numbers that depend on it mean nothing.
	Missing []string `json:"missing,omitempty"`
}

// spread is a distribution of times in milliseconds, over edges and rounds.
type spread struct {
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
	Rounds int     `json:"rounds"`
	Times  int     `json:"times"`
}

func spreadOf(milliseconds []float64, rounds int) spread {
	if len(milliseconds) == 0 {
		return spread{Rounds: rounds}
	}
	return spread{quantile(milliseconds, 0.5), quantile(milliseconds, 0.99), quantile(milliseconds, 1), rounds, len(milliseconds)}
}

// asked counts questions.
type asked struct {
	Asked  int `json:"asked"`
	Failed int `json:"failed"`
}

func (r *fleetResults) miss(err error) {
	if err != nil {
		r.Missing = append(r.Missing, err.Error())
	}
}

// write writes the results to a folder and prints them.
func (r *fleetResults) write(out string) error {
	encoded, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	text := r.text()
	for name, content := range map[string][]byte{"fleet.json": append(encoded, '\n'), "fleet.txt": []byte(text)} {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	fmt.Print(text)
	return nil
}

// text returns the results as text.
func (r *fleetResults) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs, %s; %d edges and %d tokens; measured for %s\n\n", r.Machine.System, r.Machine.CPUs, r.Machine.Go, r.Edges, r.Tokens, r.Took)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{what}, args...)...)
	}
	line("cold start: all have their facts after", "%.2f s", r.Cold.Seconds)
	line("cold start: all are subscribed after", "%.2f s", r.Cold.Subscribed)
	line("cold start: look-ups and lists at the workspace", "%d and %d", r.Cold.Lookups, r.Cold.Lists)
	line("steady: look-ups at the workspace", "%d in %.0f s", r.Steady.Lookups, r.Steady.Seconds)
	line("steady: CPU of the authorities", "%.0f us for an edge and a second", r.Steady.CPU)
	line("steady: memory of the authorities", "%.0f KiB for an edge", r.Steady.Memory/1024)
	spreads := func(what string, s spread) {
		line(what, "p50 %.1f ms, p99 %.1f ms, max %.1f ms (%d times)", s.P50, s.P99, s.Max, s.Times)
	}
	spreads("look-up by an edge, and by its authority", r.Asked)
	spreads("look-up by an edge, known to its authority", r.Found)
	spreads("revocation at the edges", r.Revocation)
	line("an authority killed: all are at the other after", "%.2f s", r.Resubscribed)
	spreads("revocation then", r.AfterKill)
	line("Redis killed: known tokens that failed", "%d of %d", r.Without.Known.Failed, r.Without.Known.Asked)
	line("Redis killed: new tokens that failed", "%d of %d", r.Without.New.Failed, r.Without.New.Asked)
	line("Redis back: a revocation reaches all after", "%.2f s", r.SharedAgain)
	spreads("revocation then", r.AfterRedis)
	spreads("half of the edges cut off: revocation at the others", r.Partitioned)
	line("network back: all have what they missed after", "%.2f s", r.CaughtUp)
	_ = w.Flush() // cannot fail: it writes to a string
	for _, missing := range r.Missing {
		fmt.Fprintf(&b, "MISSING: %s\n", missing)
	}
	return b.String()
}
