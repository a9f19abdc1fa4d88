package authority

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

const (
	// maxBehind is how many changes a stream may be behind. An edge that is further behind is
	// cut off, and asks again for everything, which takes less.
	maxBehind = 4096
	// batch is how many changes are written at once, which bounds the memory of a stream.
	batch = 256
	// maxIdleBuffer is what a stream keeps to write the next event with, in bytes.
	maxIdleBuffer = 2 << 10
)

// stream is a subscription. The registry's lock guards it, except for what never changes.
type stream struct {
	edge   *edge
	who    *identity
	name   string
	secret string // what acks must name

	version     string
	since, seen time.Time
	// start is where the stream began: what was published before is no news.
	start    fleet.Generation
	position wire.Position // of what was sent
	// acked is how far the edge applied the changes; confirmed that it said so.
	acked     fleet.Generation
	confirmed bool
}

// changes streams the changes until the edge leaves, is too slow, or loses its credential, or
// the server is closed or about to end.
func (s *Server) changes(w http.ResponseWriter, r *http.Request, c *call) *problem {
	if s.ending() {
		return errClosing
	}
	st := &stream{
		edge: c.edge, who: c.who, name: c.edge.name, secret: rand.Text(),
		version: shown(header(r.Header, wire.VersionHeader), maxVersion),
	}
	_, aside := s.options.Log.Asides(0)
	missed, resumed := s.place(st, header(r.Header, "Last-Event-ID"))
	if !s.edges.subscribe(c.edge, st, c.now) {
		return errSubscribers
	}
	s.options.Observer.EdgeConnected(st.name)
	defer func() {
		s.edges.leave(st, s.options.Now())
		s.options.Observer.EdgeGone(st.name)
	}()
	// A server's own time-out for requests is not meant for one that lasts.
	_ = c.control.SetReadDeadline(time.Time{})
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set(wire.StreamHeader, st.secret)
	header.Set("X-Accel-Buffering", "no")
	if r.ProtoMajor == 1 {
		// Not for another request: the last write to an edge that is stuck needs a deadline.
		header.Set("Connection", "close")
	}
	w.WriteHeader(http.StatusOK)
	f := &feed{server: s, stream: st, aside: aside, w: w, control: c.control}
	s.follow(r.Context(), f, missed, resumed)
	return nil
}

// place finds out where a stream begins: where the edge left off, if that is not too far back.
func (s *Server) place(st *stream, lastEventID string) (missed []fleet.Entry, resumed bool) {
	if last, ok := wire.ParsePosition(lastEventID); ok {
		if missed, resumed = s.options.Log.Since(last.Epoch, last.Generation); resumed && len(missed) <= maxBehind {
			st.position, st.start, st.acked = last, last.Generation, last.Generation
			return missed, true
		}
	}
	epoch, generation := s.options.Log.Position()
	st.position, st.start = wire.Position{Epoch: epoch, Generation: generation}, generation
	return nil, false
}

// follow writes what happens. It returns when the stream ends.
func (s *Server) follow(ctx context.Context, f *feed, missed []fleet.Entry, resumed bool) {
	f.event(wire.HelloEvent, f.stream.position, f.stream.position)
	if !resumed {
		f.event(wire.ResetEvent, f.stream.position, f.stream.position)
	}
	if !f.flush() {
		return
	}
	// What was published while the edge was away is as old as its generation says.
	s.published.note(f.stream.position.Epoch, missed, s.publishedAt)
	heart := time.NewTimer(s.heartbeat)
	defer heart.Stop()
	for {
		wait := s.options.Log.Wait() // before looking, so that nothing is missed
		if ctx.Err() != nil || s.ending() || !s.access.still(f.stream.who) {
			return
		}
		wrote, ok := s.catchUp(f)
		if !ok {
			return
		}
		if wrote {
			heart.Reset(s.heartbeat)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.options.Ending:
			return
		case <-wait:
		case <-heart.C:
			if !f.beat() {
				return
			}
			heart.Reset(s.heartbeat)
		}
	}
}

// ending reports whether streams must end.
func (s *Server) ending() bool {
	select {
	case <-s.options.Ending:
		return true
	default:
		return false
	}
}

// catchUp writes the changes since the last one that was written. It is not ok if the stream
// must end.
func (s *Server) catchUp(f *feed) (wrote, ok bool) {
	position := f.stream.position
	var asides []fleet.Change
	if asides, f.aside = s.options.Log.Asides(f.aside); len(asides) > 0 {
		for _, change := range asides { // once more when it has a place
			f.event(wire.ChangeEvent, position, wire.ChangeOf(change))
		}
		if !f.flush() {
			return true, false
		}
	}
	entries, continuous := s.options.Log.Since(position.Epoch, position.Generation)
	if !continuous {
		epoch, generation := s.options.Log.Position()
		if epoch == position.Epoch {
			return false, false // it was too slow
		}
		position = wire.Position{Epoch: epoch, Generation: generation}
		s.edges.sent(f.stream, position)
		f.event(wire.ResetEvent, position, position)
		return true, f.flush()
	}
	if len(entries) > maxBehind {
		return false, false
	}
	s.published.note(position.Epoch, entries, func(fleet.Generation) time.Time { return s.options.Now() })
	for part := range slices.Chunk(entries, batch) {
		// Before writing: the ack may be faster than we are.
		position.Generation = part[len(part)-1].Generation
		s.edges.sent(f.stream, position)
		for _, entry := range part {
			f.event(wire.ChangeEvent, wire.Position{Epoch: position.Epoch, Generation: entry.Generation}, wire.ChangeOf(entry.Change))
		}
		if !f.flush() {
			return true, false
		}
	}
	return len(asides)+len(entries) > 0, true
}

// publishedAt is when a change was published by the clock of the log, which may be that of
// another machine.
func (s *Server) publishedAt(generation fleet.Generation) time.Time {
	now := s.options.Now()
	ms, _ := generation.Parts()
	if at := time.UnixMilli(int64(ms)); at.Before(now) && now.Sub(at) < time.Hour {
		return at
	}
	return now
}

// sent notes how far a stream was written. With another epoch, it starts again.
func (g *registry) sent(st *stream, position wire.Position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st.position.Epoch != position.Epoch {
		st.start, st.acked, st.confirmed = position.Generation, 0, false
	}
	st.position = position
}

// feed writes the events of a stream.
type feed struct {
	server  *Server
	stream  *stream
	aside   uint64 // the number of the last change without a place that was written
	w       http.ResponseWriter
	control *http.ResponseController
	buffer  []byte
}

// event adds an event to what the next flush writes.
func (f *feed) event(name string, id wire.Position, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic("authority: " + err.Error()) // plain structures always have a JSON form
	}
	f.buffer = append(f.buffer, "event: "+name+"\nid: "+id.String()+"\ndata: "...)
	f.buffer = append(append(f.buffer, text...), "\n\n"...)
}

// beat says that there is nothing new. Comments are ignored by all readers of events.
func (f *feed) beat() bool {
	f.buffer = append(f.buffer, ":\n\n"...)
	return f.flush()
}

// flush writes within a deadline, and reports whether that worked. The deadline stays until the
// next write moves it: HTTP/2 ends a stream whose deadline passed even if nothing is being
// written, so it is longer than a heartbeat.
func (f *feed) flush() bool {
	_ = f.control.SetWriteDeadline(time.Now().Add(f.server.heartbeat + f.server.written))
	_, err := f.w.Write(f.buffer)
	if f.buffer = f.buffer[:0]; cap(f.buffer) > maxIdleBuffer {
		f.buffer = nil
	}
	return err == nil && f.control.Flush() == nil
}
