package changelog

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// maxLog is how many entries the stream keeps, about.
	maxLog = 10_000
	// maxPending bounds the changes that wait to be published. What is more may concern
	// anything.
	maxPending = 1000
	// maxWriters bounds the gateways whose sequences are remembered.
	maxWriters = 10_000
	// block is how long one question for new entries waits, and blockPatience when the server
	// must have said that there are none.
	block         = 2 * time.Second
	blockPatience = 3 * time.Second
	// readPatience bounds other questions of the reader.
	readPatience = 2 * time.Second
	readBatch    = 500
)

// StreamOptions say where the log of a workspace is. All must be set.
type StreamOptions struct {
	Conn   *redis.Conn
	Prefix string // of all names of the workspace
	Keys   *seal.Keys
	// Apply forgets what a change of another gateway concerns, and Gap everything, because
	// changes may have been missed.
	Apply    func(fleet.Change)
	Gap      func()
	Observer fleet.Observer
}

// Stream is the log that the gateways of a fleet share: a Redis stream. It pushes, keeps the
// order, and tells whether anything was missed. It is safe for concurrent use.
type Stream struct {
	*ring
	*floors
	options StreamOptions
	writer  uint64
	opened  time.Time
	ups     chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	publishing sync.Mutex // held while entries are written, so that they are so in order

	queue    sync.Mutex // guards the following
	sequence uint64
	waiting  []waiting
	own      []fleet.Change   // that were published, for when the log loses them
	written  fleet.Generation // of the last of them

	// Of the reader alone.
	writers map[uint64]uint64 // the last sequence of each
	epoch   epoch             // in use
	used    []string          // the texts of those before
	loaded  bool
	fresh   fleet.Generation // what is later is applied even while the log is loaded
	high    fleet.Generation // the last that the server has given out, as far as was seen
}

// waiting is a change that is not published yet.
type waiting struct {
	change   fleet.Change
	sequence uint64
}

// OpenStream returns a log, which is read in the background whenever the store is up. Close it.
func OpenStream(options StreamOptions) *Stream {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	s := &Stream{
		ring: newRing("unread", 0), floors: newFloors(), options: options, writer: binary.BigEndian.Uint64(id[:]),
		opened: time.Now(), ups: make(chan struct{}, 1), writers: make(map[uint64]uint64),
	}
	s.complete(false)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	options.Conn.OnUp(func() {
		select {
		case s.ups <- struct{}{}:
		default:
		}
	})
	s.running.Go(s.read)
	s.running.Go(s.retry)
	return s
}

// Close ends the reading, after one more try to publish what waits.
func (s *Stream) Close() {
	s.flush(s.ctx, s.options.Conn.Do)
	s.cancel()
	s.running.Wait()
}

func (s *Stream) log() string { return s.options.Prefix + "log" }

// Position returns the epoch and the generation of the last entry that was applied here.
func (s *Stream) Position() (epoch string, last fleet.Generation) { return s.position() }

// Since returns the entries after a generation, see [Local.Since].
func (s *Stream) Since(epoch string, after fleet.Generation) ([]fleet.Entry, bool) {
	return s.since(epoch, after)
}

// Wait returns a channel that is closed when there is a new entry or another epoch.
func (s *Stream) Wait() <-chan struct{} { return s.wait() }

// Mark returns the position up to which changes have been applied here.
func (s *Stream) Mark() fleet.Generation {
	_, last := s.position()
	s.floors.mu.Lock()
	defer s.floors.mu.Unlock()
	return max(last, s.floors.all)
}

// Admits reports whether an answer is to be believed that was asked for at a generation. Owners
// are the numbers of owner and creator, 0 for an unknown one; nil means that there is no such
// token. Nothing is before the whole log was read.
func (s *Stream) Admits(id tokens.ID, owners []int64, since fleet.Generation, proof uint64) bool {
	return s.admits(id, owners, since, proof)
}

// Publish tells the other gateways of changes that are applied here. From now on, nothing from
// before them is admitted. It returns the generation of the last one, 0 if the store is down:
// they are published when it is up again, and [Stream.Asides] has them until then.
func (s *Stream) Publish(changes ...fleet.Change) fleet.Generation {
	s.begin(changes)
	s.queue.Lock()
	for _, change := range changes {
		s.sequence++
		s.waiting = append(s.waiting, waiting{change, s.sequence})
	}
	if len(s.waiting) > maxPending {
		old := make([]fleet.Change, len(s.waiting))
		for i, w := range s.waiting {
			old[i] = w.change
		}
		all := fleet.Change{Kind: fleet.OwnersChanged}
		s.begin([]fleet.Change{all})
		s.end(old)
		s.waiting = []waiting{{all, s.sequence}}
	}
	s.queue.Unlock()
	last := s.flush(s.ctx, s.options.Conn.Do)
	if last == 0 {
		s.aside(changes)
	}
	return last
}

