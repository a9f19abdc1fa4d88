package changelog

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
)

// A fleet's epoch is written once, when the log begins: a random text, and from when on answers
// are to be believed. Whoever finds that the log has lost entries, or was tampered with, writes
// another. It is sealed, as whoever may lower it could bring back what was revoked.
type epoch struct {
	raw   string // as the store has it
	text  string
	floor fleet.Generation
}

// openedMargin is by how much clocks may run apart while a gateway waits for the store, and by
// how much that of the server may be set back.
const openedMargin = 5 * time.Second

// maxUsed is how many epochs are remembered, so that none comes back.
const maxUsed = 64

// epochKeys returns where the epoch is, the one to look at first: as keys may be replaced one
// gateway after the other, it is in a place of each key, and other fleets have theirs.
func (s *Stream) epochKeys() []string {
	keys := s.options.Keys.Names("epoch", nil)
	for i, name := range keys {
		keys[i] = s.options.Prefix + "epoch:" + name
	}
	return keys
}

// findEpoch returns the epoch that there is. It writes the one that begins if there is none.
func (s *Stream) findEpoch(ctx context.Context, begins epoch, latest fleet.Generation) (epoch, error) {
	keys := s.epochKeys()
	for range 3 {
		results, err := s.options.Conn.Long(ctx, "change", redis.Cmd("MGET", keys))
		if err != nil {
			return epoch{}, err
		}
		values, err := results[0].Array()
		if err != nil || len(values) != len(keys) {
			return epoch{}, errEpoch
		}
		first := slices.IndexFunc(values, func(v redis.Reply) bool { return !v.IsNil() })
		if first >= 0 {
			raw, _ := values[first].Text()
			e, err := s.readEpoch(raw, latest)
			if first == 0 || err != nil {
				return e, err
			}
			begins = s.sealEpoch(e) // of the key that is being replaced
		}
		if _, err := s.options.Conn.Long(ctx, "change", redis.Cmd("SET", keys[0], begins.raw, "NX")); err != nil {
			return epoch{}, err
		}
	}
	s.options.Observer.EntryRefused("corrupt") // there is something else in its place
	return epoch{}, errEpoch
}

// sealEpoch returns an epoch as it is written.
func (s *Stream) sealEpoch(e epoch) epoch {
	plain := e.text + ":" + strconv.FormatUint(uint64(e.floor), 10)
	e.raw = string(s.options.Keys.Seal(s.options.Prefix+"epoch", nil, []byte(plain)))
	return e
}

// newEpoch returns an epoch that begins now, by the server's clock: that of the generations. It
// returns that time, too.
func (s *Stream) newEpoch(ctx context.Context) (e epoch, now fleet.Generation, err error) {
	results, err := s.options.Conn.Long(ctx, "change", redis.Cmd("TIME"))
	if err != nil {
		return epoch{}, 0, err
	}
	if now, err = clock(results[0]); err != nil {
		return epoch{}, 0, err
	}
	e.text = strings.ToLower(rand.Text())
	e.floor = now - 1 // all entries from now on are later
	return s.sealEpoch(e), now, nil
}

var errEpoch = errors.New("the epoch of the log cannot be read")

// readEpoch reads the epoch. It refuses one that was in use before, or begins later than it can
// have been written.
func (s *Stream) readEpoch(raw string, latest fleet.Generation) (epoch, error) {
	plain, err := s.options.Keys.Open(s.options.Prefix+"epoch", nil, []byte(raw))
	if err != nil {
		s.options.Observer.EntryRefused("corrupt")
		return epoch{raw: raw}, err
	}
	e, err := parseEpoch(string(plain))
	e.raw = raw
	switch {
	case err != nil:
		s.options.Observer.EntryRefused("corrupt")
	case e.floor > latest:
		s.options.Observer.EntryRefused("future")
		err = errEpoch
	case slices.Contains(s.used, e.text):
		s.options.Observer.EntryRefused("rolled_back")
		err = errEpoch
	}
	return e, err
}

func parseEpoch(text string) (epoch, error) {
	name, floor, ok := strings.Cut(text, ":")
	g, err := strconv.ParseUint(floor, 10, 64)
	if !ok || err != nil || name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return epoch{}, errEpoch
	}
	return epoch{text: name, floor: fleet.Generation(g)}, nil
}

// renewal writes an epoch in the place of another one, unless somebody else did, and deletes a
// log that is spoilt. It is in one place afterwards, from where gateways whose first key is
// another one take it.
const renewal = `
local now = redis.pcall('GET', KEYS[1])
if type(now) == 'string' and now ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
if ARGV[3] == '1' then redis.call('DEL', KEYS[2]) end
return 1`

// renew writes another epoch in the place of one whose log has lost entries, or is spoilt.
func (s *Stream) renew(ctx context.Context, old epoch, spoilt bool) error {
	fresh, _, err := s.newEpoch(ctx)
	if err != nil {
		return err
	}
	keys := s.epochKeys()
	remove := "0"
	if spoilt {
		remove = "1"
	}
	results, err := s.options.Conn.Long(ctx, "change",
		redis.Cmd("EVAL", renewal, len(keys)+1, keys[0], s.log(), keys[1:], old.raw, fresh.raw, remove))
	if err != nil {
		return err
	}
	return results[0].Err()
}
