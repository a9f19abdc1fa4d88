package audit

import "sync"

// Sinks are where records are sent. They are safe for concurrent use, and a nil *Sinks
// has none.
type Sinks struct {
	sinks []*sink
}

// Join returns the sinks of all, or nil if there are none. Closing the result closes
// them too.
func Join(all ...*Sinks) *Sinks {
	joined := new(Sinks)
	for _, s := range all {
		if s != nil {
			joined.sinks = append(joined.sinks, s.sinks...)
		}
	}
	if len(joined.sinks) == 0 {
		return nil
	}
	return joined
}

// Reservation says whether there is room for a record to come, in every queue where
// requests are refused for lack of it. It must be given back, by Put or Cancel of the
// same Sinks.
type Reservation bool

// Reserve must be called before a request passes. It returns false if the request must
// be refused because there would be no room for its record.
func (s *Sinks) Reserve() (Reservation, bool) {
	if s == nil {
		return false, true
	}
	reserved := Reservation(false)
	for i, sink := range s.sinks {
		if !sink.reserves() {
			continue
		}
		if !sink.reserve() {
			cancel(s.sinks[:i])
			return false, false
		}
		reserved = true
	}
	return reserved, true
}

// Cancel gives up a reservation for which there will be no record.
func (s *Sinks) Cancel(reserved Reservation) {
	if s != nil && reserved {
		cancel(s.sinks)
	}
}

func cancel(sinks []*sink) {
	for _, sink := range sinks {
		if sink.reserves() {
			sink.cancel()
		}
	}
}

// Put hands a finished record to every sink, and one of a request that has not ended to
// those that do not send spans. If a queue has no room, the record is
// dropped and counted, after a wait if the settings say so. After Close, an output is
// written to directly if it is still possible.
func (s *Sinks) Put(r *Record, reserved Reservation) {
	if s == nil {
		return
	}
	for _, sink := range s.sinks {
		if r.Outcome == Open && sink.spans {
			continue // a span has an end, and a request one span
		}
		sink.put(r, bool(reserved) && sink.reserves())
	}
}

// Close sends what is queued, and counts as lost what cannot be sent. It returns within
// two seconds. It may be called several times, and while requests call the other
// methods.
func (s *Sinks) Close() {
	if s == nil {
		return
	}
	var closing sync.WaitGroup
	for _, sink := range s.sinks {
		closing.Go(sink.close)
	}
	closing.Wait()
}