// sender is [redis.Conn.Do] or [redis.Conn.Long].
type sender func(ctx context.Context, operation string, commands ...redis.Command) ([]redis.Reply, error)

// flush writes what waits. It returns the generation of the last entry, 0 if it could not be
// written.
func (s *Stream) flush(ctx context.Context, send sender) (last fleet.Generation) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.queue.Lock()
	batch := append([]waiting(nil), s.waiting...)
	s.queue.Unlock()
	if len(batch) == 0 {
		return s.Mark() // another call wrote it
	}
	if up, _, _ := s.options.Conn.Up(); !up { // so that nothing is sealed in vain
		s.options.Observer.StoreAsked("change", "down", 0)
		return 0
	}
	commands := make([]redis.Command, len(batch))
	for i, w := range batch {
		p := payload{s.writer, w.sequence, w.change}
		sealed := s.options.Keys.Seal(s.log(), nil, p.encode())
		commands[i] = redis.Cmd("XADD", s.log(), "MAXLEN", "~", maxLog, "*", "c", sealed)
	}
	results, err := send(ctx, "change", commands...)
	if err != nil {
		return 0
	}
	for i, result := range results {
		id, err := result.Text()
		generation, ok := generationOf(id)
		if err != nil || !ok {
			return 0 // the rest waits
		}
		change := batch[i].change
		s.floors.apply(fleet.Entry{Generation: generation, Change: change})
		s.end([]fleet.Change{change})
		s.options.Observer.Published(change.Kind)
		s.queue.Lock()
		if len(s.waiting) > 0 && s.waiting[0] == batch[i] {
			s.waiting = s.waiting[1:]
		}
		if change.Kind == fleet.TokenChanged || change.Kind == fleet.OwnerChanged {
			if s.own = append(s.own, change); len(s.own) > maxPending {
				s.own = append([]fleet.Change(nil), s.own[len(s.own)/2:]...)
			}
		}
		s.written = max(s.written, generation)
		s.queue.Unlock()
		last = generation
	}
	return last
}

// lastWritten returns the place of the last entry that this gateway has written.
func (s *Stream) lastWritten() fleet.Generation {
	s.queue.Lock()
	defer s.queue.Unlock()
	return s.written
}

func (s *Stream) forgetWritten() {
	s.queue.Lock()
	defer s.queue.Unlock()
	s.written = 0
}

// read reads the log whenever the store is up, until the log is closed.
func (s *Stream) read() {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for s.ctx.Err() == nil {
		select {
		case <-s.ctx.Done():
			return
		case <-s.ups:
		case <-again.C: // what failed for another reason than the connection
		}
		if up, _, _ := s.options.Conn.Up(); !up {
			continue
		}
		if err := s.catchUp(); err != nil {
			continue
		}
		for s.ctx.Err() == nil {
			if s.follow() != nil {
				break
			}
		}
	}
}

// retryEvery is how often it is looked whether something waits that can be published.
const retryEvery = 250 * time.Millisecond

// retry publishes what could not be published at once: because the store was down, or refused
// it for another reason.
func (s *Stream) retry() {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
		}
		s.queue.Lock()
		waits := len(s.waiting) > 0
		s.queue.Unlock()
		if up, _, _ := s.options.Conn.Up(); up && waits {
			ctx, cancel := context.WithTimeout(s.ctx, readPatience)
			s.flush(ctx, s.options.Conn.Long)
			cancel()
		}
	}
}

// follow waits for entries, and applies them. Another epoch is an error: it is another log.
func (s *Stream) follow() error {
	ctx, cancel := context.WithTimeout(s.ctx, blockPatience)
	defer cancel()
	_, last := s.position()
	results, err := s.options.Conn.Long(ctx, "",
		redis.Cmd("XREAD", "COUNT", readBatch, "BLOCK", block.Milliseconds(), "STREAMS", s.log(), idOf(last)),
		redis.Cmd("TIME"),
		redis.Cmd("GET", s.epochKeys()[0]),
		redis.Cmd("XINFO", "STREAM", s.log()),
	)
	if err != nil {
		return err
	}
	now, err := clock(results[1])
	if err != nil {
		return err
	}
	if raw, err := results[2].Text(); err != nil || raw != s.epoch.raw {
		return errEpoch
	}
	var found state
	if err := s.readInfo(&found, results[3], limit(now)); err != nil {
		return err
	}
	if found.spoilt || found.last < s.high {
		return errLost
	}
	if results[0].IsNil() {
		return nil
	}
	entries, err := streamOf(results[0])
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !s.entry(entry, limit(now)) {
			return errors.New("the log has an entry without a place")
		}
	}
	return nil
}
