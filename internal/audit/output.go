package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
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
		sinks:    []recordSink{newSink(&lineCarrier{output: output}, losses, settings, lineBatch, pace)},
		settings: settings,
	}
}

// lineCarrier writes records as lines.
type lineCarrier struct {
	lines []byte // of the batch
	ends  []int  // of each of them
	done  int    // how many bytes were written
	torn  bool   // the output ends in the middle of a line of a batch before

	// writing is held while the output is in use.
	writing sync.Mutex
	output  io.WriteCloser
}

// encodedLine stands for a line that the carrier keeps among the others.
type encodedLine struct{}

func (c *lineCarrier) convert(r *Record) encodedLine {
	if len(c.lines) == 0 && c.torn {
		c.lines = append(c.lines, '\n')
	}
	c.lines = appendLine(c.lines, r)
	c.ends = append(c.ends, len(c.lines))
	return encodedLine{}
}

// export goes on where it stopped when it failed before.
func (c *lineCarrier) export(context.Context, []encodedLine) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	from := 0 // the first line that is not written
	for c.done < len(c.lines) {
		end := c.done
		for from < len(c.ends) && (end == c.done || c.ends[from]-c.done <= maxWrite) {
			end = c.ends[from]
			from++
		}
		n, err := c.output.Write(c.lines[c.done:end])
		c.done += max(0, min(n, end-c.done))
		if c.done < end {
			return &writeError{c.unwritten(), errOr(err, io.ErrShortWrite)}
		}
	}
	return nil
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
	if c.done > 0 {
		c.torn = c.lines[c.done-1] != '\n'
	}
	c.lines, c.ends, c.done = c.lines[:0], c.ends[:0], 0
}

// late writes a record that came after the end, as far as the output still takes it.
func (c *lineCarrier) late(r *Record) bool {
	if !c.writing.TryLock() {
		return false // it hangs
	}
	defer c.writing.Unlock()
	_, err := c.output.Write(appendLine(nil, r))
	return err == nil
}

var errHangs = errors.New("the output hangs")

func (c *lineCarrier) shutdown(context.Context) error {
	if c.writing.TryLock() {
		defer c.writing.Unlock()
		return c.close()
	}
	go func() { // when it does after all
		c.writing.Lock()
		defer c.writing.Unlock()
		_ = c.close()
	}()
	return errHangs
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

func errOr(err, otherwise error) error {
	if err == nil {
		return otherwise
	}
	return err
}
