package audit

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

const (
	// lineDelay is how long a line may wait for others.
	lineDelay = 10 * time.Millisecond
	// linePatience is how long a request waits for an output that does not keep up,
	// with Drop. A disk is slow at times; one that hangs is not waited for twice.
	linePatience = 5 * time.Second
	// lineQueue is how many may wait, and lineBatch how many are written together.
	lineQueue, lineBatch = 4096, 512
	// maxWrite is how many bytes are written at once, or one line.
	maxWrite = 64 << 10
)

// NewOutput writes records to an output of their own, one line of JSON each, a moment
// after they were made and many together: one after the other they cost a third of
// what each does between two requests, when the processor has forgotten how. It
// counts those that the output does not take.
func NewOutput(output io.WriteCloser, settings Settings, losses *Losses) *Sinks {
	if settings.Queue == 0 {
		settings.Queue = lineQueue
	}
	pace := pace{delay: lineDelay, fromFirst: true, patience: linePatience, export: time.Minute}
	return &Sinks{
		sinks:    []recordSink{newSink(newLineCarrier(output), losses, settings, lineBatch, pace)},
		settings: settings,
	}
}

// lineCarrier writes records as lines.
type lineCarrier struct {
	// Of the goroutine that writes batches.
	lines []byte // of the batch, after a line's end in case the output is torn
	ends  []int  // of each of them
	done  int    // how many bytes were written, or need not be

	// using holds something while the output is in use, and is held for the rest.
	using      chan struct{}
	output     io.WriteCloser
	torn       bool // the output ends in the middle of a line
	unfinished bool // the rest of the batch is to come

	hangs atomic.Bool // a late line has waited in vain
}

func newLineCarrier(output io.WriteCloser) *lineCarrier {
	return &lineCarrier{output: output, lines: []byte{'\n'}, using: make(chan struct{}, 1)}
}

func (c *lineCarrier) convert(r *Record) encoded {
	c.lines = appendLine(c.lines, r)
	c.ends = append(c.ends, len(c.lines))
	return encoded{}
}

// export goes on where it stopped when it failed before.
func (c *lineCarrier) export(context.Context, []encoded) error {
	c.using <- struct{}{}
	defer func() { <-c.using }()
	if c.done == 0 && !c.torn {
		c.done = 1
	}
	for next := 0; c.done < len(c.lines); {
		for c.ends[next] <= c.done {
			next++
		}
		end := c.ends[next]
		for next++; next < len(c.ends) && c.ends[next]-c.done <= maxWrite; next++ {
			end = c.ends[next]
		}
		n, err := c.write(c.lines[c.done:end])
		if c.done += n; c.done < end {
			c.unfinished = true
			return &writeError{c.unwritten(), cmp.Or(err, io.ErrShortWrite)}
		}
	}
	c.unfinished = false
	return nil
}

// write writes to the output, which is in use, and notes how that ends.
func (c *lineCarrier) write(lines []byte) (int, error) {
	n, err := c.output.Write(lines)
	n = max(0, min(n, len(lines)))
	if n > 0 {
		c.torn = lines[n-1] != '\n'
	}
	return n, err
}

// unwritten counts the lines of which something is missing.
func (c *lineCarrier) unwritten() (lines int) {
	for _, end := range c.ends {
		if end > c.done {
			lines++
		}
	}
	return lines
}

func (c *lineCarrier) reuse() {
	c.using <- struct{}{}
	defer func() { <-c.using }()
	c.unfinished = false // what is missing was given up
	c.lines, c.ends, c.done = c.lines[:1], c.ends[:0], 0
}

// latePatience is how long a late line waits for others.
const latePatience = 100 * time.Millisecond

// late writes a record that came after the end, as far as the output still takes it.
func (c *lineCarrier) late(r *Record) bool {
	if c.hangs.Load() {
		return false
	}
	patience := time.NewTimer(latePatience)
	defer patience.Stop()
	select {
	case c.using <- struct{}{}:
	case <-patience.C:
		c.hangs.Store(true)
		return false
	}
	defer func() { <-c.using }()
	if c.unfinished && c.torn {
		return false // it would stand in the middle of another line
	}
	line := appendLine([]byte{'\n'}, r)
	if !c.torn {
		line = line[1:]
	}
	n, _ := c.write(line)
	return n == len(line)
}

// shutdown closes the output, which may hang, or be compressing what it has rolled:
// then that goes on by itself.
func (c *lineCarrier) shutdown(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() {
		c.using <- struct{}{}
		defer func() { <-c.using }()
		closed <- c.close()
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close closes the output. Caddy's writer for networks panics where it never had a
// connection.
func (c *lineCarrier) close() (err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = fmt.Errorf("closing the output: %v", crash)
		}
	}()
	return c.output.Close()
}
