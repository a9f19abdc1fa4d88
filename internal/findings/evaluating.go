package findings

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// evaluate judges all tokens, unless another gateway did so within a time: then it reads what
// that one saved.
func (b *Book) evaluate(ctx context.Context, within time.Duration) error {
	if err := take(ctx, b.evaluating); err != nil {
		return err
	}
	defer give(b.evaluating)
	settings, _ := b.current()
	if settings.Input == nil || within == freshness && b.fresh() { // evaluated while it waited
		return nil
	}
	now := b.options.Now()
	if settings.Store != nil {
		type answer struct {
			leads bool
			at    time.Time
		}
		got, err := await(ctx, func(ctx context.Context) (a answer, err error) {
			a.leads, a.at, err = settings.place().takeLead(ctx, b.self, now, within)
			return a, err
		})
		if err == nil && !got.leads {
			return b.adopt(ctx, got.at)
		}
		// After an error it goes on: what is wrong can be shown, if not saved.
	}
	in, err := settings.Input(ctx)
	if err != nil {
		return fmt.Errorf("evaluating findings: %w", err)
	}
	e := evaluate(&in, settings.Thresholds, b.options.Workspace, now)
	b.mu.Lock()
	b.evaluated, b.notes = now, e.notes
	b.mu.Unlock()
	err = b.change(ctx, func(s *states) ([]changed, error) { return s.apply(&e, now), nil })
	if err != nil && !errors.Is(err, context.Canceled) {
		_, known := b.current()
		known.apply(&e, now)
		b.show(known)
	}
	return err
}

// change changes the states, saves them, shows them, and tells what changed. After an error,
// nothing is changed, unless the error is errNoAnswer.
func (b *Book) change(ctx context.Context, f func(*states) ([]changed, error)) error {
	if err := take(ctx, b.changing); err != nil {
		return err
	}
	defer give(b.changing)
	settings, known := b.current()
	if settings.Store == nil {
		changes, err := f(&known)
		if err != nil {
			return err
		}
		b.keep(known)
		b.announce(changes)
		return nil
	}
	type answer struct {
		states  states
		changes []changed
		aside   error
	}
	now := b.options.Now()
	got, err := await(ctx, func(ctx context.Context) (a answer, err error) {
		a.states, a.aside, err = settings.place().change(ctx, &known, now, func(s *states) (err error) {
			a.changes, err = f(s)
			return err
		})
		return a, err
	})
	if got.aside != nil && err == nil {
		b.tell(got.aside)
	}
	var ofRequest *RequestError
	if err != nil {
		if !errors.As(err, &ofRequest) {
			b.note(err)
		}
		return err
	}
	b.keep(got.states)
	b.announce(got.changes)
	return nil
}

// adopt reads what is saved, unless that happened a moment ago. The time is that of the
// evaluation, zero if it is not known.
func (b *Book) adopt(ctx context.Context, evaluated time.Time) error {
	settings, _ := b.current()
	if settings.Store == nil || evaluated.IsZero() && b.justRead() {
		return nil
	}
	if err := take(ctx, b.changing); err != nil {
		return err
	}
	defer give(b.changing)
	s, err := await(ctx, func(ctx context.Context) (states, error) {
		s, _, err := settings.place().load(ctx)
		return s, err
	})
	if err != nil {
		b.note(err)
		return err
	}
	b.keep(s)
	if !evaluated.IsZero() {
		b.mu.Lock()
		b.evaluated, b.notes = evaluated, nil
		b.mu.Unlock()
	}
	return nil
}

// rereadAfter spares the store those who ask every second.
const rereadAfter = 5 * time.Second

func (b *Book) justRead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.read.IsZero() && time.Since(b.read) < rereadAfter
}

func (s *Settings) place() place { return place{s.Store, s.Prefix} }

// current returns the settings, and a copy of what is known.
func (b *Book) current() (Settings, states) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings, b.known.clone()
}

// keep replaces what is known.
func (b *Book) keep(s states) {
	b.mu.Lock()
	b.known, b.read, b.problem = s, time.Now(), ""
	b.mu.Unlock()
	b.show(s)
}

// note remembers why what is known could not be read or saved.
func (b *Book) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problem = err.Error()
}

// show replaces what is shown, and counts it.
func (b *Book) show(s states) {
	sorted := s.sorted()
	b.mu.Lock()
	b.shown, b.cut = sorted, s.cut
	b.mu.Unlock()
	if b.options.Count == nil {
		return
	}
	counts := make(map[Kind]map[State]int)
	for i := range sorted {
		f := &sorted[i]
		if counts[f.Kind] == nil {
			counts[f.Kind] = make(map[State]int)
		}
		counts[f.Kind][f.State]++
	}
	b.options.Count(counts)
}

func (b *Book) announce(changes []changed) {
	if b.options.Observe == nil {
		return
	}
	for i := range changes {
		b.options.Observe(changes[i].clone(), changes[i].change)
	}
}

// errNoAnswer means that the storage did not answer in time.
var errNoAnswer = errors.New("the storage does not answer in time; what was asked for may still happen")

// grace is how long a store may take to return after its context has ended. One that takes
// longer ignores contexts, as file systems do, and is left behind.
const grace = time.Second

// await runs f, which works on the store, and stops waiting soon after its time is over. Then f
// continues on its own. An error after that time is errNoAnswer.
func await[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := f(ctx)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-late.C:
		var none T
		return none, errNoAnswer
	}
}

// take waits for a slot, which give frees.
func take(ctx context.Context, slot chan struct{}) error {
	select {
	case slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errNoAnswer, ctx.Err())
	}
}

func give(slot chan struct{}) { <-slot }
