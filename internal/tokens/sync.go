package tokens

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// SyncObserver is an [Observer] that is also told of refreshes from the list of all
// tokens (see [Settings.Sync]).
type SyncObserver interface {
	// Synced reports one refresh from the list: the result ("listed" or an [Outage]),
	// how many tokens the list held, and how long it took.
	Synced(result string, tokens int, took time.Duration)
}

// listTimeout bounds one request for the list of all tokens.
const listTimeout = time.Minute

// syncing is the state of the background refresh from the list.
type syncing struct {
	started atomic.Bool

	mu    sync.Mutex
	every time.Duration
	stop  context.CancelFunc // nil while it is not running
}

// start starts the background refresh from the list of all tokens, if [Settings.Sync]
// asks for it. So does the first look-up.
func (r *Resolver) start() {
	if r.sync.started.Load() {
		return
	}
	r.sync.mu.Lock()
	defer r.sync.mu.Unlock()
	if !r.sync.started.Swap(true) {
		r.restartSync()
	}
}

func (r *Resolver) tuneSync(every time.Duration) {
	r.sync.mu.Lock()
	defer r.sync.mu.Unlock()
	if every == r.sync.every {
		return
	}
	r.sync.every = every
	if r.sync.started.Load() {
		r.restartSync()
	}
}

func (r *Resolver) restartSync() {
	if r.sync.stop != nil {
		r.sync.stop()
		r.sync.stop = nil
	}
	every := r.sync.every
	if every <= 0 || !r.tasks.begin() {
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	r.sync.stop = cancel
	go func() {
		defer r.tasks.end()
		defer cancel()
		// Start at a random moment: a hundred pods of one roll-out must not ask for the
		// same long list at the same time, now and in every interval after.
		timer := time.NewTimer(r.jitter(every))
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
			timer.Reset(every)
			// Of several gateways, one asks. The others hear of it by Listed.
			if r.breaker.refuses(r.now()) || r.lead(ctx, every) {
				r.syncOnce(ctx)
			}
		}
	}()
}

// syncOnce refreshes all facts from the list. If that fails, the facts age and are
// looked up one by one, as without sync.
func (r *Resolver) syncOnce(ctx context.Context) {
	started := r.now()
	if r.breaker.refuses(started) {
		r.synced(string(Paused), 0, 0)
		return
	}
	mark, since := r.mark(), r.cache.since()
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, faulty, err := r.service.List(ctx)
	now := r.now()
	if err == nil && len(list)+len(faulty) == 0 && r.cache.len() > 0 {
		// Don't trust it: something other than the API may answer {}. If all tokens were
		// in fact revoked, look-ups find out one by one.
		err = &UnavailableError{Outage: BadAnswer, Err: errors.New("the list of tokens is empty")}
	}
	switch {
	case err == nil:
		r.listWorked()
		r.skipFaulty(list, faulty)
		changed := r.cache.replace(list, started, since)
		r.learned(list...)
		r.tellList(list, changed, started, since, mark)
		r.synced("listed", len(list), now.Sub(started))
	case errors.Is(ctx.Err(), context.Canceled):
	default:
		outage := asOutage(err)
		r.listless.Store(outage.Outage == NoList)
		r.synced(string(outage.Outage), 0, now.Sub(started))
		// A list may fail only because it is long. Pause look-ups only for what would fail
		// them too.
		if certain(outage) {
			r.failed(now, outage)
		}
	}
}

// skipFaulty counts what cannot be used of a list, and forgets what was known of such
// tokens: the next request with one asks about it alone. The list has them, so they must
// not be taken for revoked.
func (r *Resolver) skipFaulty(list []*Info, faulty []Faulty) {
	kinds := make(map[string]int)
	for _, f := range faulty {
		kinds[f.Err.Kind()]++
		r.cache.drop(f.ID)
	}
	for _, info := range list {
		if !info.Expires.Known() {
			kinds[string(NoExpiry)]++
		}
	}
	for kind, n := range kinds {
		r.unusable(kind, n)
	}
}

// drop forgets what is known of a token, unlike forget without distrusting look-ups in
// progress.
func (c *cache) drop(id ID) { c.shard(&id).known.Remove(id) }

func (r *Resolver) synced(result string, tokens int, took time.Duration) {
	if o, ok := r.observer.(SyncObserver); ok {
		o.Synced(result, tokens, took)
	}
}
