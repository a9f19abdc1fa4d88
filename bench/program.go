package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// program compares the program with stock Caddy: size, start-up time and idle memory.
type program struct {
	Gateway figures `json:"gateway"`
	Caddy   figures `json:"caddy"`
}

type figures struct {
	// Size is the size of the program file in bytes, built as releases are.
	Size int64 `json:"size_bytes"`
	// FirstAnswer is the time from the start of the process to the first response of the
	// upstream through it. For the gateway it includes the look-up of a token.
	FirstAnswer summary `json:"first_answer_ms"`
	// Idle is the memory after that, without load. Anonymous is the part that is not the
	// program file, which the kernel can drop.
	Idle      int64 `json:"idle_memory_bytes"`
	Anonymous int64 `json:"idle_anonymous_bytes"`
}

// program starts both programs a few times.
func (l *lab) program(ctx context.Context, smoke bool) (p program, err error) {
	starts := 9
	if smoke {
		starts = 1
	}
	p.Gateway, err = l.figures(ctx, l.scopegate, starts, func(dir string) (*process, *target, error) {
		process, targets, err := l.gateway(ctx, dir, shipped, l.asShipped(), shipped)
		if err != nil {
			return nil, nil, err
		}
		return process, targets[0], nil
	})
	if err != nil {
		return p, err
	}
	p.Caddy, err = l.figures(ctx, l.caddy, starts, func(dir string) (*process, *target, error) {
		return l.stock(ctx, dir, stockProxy, false, false)
	})
	return p, err
}

func (l *lab) figures(ctx context.Context, path string, starts int, start func(dir string) (*process, *target, error)) (f figures, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return f, err
	}
	f.Size = info.Size()
	var answers, idle, anonymous []float64
	for range starts {
		dir, err := os.MkdirTemp(l.dir, "start-")
		if err != nil {
			return f, err
		}
		p, t, err := start(dir)
		if err != nil {
			return f, err
		}
		err = firstAnswer(ctx, t, call{l.upstream.Tokens[0], "/api/2.1/jobs/list"})
		answers = append(answers, float64(time.Since(p.began).Microseconds())/1e3)
		if err == nil {
			err = rest(ctx)
		}
		idle = append(idle, float64(memory(p.pid(), "VmRSS")))
		anonymous = append(anonymous, float64(memory(p.pid(), "RssAnon")))
		p.stop()
		os.RemoveAll(dir)
		if err != nil {
			return f, err
		}
	}
	f.FirstAnswer = summarize(answers)
	f.Idle, f.Anonymous = int64(median(idle)), int64(median(anonymous))
	return f, nil
}

func firstAnswer(ctx context.Context, t *target, c call) error {
	s := t.sender([]call{c})
	defer s.release()
	if err := s.send(0); err != nil {
		return fmt.Errorf("the first request to %s: %w", t.name, err)
	}
	return ctx.Err()
}

// rest gives a process that has just started the time to settle.
func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(300 * time.Millisecond):
		return nil
	}
}

func (p program) text(b *strings.Builder) {
	if p.Gateway.Size == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "program\tgateway\tstock Caddy")
	fmt.Fprintf(w, "start to first answer, ms\t%.0f [%.0f-%.0f]\t%.0f [%.0f-%.0f]\n",
		p.Gateway.FirstAnswer.Median, p.Gateway.FirstAnswer.Low, p.Gateway.FirstAnswer.High,
		p.Caddy.FirstAnswer.Median, p.Caddy.FirstAnswer.Low, p.Caddy.FirstAnswer.High)
	fmt.Fprintf(w, "idle memory (anonymous), MiB\t%.0f (%.0f)\t%.0f (%.0f)\n",
		mebibytes(p.Gateway.Idle), mebibytes(p.Gateway.Anonymous), mebibytes(p.Caddy.Idle), mebibytes(p.Caddy.Anonymous))
	fmt.Fprintf(w, "program file, MiB\t%.1f\t%.1f\n", mebibytes(p.Gateway.Size), mebibytes(p.Caddy.Size))
	_ = w.Flush() // to a string
	b.WriteByte('\n')
}
