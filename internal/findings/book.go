package findings

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

const (
	// DefaultEvery is how often findings are evaluated.
	DefaultEvery = 15 * time.Minute
	// freshness is how old an evaluation may be for those who ask.
	freshness = time.Minute
	// evaluationTimeout bounds one evaluation. The list of tokens may take a minute.
	evaluationTimeout = 2 * time.Minute
	// askTimeout bounds how long those who ask wait.
	askTimeout = 30 * time.Second
	// storeTimeout bounds one operation on the store. Reading and writing all findings that
	// there may be takes a second or two.
	storeTimeout = 10 * time.Second
	// closeTimeout bounds how long Close waits, so that it does not delay shutdown.
	closeTimeout = 2 * time.Second
)

// Options are what a [Book] does with what it knows.
type Options struct {
	// Workspace is the URL of the workspace.
	Workspace string
	// Now returns the current time; default time.Now.
	Now func() time.Time
	// Observe is told what happens to findings; nil is valid.
	Observe Observer
	// Count is told how many findings of each kind and state there are; nil is valid. It must
	// not block.
	Count func(counts map[Kind]map[State]int)
}

// Settings are how a [Book] is kept.
type Settings struct {
	Thresholds
	// Store is where findings are saved, below a prefix; nil keeps them in memory.
	Store  usage.Store
	Prefix string
	// Every is how often findings are evaluated; 0 leaves that to those who ask.
	Every time.Duration
	// Input returns what to evaluate.
	Input func(context.Context) (Input, error)
	// OnError is told why findings cannot be evaluated or saved; nil is valid.
	OnError func(error)
}

// Book holds the findings of a workspace. Gateways that share a store share the findings: of
// all of them, one evaluates in each period, and each change is told by the one that saved it.
// While the store fails, findings are evaluated in memory and changes wait. A Book is safe for
// concurrent use, and no request waits for it.
type Book struct {
	options Options
	self    string // names this book to others
	// evaluating and changing are held while one is under way. They are channels because
	// waiting for them must be able to time out.
	evaluating, changing chan struct{}

	mu        sync.Mutex // guards the following; never held during I/O
	settings  Settings
	known     states // as last read or saved, or evaluated without a store
	shown     []Finding
	cut       int
	evaluated time.Time // here, or by another gateway
	read      time.Time // when known was last read or saved, in real time
	notes     []string
	problem   string    // why known could not be read or saved
	due       time.Time // of the next evaluation, in real time

	work sync.Mutex // guards the following
	stop func()     // ends the evaluations; nil while there are none
}

// NewBook returns an empty book. Close it.
func NewBook(options Options) *Book {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Book{
		options: options, self: strings.ToLower(rand.Text()), known: newStates(), shown: []Finding{},
		evaluating: make(chan struct{}, 1), changing: make(chan struct{}, 1),
	}
}

// Keep evaluates findings from now on, in place of the settings before.
func (b *Book) Keep(settings Settings) {
	b.work.Lock()
	defer b.work.Unlock()
	b.end()
	b.mu.Lock()
	b.settings = settings
	b.mu.Unlock()
	if settings.Every <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	b.stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(closeTimeout): // the store hangs
		}
	}
	go func() {
		defer close(done)
		starting, cancel := context.WithTimeout(ctx, askTimeout)
		b.tell(b.adopt(starting, time.Time{}))
		cancel()
		timer := time.NewTimer(b.wait(settings.Every))
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			b.mu.Lock()
			b.due = time.Now().Add(settings.Every)
			b.mu.Unlock()
			timer.Reset(settings.Every)
			evaluating, cancel := context.WithTimeout(ctx, evaluationTimeout)
			b.tell(b.evaluate(evaluating, settings.Every*9/10))
			cancel()
		}
	}()
}

// wait returns how long to wait for the first evaluation. It is not at once, because gateways
// are often started together, and not later than it would have been before a reload.
func (b *Book) wait(every time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := every/2 + mathrand.N(every/2+1)
	if !b.due.IsZero() {
		first = max(0, min(every, time.Until(b.due)))
	}
	b.due = time.Now().Add(first)
	return first
}

// tell says why something failed, unless the book was closed.
func (b *Book) tell(err error) {
	b.mu.Lock()
	onError := b.settings.OnError
	b.mu.Unlock()
	if err != nil && !errors.Is(err, context.Canceled) && onError != nil {
		onError(err)
	}
}

// end must be called with work locked.
func (b *Book) end() {
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// Stop ends evaluations and forgets the findings, which stay in the store.
func (b *Book) Stop() {
	b.Close()
	b.mu.Lock()
	b.settings, b.known, b.evaluated, b.notes, b.problem = Settings{}, newStates(), time.Time{}, nil, ""
	b.mu.Unlock()
	b.show(newStates())
}

// Close ends evaluations. It returns within a few seconds, even if the store hangs.
func (b *Book) Close() {
	b.work.Lock()
	defer b.work.Unlock()
	b.end()
}

// List returns all findings, what matters most first. It does not wait.
func (b *Book) List() []Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Finding, len(b.shown))
	for i := range b.shown {
		all[i] = b.shown[i].clone()
	}
	return all
}

// Refresh evaluates the findings, unless that happened within a minute, and reads what other
// gateways changed since. It waits for half a minute at most. Beside an error, there is what
// was known before.
func (b *Book) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if b.fresh() {
		return b.adopt(ctx, time.Time{})
	}
	return b.evaluate(ctx, freshness)
}

// fresh reports whether there is an evaluation that is good enough for those who ask.
func (b *Book) fresh() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	age := b.options.Now().Sub(b.evaluated)
	return !b.evaluated.IsZero() && age >= 0 && age < freshness && b.problem == ""
}

// Acknowledge marks a finding that holds. It is saved when this returns; after an error,
// nothing is changed, unless the store took too long. The error is [ErrUnknownKey],
// [ErrResolved], about the request, or about the store.
func (b *Book) Acknowledge(ctx context.Context, a Acknowledge) (Finding, error) {
	by, err := a.acknowledgment(b.options.Now())
	if err != nil {
		return Finding{}, &RequestError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var f Finding
	err = b.change(ctx, func(s *states) (_ []changed, err error) {
		if f, err = s.acknowledge(a.Key, by); err != nil {
			return nil, &RequestError{err}
		}
		return []changed{{f, ChangeAcknowledged}}, nil
	})
	if err != nil {
		return Finding{}, err
	}
	return f.clone(), nil
}

// RequestError is an error of who asks, and not of the store.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }
func (e *RequestError) Unwrap() error { return e.Err }
