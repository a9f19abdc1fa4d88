package audit

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"sync"
	"syscall"
	"testing"
)

// lineOutput is an output that keeps what is written to it.
type lineOutput struct {
	gate chan struct{} // nil for open

	mu      sync.Mutex
	all     bytes.Buffer
	room    int // bytes that it still takes; negative for any number
	writes  int
	closed  bool
	crashes bool // when it is closed
}

func newOutput() *lineOutput { return &lineOutput{room: -1} }

func (o *lineOutput) Write(lines []byte) (int, error) {
	if o.gate != nil {
		<-o.gate
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	if o.room >= 0 && len(lines) > o.room {
		n, _ := o.all.Write(lines[:o.room])
		o.room = 0
		return n, &fs.PathError{Op: "write", Path: "/secret/name", Err: syscall.ENOSPC}
	}
	if o.room >= 0 {
		o.room -= len(lines)
	}
	return o.all.Write(lines)
}

func (o *lineOutput) setRoom(room int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room = room
}

// state returns how often it was written to, and whether it was closed.
func (o *lineOutput) state() (writes int, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writes, o.closed
}

func (o *lineOutput) Close() error {
	if o.crashes {
		panic("there was never a connection")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	return nil
}

// paths returns the paths of the records that were written, and how many lines are
// broken.
func (o *lineOutput) paths(t *testing.T) (paths []string, broken int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for line := range bytes.Lines(o.all.Bytes()) {
		var record struct{ Path string }
		if err := json.Unmarshal(line, &record); err != nil {
			broken++
			continue
		}
		paths = append(paths, record.Path)
	}
	return paths, broken
}
