package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
)

// maxEntry bounds what is read about one token, in bytes.
const maxEntry = 64 << 10

// maxAhead is how far the clocks of gateways may differ.
const maxAhead = 5 * time.Second

// entry is what is kept about one token.
type entry struct {
	Proof uint64 `json:"proof"`
	AtMS  int64  `json:"at_ms"`
	// Token is missing if there is no such token.
	Token *wire.Token `json:"token,omitempty"`

	// These are outside of what is sealed, and authenticated with it.
	since fleet.Generation
	epoch [epochSize]byte
}

// headSize is the size of a generation and an epoch.
const (
	epochSize = 8
	headSize  = 8 + epochSize
)

// epoch returns what stands for the epoch of the log.
func (s *Store) epoch() [epochSize]byte {
	text, _ := s.options.Log.Position()
	return [epochSize]byte(digest(text))
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:8]
}

// seal writes an entry for a name: its generation and epoch, and the rest sealed with them.
func (s *Store) seal(name string, e *entry) ([]byte, error) {
	plain, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	head := append(binary.BigEndian.AppendUint64(nil, uint64(e.since)), e.epoch[:]...)
	return append(head, s.options.Keys.Seal(name, head, plain)...), nil
}

// refusal says why an entry is not believed, for metrics.
type refusal string

func (r refusal) Error() string { return "an entry in the store is " + string(r) }

// open reads an entry of a name.
func (s *Store) open(name string, value []byte) (*entry, error) {
	switch {
	case len(value) > maxEntry:
		return nil, refusal("too_large")
	case len(value) < headSize:
		return nil, refusal("corrupt")
	}
	plain, err := s.options.Keys.Open(name, value[:headSize], value[headSize:])
	if err != nil {
		return nil, refusal(seal.Kind(err))
	}
	e := &entry{since: fleet.Generation(binary.BigEndian.Uint64(value)), epoch: [epochSize]byte(value[8:headSize])}
	if strictjson.Unmarshal(plain, e) != nil || e.AtMS <= 0 {
		return nil, refusal("corrupt")
	}
	return e, nil
}

// answer returns what an entry says about a token, if it is to be believed.
func (s *Store) answer(id tokens.ID, e *entry) (tokens.Answer, error) {
	found := tokens.Answer{ID: id, At: time.UnixMilli(e.AtMS)}
	now := s.options.Now()
	// What is from after a change that is yet to come would be believed in spite of it.
	since, _ := e.since.Parts()
	if found.At.Sub(now) > maxAhead || since > uint64(max(0, now.Add(maxAhead).UnixMilli())) {
		return found, refusal("future")
	}
	if found.At.After(now) {
		found.At = now
	}
	var owners []int64
	if e.Token != nil {
		var err error
		if found.Info, err = e.Token.Info(id); err != nil {
			return found, refusal("corrupt")
		}
		owners = []int64{e.Token.Owner.ID, e.Token.Creator.ID}
	}
	if e.epoch != s.epoch() || !s.options.Log.Admits(id, owners, e.since, e.Proof) {
		return found, errOvertaken
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if newest, ok := s.seen.Get(id); ok && newest > e.AtMS {
		return found, refusal("rolled_back")
	}
	s.seen.Add(id, e.AtMS)
	return found, nil
}

// errOvertaken says that something was changed after an entry was asked for. That is no attack.
var errOvertaken = errors.New("the entry was overtaken by a change")
