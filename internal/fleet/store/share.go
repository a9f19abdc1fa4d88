package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// maxShares bounds the answers of lists that wait to be shared, in batches.
	maxShares = 4096
	// batchSize is how many answers are written at once.
	batchSize = 100
	// batchPatience bounds the writing of a batch.
	batchPatience = 5 * time.Second
)

// share is a part of a list that waits to be shared, or the news that it was.
type share struct {
	mark    tokens.Mark
	answers []tokens.Answer
	listed  time.Time // set: all parts are before it
}

// Share implements [tokens.Sharing]. It does not wait for the store.
func (s *Store) Share(mark tokens.Mark, answers ...tokens.Answer) {
	if len(answers) == 1 {
		s.soon(func() {
			s.write(s.ctx, s.options.Conn.Do, mark, answers)
		})
		return
	}
	for part := range slices.Chunk(answers, batchSize) {
		select {
		case s.shares <- share{mark: mark, answers: part}:
		default:
			s.lose(mark)
		}
	}
}

// soon does something in the background, in order. What does not fit is not done: others find
// out by themselves then.
func (s *Store) soon(what func()) {
	select {
	case s.quick <- what:
	default:
		s.options.Observer.StoreAsked("share", "down", 0)
	}
}

func (s *Store) doSoon() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case what := <-s.quick:
			what()
		}
	}
}

// Listed implements [tokens.Sharing].
func (s *Store) Listed(mark tokens.Mark, at time.Time) {
	select {
	case s.shares <- share{mark: mark, listed: at}:
	default:
	}
}

func (s *Store) lose(mark tokens.Mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failed) > 100 { // lists that were never told of
		clear(s.failed)
	}
	s.failed[mark] = true
}

func (s *Store) shareInBackground() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case part := <-s.shares:
			if !part.listed.IsZero() {
				s.mu.Lock()
				failed := s.failed[part.mark]
				delete(s.failed, part.mark)
				s.mu.Unlock()
				if !failed {
					s.tellListed(part.listed)
				}
				continue
			}
			ctx, cancel := context.WithTimeout(s.ctx, batchPatience)
			if !s.write(ctx, s.options.Conn.Long, part.mark, part.answers) {
				s.lose(part.mark)
			}
			cancel()
		}
	}
}

// sender is [redis.Conn.Do] or [redis.Conn.Long].
type sender func(ctx context.Context, operation string, commands ...redis.Command) ([]redis.Reply, error)

// write writes answers, and tells of those that have changed. It reports whether all were
// written. A change is told of even if its answer could not be written.
func (s *Store) write(ctx context.Context, send sender, mark tokens.Mark, answers []tokens.Answer) bool {
	commands := make([]redis.Command, 0, len(answers))
	px := s.maxAge().Milliseconds()
	var changes []fleet.Change
	epoch, overtaken := s.epoch(), false
	if fleet.Generation(mark) > s.options.Log.Mark() { // from before the log began again
		mark, overtaken = 0, true
	}
	for _, answer := range answers {
		e := &entry{AtMS: answer.At.UnixMilli(), since: fleet.Generation(mark), epoch: epoch, Proof: newProof()}
		if answer.Info != nil {
			e.Token = wire.TokenOf(answer.Info, answer.Info.Owner)
		}
		name := s.names(labelFacts, answer.ID[:])[0]
		if sealed, err := s.seal(name, e); err == nil && len(sealed) <= maxEntry && !overtaken {
			commands = append(commands, redis.Cmd("SET", name, sealed, "PX", px))
		}
		s.saw(answer.ID, e.AtMS)
		if answer.Changed {
			changes = append(changes, fleet.Change{Kind: fleet.TokenChanged, Token: answer.ID, From: fleet.Generation(mark), Proof: e.Proof})
		}
	}
	results, err := send(ctx, "share", commands...)
	if len(changes) > 0 {
		s.options.Log.Publish(changes...)
	}
	written := err == nil && len(commands) == len(answers)
	for _, result := range results {
		written = written && result.Err() == nil
	}
	return written
}

// saw notes how new the newest answer about a token is that this gateway knows.
func (s *Store) saw(id tokens.ID, ms int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if newest, _ := s.seen.Peek(id); ms > newest {
		s.seen.Add(id, ms)
	}
}

func newProof() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return max(1, binary.BigEndian.Uint64(b[:]))
}
