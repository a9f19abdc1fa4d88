package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/usage"
)

// told is a gateway that was told to forget a token. The zero value was told nothing.
type told struct {
	client    adminapi.Client
	forgotten adminapi.Forgotten
}

const (
	// edgesPatience is how long a command waits for edges.
	edgesPatience = 5 * time.Second
	// firstPoll and lastPoll are between two questions how far they are.
	firstPoll = 50 * time.Millisecond
	lastPoll  = 500 * time.Millisecond
	// maxStragglers is how many edges are named.
	maxStragglers = 5
)

// await waits a while until all edges have applied the change, and says how many have. If
// other gateways were told nothing, it says so.
func (t told) await(cmd *cobra.Command) {
	if note := untold(t.forgotten.Untold); note != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
		return
	}
	if t.forgotten.Generation == 0 || t.forgotten.Edges <= 0 {
		return
	}
	showNow(cmd)
	progress, err := t.progress(cmd.Context())
	switch {
	case err != nil:
		fmt.Fprintf(cmd.ErrOrStderr(), "note: the change was made, but how many edges have applied it is not known: %v\n", err)
	case progress.Edges > 0:
		fmt.Fprintf(cmd.OutOrStdout(), "The change was %s.\n", acknowledged(&progress))
	}
}

// progress asks how far the change has come until all edges have applied it.
func (t told) progress(ctx context.Context) (fleet.Progress, error) {
	deadline := time.Now().Add(edgesPatience)
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		progress, err := t.client.Progress(t.forgotten.Workspace, t.forgotten.Generation)
		if err != nil || progress.Applied >= progress.Edges || !time.Now().Add(pause).Before(deadline) {
			return progress, err
		}
		if err := sleep(ctx, pause); err != nil {
			return progress, err
		}
	}
}

// sleep waits, unless the command is told to end.
func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// acknowledged says how many edges have applied a change, and which have not.
func acknowledged(p *fleet.Progress) string {
	took := "less than 0.1 s"
	if p.Seconds >= .1 {
		took = fmt.Sprintf("%.1f s", p.Seconds)
	}
	applied := max(0, min(p.Applied, p.Edges))
	text := fmt.Sprintf("acknowledged by %s of %s in %s", usage.Thousands(uint64(applied)), edges(p.Edges), took)
	if missing := p.Edges - applied; missing > 0 {
		text += "; not yet: " + someNames(p.Stragglers, missing)
	}
	return text
}

// someNames lists the first of so many names.
func someNames(names []string, all int) string {
	var shown []string
	for _, name := range names[:min(len(names), maxStragglers, all)] {
		shown = append(shown, edgeName(name))
	}
	text := strings.Join(shown, ", ")
	switch more := all - len(shown); {
	case more <= 0:
		return text
	case text == "":
		return edges(more)
	default:
		return fmt.Sprintf("%s, … and %s more", text, usage.Thousands(uint64(more)))
	}
}

func edges(n int) string {
	if n == 1 {
		return "1 edge"
	}
	return usage.Thousands(uint64(n)) + " edges"
}

// edgeName returns what an edge calls itself, as it may be shown in a line.
func edgeName(name string) string {
	const width = 48
	runes := []rune(usage.Clean(name))
	if len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return string(runes)
}
