package authority

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/strictjson"
)

const (
	// maxAck bounds an ack, in bytes.
	maxAck = 4 << 10
	// maxPublished is of how many changes it is known when they were published.
	maxPublished = 1000
)

// ack notes how far an edge has applied the changes.
func (s *Server) ack(w http.ResponseWriter, r *http.Request, c *call) *problem {
	body, p := c.body(w, r, maxAck)
	if p != nil {
		return p
	}
	position, ok := parseAck(body)
	if !ok {
		return malformed("the body is not an ack")
	}
	from, to := s.edges.acknowledge(c.edge, header(r.Header, wire.StreamHeader), position, s.options.Now())
	now := s.options.Now()
	for _, at := range s.published.between(position.Epoch, from, to) {
		s.options.Observer.Acknowledged(max(0, now.Sub(at)))
	}
	return done(w, http.StatusNoContent)
}

func parseAck(body []byte) (wire.Position, bool) {
	var ack wire.Ack
	if strictjson.Unmarshal(body, &ack) != nil {
		return wire.Position{}, false
	}
	_, ok := wire.ParsePosition(ack.Position.String())
	return ack.Position, ok
}

// acknowledge notes an ack, and returns which generations it is news for.
func (g *registry) acknowledge(e *edge, secret string, position wire.Position, now time.Time) (after, upTo fleet.Generation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := e.streamOf(secret)
	if st == nil || st.position.Epoch != position.Epoch {
		return 0, 0 // of a stream that ended, or of a log that did
	}
	st.seen = now
	// Nobody has applied what was not sent.
	acked := min(position.Generation, st.position.Generation)
	if st.confirmed && acked <= st.acked {
		return 0, 0
	}
	after = max(st.acked, st.start)
	st.acked, st.confirmed = max(st.acked, acked), true
	return after, st.acked
}

// streamOf returns the stream that an ack names. Nobody else can: edges of one name are told
// apart by it, and who only knows a name cannot acknowledge for it.
func (e *edge) streamOf(secret string) *stream {
	for _, st := range e.streams {
		if subtle.ConstantTimeCompare([]byte(st.secret), []byte(secret)) == 1 {
			return st
		}
	}
	return nil
}

// publishTimes are when the latest changes were published, as far as was seen here.
type publishTimes struct {
	mu    sync.Mutex
	epoch string
	// A ring in the order of generations; next is where the oldest is once it is full.
	all  []publishTime
	next int
	last fleet.Generation
}

type publishTime struct {
	generation fleet.Generation
	at         time.Time
}

// note notes that changes were published at a time. Those that are noted already stay as they
// are.
func (p *publishTimes) note(epoch string, entries []fleet.Entry, at func(fleet.Generation) time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		p.epoch, p.all, p.next, p.last = epoch, nil, 0, 0
	}
	for _, entry := range entries {
		if entry.Generation <= p.last {
			continue
		}
		p.last = entry.Generation
		one := publishTime{entry.Generation, at(entry.Generation)}
		if len(p.all) < maxPublished {
			p.all = append(p.all, one)
			continue
		}
		p.all[p.next] = one
		p.next = (p.next + 1) % maxPublished
	}
}

// between returns when the changes after one generation and up to another were published.
func (p *publishTimes) between(epoch string, after, upTo fleet.Generation) (times []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		return nil
	}
	// From the newest back: an ack is about the latest changes.
	for i := range p.all {
		one := p.all[(p.next+len(p.all)-1-i)%len(p.all)]
		if one.generation <= after {
			break
		}
		if one.generation <= upTo {
			times = append(times, one.at)
		}
	}
	return times
}

// of returns when a change was published.
func (p *publishTimes) of(epoch string, generation fleet.Generation) (time.Time, bool) {
	if generation == 0 {
		return time.Time{}, false
	}
	times := p.between(epoch, generation-1, generation)
	if len(times) == 0 {
		return time.Time{}, false
	}
	return times[0], true
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*http.MaxBytesError](err)
	return ok
}
