package audit

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Condition says whether records are kept.
type Condition struct {
	// Discarded is the number of handlers whose records nothing keeps, as configured.
	Discarded int
	// Troubles are those of sinks, sorted by sink. There are none while all is well.
	Troubles []Trouble
}

// Trouble is a sink that fails.
type Trouble struct {
	Sink string
	// Losing is false while the sink's records wait, and none is lost.
	Losing bool
	// Since is when it started.
	Since time.Time
	// Cause and Detail come from fixed lists; the detail may be empty.
	Cause, Detail string
}

// Troubles remembers which sinks fail now. The zero value is ready to use. It has the methods of
// a [LossObserver], and is safe for concurrent use.
type Troubles struct {
	mu    sync.Mutex
	sinks map[string]Trouble
}

// HoldingRecords implements [LossObserver].
func (t *Troubles) HoldingRecords(sink, cause, detail string) {
	t.note(Trouble{Sink: sink, Cause: cause, Detail: detail})
}

// LosingRecords implements [LossObserver].
func (t *Troubles) LosingRecords(sink, cause, detail string) {
	t.note(Trouble{Sink: sink, Losing: true, Cause: cause, Detail: detail})
}

// KeepingRecords implements [LossObserver].
func (t *Troubles) KeepingRecords(sink string, _ int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sinks, sink)
}

func (t *Troubles) note(trouble Trouble) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sinks == nil {
		t.sinks = make(map[string]Trouble)
	}
	trouble.Since = time.Now()
	if before, ok := t.sinks[trouble.Sink]; ok {
		trouble.Since = before.Since
	}
	t.sinks[trouble.Sink] = trouble
}

// List returns the sinks that fail now, sorted by name.
func (t *Troubles) List() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Trouble, 0, len(t.sinks))
	for _, trouble := range t.sinks {
		list = append(list, trouble)
	}
	slices.SortFunc(list, func(a, b Trouble) int { return cmp.Compare(a.Sink, b.Sink) })
	return list
}
