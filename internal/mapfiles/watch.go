package mapfiles

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/scopes"
)

const (
	// interval is how often the files are looked at. Looking is a stat of each, which works
	// on every file system; notifications do not, and lose track of renamed files.
	interval = time.Second
	// rereadAfter is how long the stamp of a file is trusted. Programs can write a file and
	// set its time back.
	rereadAfter = time.Minute
)

// Watch puts changed files in force for as long as it is open.
type Watch struct {
	// Workspace is the URL, for log and events.
	Workspace string
	Files     Files
	// InForce is replaced when the files have changed. It is not empty.
	InForce *atomic.Pointer[InForce]
	// Prepare returns the judges of the workspace's handlers with a catalog, in the order
	// of InForce.Judges, or why they would not work.
	Prepare func(*scopes.Catalog) ([]*judge.Judge, error)
	// Seen is what maps are compared by.
	Seen Seen
	Tell Tell
	// AtStart compares the map with what earlier processes saw, once and in the background.
	// They may have had another map.
	AtStart bool

	mu     sync.Mutex // guards closed, and is held while a change is put in force
	closed bool
	cancel context.CancelFunc

	// Of the goroutine that looks.
	metrics *metrics.MapFiles
	stamps  [2]stamp
	readAt  time.Time
	pending sum // read last, to be read again before it counts
	waiting bool
	refused sum // why it is not in force was told last
	failed  bool
}

// Start begins to look at the files, in the background. Close the watch. Without files there
// is nothing to look at.
func (w *Watch) Start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.metrics = w.Tell.Metrics.NewMapFiles()
	if w.AtStart {
		go w.compareRecorded(ctx)
	}
	if w.Files.Any() {
		w.begin()
		go w.run(ctx)
	}
}

// Close stops looking. It does not wait for a file system that hangs; from now on nothing is
// put in force or told.
func (w *Watch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.cancel != nil {
		w.cancel()
		w.metrics.Close()
	}
}

func (w *Watch) run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(ctx)
		}
	}
}

// look reads the files if they may have changed. A change counts when it was read twice: an
// editor, or two files that are replaced one after the other, get the time to finish.
func (w *Watch) look(ctx context.Context) {
	now := time.Now()
	stamps := [2]stamp{stampOf(w.Files.Bundle), stampOf(w.Files.Routes)}
	changed := !stamps[0].same(w.stamps[0]) || !stamps[1].same(w.stamps[1])
	young := stamps[0].young(w.readAt) || stamps[1].young(w.readAt)
	if !changed && !young && !w.waiting && now.Sub(w.readAt) < rereadAfter {
		return
	}
	w.stamps, w.readAt = stamps, now
	contents := w.Files.read()
	read := contents.sum()
	switch {
	case read == w.InForce.Load().sum:
		w.waiting = false
		w.recovered()
	case !w.waiting || read != w.pending:
		w.pending, w.waiting = read, true
	default:
		w.waiting = false
		w.change(ctx, contents, read)
	}
}
