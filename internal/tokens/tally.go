package tokens

import (
	"errors"
	"sync"
	"time"
)

// longWait is how long a request must wait for a look-up in vain to be counted as one
// that waited.
const longWait = 100 * time.Millisecond

// Tally counts the requests that an outage of look-ups affects and reports them, many at
// a time: the first at once, then at most once per interval, and what is left when the
// outage ends. Clients retry for minutes without a word, so the operator must hear of it
// from the gateway. It is safe for concurrent use; use [NewTally], and Close it.
type Tally struct {
	every  time.Duration
	report func(TallyReport)

	mu     sync.Mutex
	now    TallyReport // since the last report
	total  TallyReport // since the outage began
	begun  bool        // the outage has a beginning and an end, which the caller reports
	timer  *time.Timer // runs for an interval after each report; nil if the next is due at once
	closed bool
}

// TallyReport is how many requests an outage affected.
type TallyReport struct {
	// Last is the outage that the last of the requests met.
	Last *UnavailableError
	// Unjudged is how many requests got no judgement. They were refused, or passed if
	// refusals are only recorded.
	Unjudged int
	// Waited is how many requests waited for a look-up in vain, including those that
	// were then judged by what the cache knew and those whose clients left.
	Waited int
	// Since is when the first of the requests came. Zero if there was none.
	Since time.Time
}

// NewTally returns a tally that calls report from any goroutine, one at a time.
func NewTally(every time.Duration, report func(TallyReport)) *Tally {
	return &Tally{every: every, report: report}
}

// Waited counts a request, see [Observer].
func (t *Tally) Waited(err error, took time.Duration, stale bool) {
	var outage *UnavailableError
	if errors.As(err, &outage) && outage.Outage == Closed {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range []*TallyReport{&t.now, &t.total} {
		if outage != nil {
			r.Last = outage.Root()
		}
		if outage != nil && !stale {
			r.Unjudged++
		}
		if took >= longWait {
			r.Waited++
		}
		if r.Since.IsZero() {
			r.Since = time.Now().Add(-took)
		}
	}
	if t.timer == nil && t.now.Unjudged > 0 && !t.closed {
		t.tell()
	}
}

// tell reports what has not been reported yet. The caller holds the lock.
func (t *Tally) tell() {
	report := t.now
	t.wait()
	t.report(report)
}

// wait holds back what comes within the next interval. The caller holds the lock.
func (t *Tally) wait() {
	t.stop()
	t.now = TallyReport{}
	if t.closed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(t.every, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case t.timer != timer: // it was stopped too late
		case t.now.Unjudged > 0:
			t.tell()
		case t.begun:
			t.timer = nil
		default: // nobody reports the end of this one
			t.timer, t.total = nil, TallyReport{}
		}
	})
	t.timer = timer
}

// Begin returns what was counted so far of an outage whose beginning the caller reports.
func (t *Tally) Begin() TallyReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = true
	if t.total.Unjudged > 0 {
		t.wait()
	} else { // the first one is reported at once
		t.stop()
		t.now = TallyReport{}
	}
	return t.total
}

// End returns what was counted of an outage that has ended, all of it.
func (t *Tally) End() TallyReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
	total := t.total
	t.now, t.total, t.begun = TallyReport{}, TallyReport{}, false
	return total
}

// Close stops reporting.
func (t *Tally) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.stop()
}

func (t *Tally) stop() {
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}
