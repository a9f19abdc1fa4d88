package audit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/DeRuina/timberjack"
)

// Roller opens the writer that knows how a file is rolled.
type Roller func() (*timberjack.Logger, error)

// rolling rolls a file by the rules of Caddy's file writer. That writer renames,
// compresses and deletes. It is not used to write, because it would not notice what other
// programs do to the file, and it does not append to a file that it has rolled, which
// leaves a gap of zeros when that is truncated. So this decides when to roll, too. One
// goroutine may use it at a time.
type rolling struct {
	open  Roller
	rules *timberjack.Logger
	now   func() time.Time

	rolled  time.Time // the last time, or the first time that something was written
	checked time.Time

	untidy chan struct{} // holds an item if rolled files are to be compressed or deleted
	tidied chan struct{} // is closed when no more are
}

// errRolling says that a file could not be rolled.
var errRolling = errors.New("rolling the file")

func newRolling(open Roller) (*rolling, error) {
	rules, err := open()
	if err != nil {
		return nil, err
	}
	r := &rolling{open: open, rules: rules, now: time.Now, untidy: make(chan struct{}, 1), tidied: make(chan struct{})}
	go r.keepTidy()
	return r, nil
}

// Reasons for rolling, which become part of the name of the rolled file.
const (
	rollSize = "size"
	rollTime = "time"
)

// due returns why a file of the given size must be rolled now, before so many bytes more
// are written to it, or an empty string.
func (r *rolling) due(size int64, more int) (reason string) {
	now := r.now()
	if r.rolled.IsZero() {
		r.rolled, r.checked = now, now
		r.tidy() // what an earlier process has left
	}
	switch {
	case r.isTime(now):
		reason = rollTime
		if size == 0 {
			r.rolled = now
		}
	case size+int64(more) > int64(r.rules.MaxSize)<<20:
		reason = rollSize
	}
	if size == 0 {
		reason = ""
	}
	if reason == "" {
		r.checked = now
	}
	return reason
}

// roll renames the file, and creates an empty one with the same owner and mode.
func (r *rolling) roll(reason string) error {
	writer, err := r.open()
	if err != nil {
		return err
	}
	writer.Compression, writer.MaxBackups, writer.MaxAge = "none", 0, 0 // others do not wait for that
	if err := errors.Join(writer.RotateWithReason(reason), writer.Close()); err != nil {
		return fmt.Errorf("%w: %w", errRolling, err)
	}
	r.rolled = r.now()
	r.checked = r.rolled
	r.tidy()
	return nil
}

// isTime reports whether the rules name a time since the last check, or the file has not
// been rolled for long enough.
func (r *rolling) isTime(now time.Time) bool {
	if every := r.rules.RotationInterval; every > 0 && now.Sub(r.rolled) >= every {
		return true
	}
	if len(r.rules.RotateAtMinutes)+len(r.rules.RotateAt) == 0 {
		return false
	}
	zone := time.UTC
	if r.rules.LocalTime {
		zone = time.Local
	}
	const day = 24 * time.Hour
	from := r.checked
	if now.Sub(from) > day {
		from = now.Add(-day)
	}
	for t := from.Truncate(time.Minute).Add(time.Minute); !t.After(now); t = t.Add(time.Minute) {
		clock := t.In(zone)
		if slices.Contains(r.rules.RotateAtMinutes, clock.Minute()) || slices.ContainsFunc(r.rules.RotateAt, func(at string) bool {
			mark, err := time.Parse("15:4", at)
			return err == nil && mark.Hour() == clock.Hour() && mark.Minute() == clock.Minute()
		}) {
			return true
		}
	}
	return false
}

// tidy compresses and deletes rolled files, in the background.
func (r *rolling) tidy() {
	select {
	case r.untidy <- struct{}{}:
	default: // soon
	}
}

func (r *rolling) keepTidy() {
	defer close(r.tidied)
	for range r.untidy {
		writer, err := r.open()
		if err != nil {
			continue // writing fails, too
		}
		writer.MaxSize, writer.RotationInterval = math.MaxInt32, 0 // nothing is rolled here
		writer.RotateAtMinutes, writer.RotateAt = nil, nil
		_, _ = writer.Write(nil) // tidies in the background
		_ = writer.Close()       // waits for that
	}
}

// close waits until rolled files are compressed.
func (r *rolling) close() {
	close(r.untidy)
	<-r.tidied
}
