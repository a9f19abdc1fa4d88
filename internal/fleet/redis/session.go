package redis

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// session is the use of one server, from its first answer until its first failure.
type session struct {
	options  Options
	address  string
	password string
	ctx      context.Context // ends at the first failure, and closes all connections
	cancel   context.CancelFunc
	pipe     *pipe         // of Do, Script and probes
	short    chan struct{} // room for operations of Do and Script
	long     chan struct{} // and of Long
	answered atomic.Int64  // when it last answered, in nanoseconds

	mu     sync.Mutex
	idle   []*pipe        // of Long
	closed bool           // no more pipes
	work   sync.WaitGroup // of all pipes
}

// newSession connects to a server. Close it, even if there is an error.
func newSession(ctx context.Context, options Options, address, password string) (*session, error) {
	s := &session{
		options: options, address: address, password: password,
		short: make(chan struct{}, maxInFlight), long: make(chan struct{}, maxLong),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	var err error
	s.pipe, err = s.open(s.ctx, maxInFlight+1) // one for the probe
	return s, err
}

// close ends all connections, and waits until they have.
func (s *session) close() {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.work.Wait()
}

// open opens a pipe within ctx. It ends with the session.
func (s *session) open(ctx context.Context, room int) (*pipe, error) {
	conn, err := s.options.open(s.ctx, ctx, s.address, s.password)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return nil, ErrLost
	}
	p := newPipe(conn, room)
	s.work.Go(p.write)
	s.work.Go(p.read)
	return p, nil
}

// ask sends commands on the connection of all, and waits no longer than ctx and s last.
func (s *session) ask(ctx context.Context, commands []Command) ([]Reply, error) {
	if err := s.enter(ctx, s.short); err != nil {
		return nil, err
	}
	if len(commands) == 0 {
		<-s.short
		return nil, nil
	}
	return s.await(ctx, s.pipe, s.pipe.ask(commands, func() { <-s.short }))
}

// askAlone sends commands on a connection of their own, which it opens if there is none to use.
func (s *session) askAlone(ctx context.Context, commands []Command) ([]Reply, error) {
	if err := s.enter(ctx, s.long); err != nil {
		return nil, err
	}
	defer func() { <-s.long }()
	if len(commands) == 0 {
		return nil, nil
	}
	p := s.takeIdle()
	if p == nil {
		var err error
		if p, err = s.open(ctx, 1); err != nil {
			switch {
			case s.ctx.Err() != nil:
				err = ErrLost
			case ctx.Err() != nil:
				err = ctx.Err()
			}
			return nil, err
		}
	}
	replies, err := s.await(ctx, p, p.ask(commands, func() {}))
	if err != nil { // nobody waits for the replies that are due
		p.fail(err)
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, p)
	return replies, nil
}

// takeIdle returns a pipe that can be used, or nil.
func (s *session) takeIdle() *pipe {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.idle) > 0 {
		last := len(s.idle) - 1
		p := s.idle[last]
		s.idle = s.idle[:last]
		if p.usable() {
			return p
		}
	}
	return nil
}

// enter waits for room.
func (s *session) enter(ctx context.Context, room chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case room <- struct{}{}:
		return nil
	case <-s.ctx.Done():
		return ErrLost
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errNoRoom
		}
		return ctx.Err()
	}
}

// await waits for the replies to a call, no longer than ctx and s last.
func (s *session) await(ctx context.Context, p *pipe, c *call) ([]Reply, error) {
	for {
		select {
		case <-c.answered:
			s.answered.Store(time.Now().UnixNano())
			return c.replies, nil
		case <-p.failed:
			select {
			case <-c.answered: // before the failure
				continue
			default:
			}
			if s.ctx.Err() != nil {
				return nil, ErrLost
			}
			return nil, p.err
		case <-s.ctx.Done():
			return nil, ErrLost
		case <-ctx.Done():
			if due, ok := ctx.Deadline(); !ok || time.Since(due) < 0 || time.Since(due) > maxBusy || !busy() {
				return nil, ctx.Err()
			}
		}
	}
}

// maxBusy bounds how long a busy process waits for an answer beyond its patience.
const maxBusy = 300 * time.Millisecond

// busy lets other goroutines run, and reports whether there were so many that an answer may
// have come and not be read yet. Then a deadline that has passed says nothing of the store.
func busy() bool {
	began := time.Now()
	runtime.Gosched()
	return time.Since(began) > time.Millisecond
}
