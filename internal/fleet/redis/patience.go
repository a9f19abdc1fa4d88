package redis

import (
	"context"
	"sync/atomic"
	"time"
)

type patienceKey struct{}

// WithPatience returns a context of one request: all that is asked in it together may take
// the patience of one operation.
func (c *Conn) WithPatience(ctx context.Context) context.Context {
	left := new(atomic.Int64)
	left.Store(int64(c.options.Patience))
	return context.WithValue(ctx, patienceKey{}, left)
}

// spend takes what a question takes from the patience of its request. It is not ok if there is
// none left. Call done with the result of the question. An answer that was read after its time
// was late because of this process, see [busy], and patience begins anew.
func (c *Conn) spend(ctx context.Context) (limited context.Context, done func(error), ok bool) {
	left, shared := ctx.Value(patienceKey{}).(*atomic.Int64)
	if !shared {
		limited, cancel := context.WithTimeout(ctx, c.options.Patience)
		return limited, func(error) { cancel() }, true
	}
	most := time.Duration(left.Load())
	if most <= 0 {
		return nil, nil, false
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, most)
	return limited, func(err error) {
		cancel()
		took := time.Since(began)
		if err == nil && took > most {
			left.Store(int64(c.options.Patience))
			return
		}
		left.Add(-int64(took))
	}, true
}

// AwaitUp waits until the store is up, or ctx ends.
func (c *Conn) AwaitUp(ctx context.Context) error {
	for wait := time.Millisecond; ; wait = min(2*wait, minPause) {
		if up, _, _ := c.Up(); up {
			return nil
		}
		if ctx.Err() != nil {
			return ErrDown
		}
		pause(ctx, wait)
	}
}
