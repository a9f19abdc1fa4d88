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
	// with Drop, and how long a write may take before it counts as failed. A disk may be
	// slow, but one that hangs is waited for only once.
	linePatience = 5 * time.Second
	// lineQueue is how many records may wait, and lineBatch how many are written
	// together.
	lineQueue, lineBatch = 4096, 512
	// maxWrite is how many bytes are written at once, unless a line is longer.
	maxWrite = 64 << 10
)

// NewOutput returns a sink that writes records to an output, as lines of JSON in the format
// of the settings. They are
// written together, up to 10 ms later: written one by one between requests, with cold
// processor caches, each would cost three times as much.
func NewOutput(output io.WriteCloser, settings Settings, losses *Losses) *Sinks {
	if settings.Queue == 0 {
		settings.Queue = lineQueue
	}
	pace := pace{delay: lineDelay, fromFirst: true, patience: linePatience, export: time.Minute, strict: true}
	if _, ok := output.(*File); ok {
		pace.backoff = maxFileBackoff
	}
	lines := newLineExporter(output)
	lines.format = settings.Format
	return &Sinks{[]*sink{newSink(lines, losses, settings, lineBatch, pace)}}
}

// lineExporter writes records as lines.
type lineExporter struct {
	format Format

	// Of the goroutine that writes batches.
	lines jsonLines // of the batch, after a line break in case the output ends within a line
	ends  []int     // of each line
	done  int       // how many bytes were written, or need not be

	// using holds an item while the output is in use. Its user may use the rest.
	using      chan struct{}
	output     io.WriteCloser
	torn       bool // the output ends within a line
	unfinished bool // the rest of the batch is still to be written

	hangs atomic.Bool // a late line has timed out
}

func newLineExporter(output io.WriteCloser) *lineExporter {
	return &lineExporter{output: output, lines: jsonLines{[]byte{'\n'}}, using: make(chan struct{}, 1)}
}

func (e *lineExporter) add(r *Record) {
	if e.format == FormatOCSF {
		e.lines.bytes = appendEvent(e.lines.bytes, r)
	} else {
		e.lines.add(r)
	}
	e.ends = append(e.ends, len(e.lines.bytes))
}

// export continues where it stopped if it failed before.
func (e *lineExporter) export(context.Context) error {
	e.using <- struct{}{}
	defer func() { <-e.using }()
	if e.done == 0 && !e.torn {
		e.done = 1
	}
	for next := 0; e.done < len(e.lines.bytes); {
		for e.ends[next] <= e.done {
			next++
		}
		end := e.ends[next]
		for next++; next < len(e.ends) && e.ends[next]-e.done <= maxWrite; next++ {
			end = e.ends[next]
		}
		n, err := e.write(e.lines.bytes[e.done:end])
		if e.done += n; e.done < end {
			e.unfinished = true
			return &writeError{e.unwritten(), cmp.Or(err, io.ErrShortWrite)}
		}
	}
	e.unfinished = false
	return nil
}

// write writes to the output, and notes whether it ends within a line. The caller has
// put an item into using.
func (e *lineExporter) write(lines []byte) (int, error) {
	n, err := e.output.Write(lines)
	n = max(0, min(n, len(lines)))
	if n > 0 {
		e.torn = lines[n-1] != '\n'
	}
	return n, err
}

// unwritten counts the lines that were not written in full.
func (e *lineExporter) unwritten() (lines int) {
	for _, end := range e.ends {
		if end > e.done {
			lines++
		}
	}
	return lines
}

func (e *lineExporter) reset() {
	e.using <- struct{}{}
	defer func() { <-e.using }()
	e.unfinished = false // the rest was given up
	e.lines.bytes, e.ends, e.done = e.lines.bytes[:1], e.ends[:0], 0
}

// latePatience is how long a late line waits for others.
const latePatience = 100 * time.Millisecond

// late writes a record that came after the sink was closed, if the output still takes
// it.
func (e *lineExporter) late(r *Record) bool {
	if e.hangs.Load() {
		return false
	}
	patience := time.NewTimer(latePatience)
	defer patience.Stop()
	select {
	case e.using <- struct{}{}:
	case <-patience.C:
		e.hangs.Store(true)
		return false
	}
	defer func() { <-e.using }()
	if e.unfinished && e.torn {
		return false // it would stand within another line
	}
	appendTo := appendLine
	if e.format == FormatOCSF {
		appendTo = appendEvent
	}
	line := appendTo([]byte{'\n'}, r)
	if !e.torn {
		line = line[1:]
	}
	n, _ := e.write(line)
	return n == len(line)
}

// shutdown closes the output. If that takes longer than ctx allows, because the output
// hangs or compresses a rolled file, it goes on in the background.
func (e *lineExporter) shutdown(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() {
		e.using <- struct{}{}
		defer func() { <-e.using }()
		closed <- e.close()
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close closes the output. Caddy's network writer panics if it never had a connection.
func (e *lineExporter) close() (err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = fmt.Errorf("closing the output: %v", crash)
		}
	}()
	return e.output.Close()
}
