package audit

import "sync"

// Sinks are queues of records with one policy for when they are full. They are safe
// for concurrent use, and nil is none.
type Sinks struct {
	sinks    []recordSink
	settings Settings
}

type recordSink interface {
	reserve() bool
	cancel()
	put(r *Record, reserved bool)
	close()
}

// Place says whether a record to come has been promised a place in every queue.
type Place bool

// Reserve is asked before a request passes. It is false where requests are to be
// refused whose record would find no place.
func (s *Sinks) Reserve() (Place, bool) {
	if s == nil || s.settings.WhenFull != Refuse {
		return false, true
	}
	for i, sink := range s.sinks {
		if !sink.reserve() {
			for _, reserved := range s.sinks[:i] {
				reserved.cancel()
			}
			return false, false
		}
	}
	return true, true
}

// Cancel gives a place back for which there will be no record.
func (s *Sinks) Cancel(place Place) {
	if s == nil || !place {
		return
	}
	for _, sink := range s.sinks {
		sink.cancel()
	}
}

// Put hands a finished record to every sink. Where there is no place for it, it is
// lost and counted, after a while where that is what the settings say.
func (s *Sinks) Put(r *Record, place Place) {
	if s == nil {
		return
	}
	for _, sink := range s.sinks {
		sink.put(r, bool(place))
	}
}

// Close sends what waits and counts what does not get out in two seconds. It does
// not take longer, whatever is at the other end.
func (s *Sinks) Close() {
	var closing sync.WaitGroup
	for _, sink := range s.sinks {
		closing.Go(sink.close)
	}
	closing.Wait()
}
