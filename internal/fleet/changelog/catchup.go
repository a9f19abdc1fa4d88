package changelog

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
)

// state is what the server says of the log.
type state struct {
	epoch   epoch
	first   fleet.Generation // 0 for none
	last    fleet.Generation // that was ever given out
	trimmed bool             // there were entries before first
	now     fleet.Generation // that an entry would have had, at least
	spoilt  bool             // it has what no gateway writes, and must begin again
}

// clock reads the answer to TIME.
func clock(result redis.Reply) (fleet.Generation, error) {
	now, err := result.Array()
	if err != nil || len(now) != 2 {
		return 0, errEpoch
	}
	first, _ := now[0].Text()
	second, _ := now[1].Text()
	seconds, err1 := strconv.ParseUint(first, 10, 40)
	micros, err2 := strconv.ParseUint(second, 10, 40)
	return fleet.NewGeneration(seconds*1000+micros/1000, 0), errors.Join(err1, err2)
}

// limit is the last generation that may have been given out at a time by the server's clock.
// Later ones were made up: what is from after them would be believed although it was changed
// since.
func limit(now fleet.Generation) fleet.Generation {
	ms, _ := now.Parts()
	return fleet.NewGeneration(ms+uint64(openedMargin.Milliseconds()), 0)
}

// catchUp finds out whether the log goes on where it was left, and applies what was missed.
func (s *Stream) catchUp() error {
	ctx, cancel := context.WithTimeout(s.ctx, 5*readPatience)
	defer cancel()
	written := s.lastWritten() // before looking: what is written meanwhile is not lost
	now, err := s.look(ctx)
	if err == nil && now.spoilt {
		if err = s.renew(ctx, now.epoch, true); err == nil {
			now, err = s.look(ctx)
		}
	}
	switch {
	case err != nil:
		return err
	case now.spoilt:
		return errEpoch // try again later
	}
	current, position := s.position()
	lost := s.loaded && now.epoch.text == current && now.last < max(s.high, written)
	if lost {
		if err = s.renew(ctx, now.epoch, false); err != nil {
			return err
		}
		if now, err = s.look(ctx); err != nil {
			return err
		}
	}
	switch {
	case !s.loaded || now.epoch.text != current:
		reason := "restarted"
		if lost {
			reason = "lost"
		}
		return s.begins(ctx, now, reason)
	}
	s.epoch = now.epoch // it may have been sealed again
	switch {
	case now.trimmed && now.first > position:
		s.raise(now.first - 1)
		s.again("trimmed", current, now.first-1)
	case now.first == 0 && now.last > position:
		s.raise(now.last)
		s.again("trimmed", current, now.last)
	}
	return s.readRange(ctx)
}

// begins reads a log from its beginning.
func (s *Stream) begins(ctx context.Context, now state, reason string) error {
	floor := now.epoch.floor
	if now.trimmed {
		floor = max(floor, now.last)
		if now.first > 0 {
			floor = max(now.epoch.floor, now.first-1)
		}
	}
	s.restart(floor)
	if s.epoch.text != "" && s.epoch.text != now.epoch.text {
		s.used = append(s.used[max(0, len(s.used)-maxUsed+1):], s.epoch.text)
	}
	s.epoch = now.epoch
	s.forgetWritten()
	clear(s.writers)
	s.high = now.last
	was := s.loaded
	s.fresh = now.last + 1 // all from before is doubted
	if !was {
		s.fresh = s.openedAt(now.now)
		if lost := max(now.first, 1) - 1; now.trimmed && (lost >= s.fresh || now.first == 0 && now.last >= s.fresh) {
			s.options.Gap()
		}
	}
	begin := fleet.Generation(0)
	if now.first > 0 {
		begin = now.first - 1
	} else {
		begin = now.last
	}
	s.again(reason, now.epoch.text, begin)
	s.loaded = false // of what is old, nothing is known here
	err := s.readRange(ctx)
	s.loaded = was || err == nil
	if err != nil {
		s.reset("unread", 0) // try it all again
		return err
	}
	if was {
		s.publishAgain()
	}
	s.complete(true)
	return nil
}

