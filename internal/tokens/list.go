package tokens

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// listReuse is how long a list of all tokens is reused: it is not paginated, and may be
// long.
const listReuse = 30 * time.Second

// listing is the last list.
type listing struct {
	flights singleflight.Group

	mu     sync.Mutex
	list   []*Info
	faulty []Faulty
	at     time.Time
	since  uint64 // the same on the cache's clock of purges
}

// List returns all tokens of the workspace, including expired ones, and when the
// workspace was asked, which may be half a minute ago. It is for reports; no request is
// judged by it. The error is an [*UnavailableError], or the context's if the caller
// left.
func (r *Resolver) List(ctx context.Context) ([]*Info, time.Time, error) {
	answer := r.listed.flights.DoChan(strconv.FormatUint(r.cache.since(), 36), func() (any, error) { return nil, r.relist() })
	select {
	case <-ctx.Done():
		return nil, time.Time{}, ctx.Err()
	case <-r.ctx.Done():
		return nil, time.Time{}, &UnavailableError{Outage: Closed}
	case result := <-answer:
		if result.Err != nil {
			return nil, time.Time{}, result.Err
		}
	}
	r.listed.mu.Lock()
	defer r.listed.mu.Unlock()
	return r.listed.list, r.listed.at, nil
}

// Faulty returns the tokens about which the last list says nothing that can be used.
func (r *Resolver) Faulty() []Faulty {
	r.listed.mu.Lock()
	defer r.listed.mu.Unlock()
	return r.listed.faulty
}

// relist asks for the list, unless the last one is young enough.
func (r *Resolver) relist() error {
	if !r.tasks.begin() {
		return &UnavailableError{Outage: Closed}
	}
	defer r.tasks.end()
	asked, since := r.now(), r.cache.since()
	r.listed.mu.Lock()
	age, unchanged := asked.Sub(r.listed.at), r.listed.since == since
	r.listed.mu.Unlock()
	if age >= 0 && age < listReuse && unchanged {
		return nil
	}
	if r.breaker.refuses(asked) {
		return pausedBy(r.breaker.outage())
	}
	ctx, cancel := context.WithTimeout(r.ctx, listTimeout)
	defer cancel()
	list, faulty, err := r.service.List(ctx)
	if err != nil {
		if r.ctx.Err() != nil {
			return &UnavailableError{Outage: Closed}
		}
		return asOutage(err)
	}
	r.listWorked()
	r.listed.mu.Lock()
	defer r.listed.mu.Unlock()
	r.listed.list, r.listed.faulty, r.listed.at, r.listed.since = list, faulty, asked, since
	return nil
}
