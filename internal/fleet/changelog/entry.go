package changelog

import (
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/seal"
)

// generationOf reads the ID of an entry.
func generationOf(id string) (fleet.Generation, bool) {
	ms, sequence, ok := strings.Cut(id, "-")
	m, err1 := strconv.ParseUint(ms, 10, 44)
	q, err2 := strconv.ParseUint(sequence, 10, 20)
	return fleet.NewGeneration(m, q), ok && err1 == nil && err2 == nil
}

// idOf returns the ID of the entry of a generation.
func idOf(g fleet.Generation) string {
	ms, sequence := g.Parts()
	return strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(sequence, 10)
}

// entry applies one entry of the log. It reports whether it has a place, which is not after the
// latest that can have been given out.
func (s *Stream) entry(raw record, latest fleet.Generation) bool {
	generation, ok := generationOf(raw.id)
	if !ok || generation > latest {
		s.options.Observer.EntryRefused("future")
		return false
	}
	s.high = max(s.high, generation)
	p, err := s.open(raw)
	if err != nil {
		s.options.Observer.EntryRefused(seal.Kind(err))
		// Something was changed, and it cannot be read what.
		s.missed("refused", generation)
		return true
	}
	last, known := s.writers[p.writer]
	switch {
	case known && p.sequence <= last:
		if p.sequence < last { // else its gateway did not know whether it was written
			s.options.Observer.EntryRefused("replayed")
		}
		s.skip(generation)
		return true
	case known && p.sequence > last+1 && p.writer != s.writer && p.change.Kind != fleet.OwnersChanged:
		// A change of everything stands for those before it that its gateway could not keep,
		// see [Stream.Publish].
		s.options.Observer.EntryRefused("swapped")
		s.missed("refused", generation)
	}
	if len(s.writers) >= maxWriters {
		clear(s.writers)
	}
	s.writers[p.writer] = p.sequence
	entry := fleet.Entry{Generation: generation, Change: p.change}
	s.floors.apply(entry)
	if p.writer != s.writer && (s.loaded || generation >= s.fresh) {
		s.options.Apply(p.change)
		s.options.Observer.Applied(p.change.Kind)
	}
	s.add(entry)
	return true
}

// skip notes an entry that changes nothing.
func (s *Stream) skip(generation fleet.Generation) {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	s.ring.last = max(s.ring.last, generation)
}

func (s *Stream) open(raw record) (payload, error) {
	plain, err := s.options.Keys.Open(s.log(), nil, []byte(raw.fields["c"]))
	if err != nil {
		return payload{}, err
	}
	return decodePayload(plain)
}

// missed begins anew at a generation: changes up to it may have been missed.
func (s *Stream) missed(reason string, upTo fleet.Generation) {
	s.raise(upTo)
	epoch, _ := s.position()
	s.again(reason, epoch, upTo)
}

// again doubts everything, and tells the readers of the ring that it begins anew.
func (s *Stream) again(reason, epoch string, at fleet.Generation) {
	if s.loaded {
		s.options.Observer.Gap(reason)
		s.options.Gap()
	}
	s.reset(epoch, at)
}