// openedAt returns the generation from which on changes may concern what this gateway found out
// without the log, which may have been out of reach since it was opened.
func (s *Stream) openedAt(now fleet.Generation) fleet.Generation {
	ms, _ := now.Parts()
	return fleet.NewGeneration(ms-min(ms, uint64((time.Since(s.opened)+openedMargin).Milliseconds())), 0)
}

// publishAgain publishes what this gateway has published, as the log has lost it.
func (s *Stream) publishAgain() {
	s.queue.Lock()
	own := s.own
	s.own = nil
	s.queue.Unlock()
	if len(own) > 0 {
		s.Publish(own...)
	}
}

// readRange applies all entries after the position.
func (s *Stream) readRange(ctx context.Context) error {
	for {
		_, last := s.position()
		results, err := s.options.Conn.Long(ctx, "change",
			redis.Cmd("XRANGE", s.log(), "("+idOf(last), "+", "COUNT", readBatch), redis.Cmd("TIME"))
		if err != nil {
			return err
		}
		entries, err := recordsOf(results[0])
		if err != nil {
			return err
		}
		now, err := clock(results[1])
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if !s.entry(entry, limit(now)) {
				return errors.New("the log has an entry without a place")
			}
		}
		if len(entries) < readBatch {
			return nil
		}
	}
}

// look asks the server for the state of the log. It begins the log if there is none.
func (s *Stream) look(ctx context.Context) (state, error) {
	begins, now, err := s.newEpoch(ctx)
	if err != nil {
		return state{}, err
	}
	found := state{now: now}
	if found.epoch, err = s.findEpoch(ctx, begins, limit(now)); err != nil {
		if s.ctx.Err() != nil || ctx.Err() != nil || errors.Is(err, redis.ErrDown) {
			return state{}, err
		}
		found.spoilt = true
	}
	results, err := s.options.Conn.Long(ctx, "change",
		redis.Cmd("XRANGE", s.log(), "-", "+", "COUNT", 1), redis.Cmd("XINFO", "STREAM", s.log()))
	if err != nil {
		return state{}, err
	}
	err = s.readState(&found, results[0], results[1]) // before found is copied
	return found, err
}

// readState reads what the server says of the log's entries.
func (s *Stream) readState(found *state, firsts, about redis.Reply) error {
	entries, err := recordsOf(firsts)
	if redis.IsWrongType(err) {
		s.spoil(found, "corrupt")
		return nil
	}
	if err != nil {
		return err
	}
	var ok bool
	if len(entries) > 0 {
		if found.first, ok = generationOf(entries[0].id); !ok || found.first > limit(found.now) {
			s.spoil(found, "future")
			return nil
		}
		found.last = found.first
	}
	return s.readInfo(found, about, limit(found.now))
}

// errLost says that the log has lost entries, or what it has is not to be believed.
var errLost = errors.New("the log has lost entries")

// readInfo reads what the server says of the log as a whole.
func (s *Stream) readInfo(found *state, about redis.Reply, latest fleet.Generation) error {
	said, err := about.Map()
	if redis.IsWrongType(err) {
		s.spoil(found, "corrupt")
		return nil
	}
	if redis.IsNoKey(err) {
		return nil // it begins with the first entry
	}
	if err != nil {
		return err
	}
	if id, err := said["last-generated-id"].Text(); err == nil {
		g, ok := generationOf(id)
		if !ok || g > latest {
			s.spoil(found, "future")
			return nil
		}
		found.last = max(found.last, g)
	}
	added, err1 := said["entries-added"].Int()
	length, err2 := said["length"].Int()
	found.trimmed = errors.Join(err1, err2) != nil || added > length // a server that does not say may have trimmed
	return nil                                                       //nolint:nilerr // see above
}

// spoil notes that the log has what no gateway writes.
func (s *Stream) spoil(found *state, kind string) {
	s.options.Observer.EntryRefused(kind)
	found.spoilt = true
}
