package store

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/tokens"
)

// labelLease is that of look-ups under way.
const labelLease = "l"

// release deletes a lease, if it is still one's own.
var release = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)

// Begin implements [tokens.Sharing].
func (s *Store) Begin(ctx context.Context, id tokens.ID, after time.Time, patient bool) (found tokens.Answer, answered bool, end func()) {
	name := s.names(labelLease, id[:])[0]
	own := rand.Text()
	for ended := false; ; ended = true {
		taken, err := s.take(ctx, name, own)
		if err != nil {
			return tokens.Answer{}, false, func() {}
		}
		// Its answer may have come since the caller looked.
		if found, ok := s.Find(ctx, id, after); ok {
			if taken {
				s.release(name, own)
			}
			return found, true, nil
		}
		if taken {
			return tokens.Answer{}, false, func() { s.release(name, own) }
		}
		if ended { // and yet it cannot be taken: it is no lease, or everybody wants it
			return tokens.Answer{}, false, func() {}
		}
		if !patient {
			return tokens.Answer{}, false, nil
		}
		switch told, err := s.await(ctx, id, after, name); {
		case err != nil:
			return tokens.Answer{}, false, nil
		case told.err != nil:
			return tokens.Answer{}, false, func() {}
		case told.answered:
			return told.found, true, nil
		}
		ctx = s.options.Conn.WithPatience(ctx) // waited for was that gateway: the store has just answered
	}
}

// take takes a lease, if nobody has it. An error means that there are none now.
func (s *Store) take(ctx context.Context, name, own string) (bool, error) {
	results, err := s.options.Conn.Do(ctx, "lease", redis.Cmd("SET", name, own, "NX", "PX", (s.options.LookupTimeout+time.Second).Milliseconds()))
	if err != nil {
		return false, err
	}
	err = results[0].Err()
	return err == nil && !results[0].IsNil(), err
}

// release ends a lease, after what was shared before.
func (s *Store) release(name, own string) {
	s.soon(func() {
		_, _ = s.options.Conn.Script(s.ctx, "lease", release, []string{name}, []string{own}) // else it ends by itself
	})
}
