package store

import (
	"context"
	"errors"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/tokens"
)

// labelFacts is that of what is known about tokens.
const labelFacts = "f"

// Find implements [tokens.Sharing].
func (s *Store) Find(ctx context.Context, id tokens.ID, after time.Time) (tokens.Answer, bool) {
	names := s.names(labelFacts, id[:])
	results, err := s.options.Conn.Do(ctx, "find", bounded(maxEntry, names...))
	if err != nil {
		return tokens.Answer{}, false
	}
	values, err := results[0].Array()
	if err != nil {
		return tokens.Answer{}, false
	}
	found, ok := s.best(id, names, values)
	return found, ok && found.At.After(after)
}

// best returns the newest answer that is believed of those under the names of a token.
func (s *Store) best(id tokens.ID, names []string, values []redis.Reply) (best tokens.Answer, ok bool) {
	for i := range min(len(values), len(names)) {
		value, there, tooLarge := valueOf(values[i])
		if tooLarge {
			s.options.Observer.EntryRefused("too_large")
		}
		if !there {
			continue
		}
		e, err := s.open(names[i], value)
		var found tokens.Answer
		if err == nil {
			found, err = s.answer(id, e)
		}
		if kind, refused := errors.AsType[refusal](err); refused {
			s.options.Observer.EntryRefused(string(kind))
		}
		if err == nil && (!ok || found.At.After(best.At)) {
			best, ok = found, true
		}
	}
	return best, ok
}

// FindMany implements [tokens.Sharing].
func (s *Store) FindMany(ctx context.Context, ids []tokens.ID) (all []tokens.Answer, complete bool) {
	if len(ids) == 0 {
		return nil, true
	}
	names := make([][]string, len(ids))
	commands := make([]redis.Command, len(ids))
	for i := range ids {
		names[i] = s.names(labelFacts, ids[i][:])
		commands[i] = bounded(maxEntry, names[i]...)
	}
	results, err := s.options.Conn.Long(ctx, "list", commands...)
	if err != nil {
		return nil, false
	}
	for i, id := range ids {
		values, err := results[i].Array()
		if err != nil {
			return all, false
		}
		if found, ok := s.best(id, names[i], values); ok {
			all = append(all, found)
		}
	}
	return all, true
}
