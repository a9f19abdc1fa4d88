package why

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/auditlog"
)

// Entry is the last record of a request in audit logs.
type Entry struct {
	record  *audit.Record
	learned bool
	same    int // other records with this id
}

// Same returns how many other requests have the same id: the workspace may repeat an id
// that clients choose.
func (e *Entry) Same() int { return e.same }

// RequestID returns the id of the request.
func (e *Entry) RequestID() string { return e.record.RequestID }

// Search looks for requests whose id begins with a prefix, as [ParseID] returns it.
type Search struct {
	prefix []byte
	found  map[string]*Entry
	auditlog.Reader
}

// NewSearch returns a search that has found nothing yet.
func NewSearch(prefix string) *Search {
	return &Search{prefix: []byte(strings.ToLower(prefix)), found: make(map[string]*Entry)}
}

// maxFound bounds how many requests are kept: more than one is an error already.
const maxFound = 100

// Read searches an audit log. It may be called for several logs, in any order.
func (s *Search) Read(log io.Reader) error {
	var lower []byte
	return s.Reader.Read(log, func(text []byte) {
		if lower = appendLower(lower[:0], text); !bytes.Contains(lower, s.prefix) {
			return
		}
		if decision, ok := auditlog.Parse(text); ok {
			s.add(&Entry{record: decision.Record, learned: decision.ByLearned})
		}
	})
}

// appendLower appends text with ASCII letters in lower case.
func appendLower(to, text []byte) []byte {
	for _, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// add keeps the last record of each request.
func (s *Search) add(e *Entry) {
	id := strings.ToLower(e.record.RequestID)
	if !strings.HasPrefix(id, string(s.prefix)) {
		return
	}
	known := s.found[id]
	switch {
	case known == nil && len(s.found) < maxFound:
		s.found[id] = e
	case known != nil && known.record.Outcome == e.record.Outcome && known.record.Time.Equal(e.record.Time):
		// A line that a rotation, or its user, has twice.
	case known == nil, known.record.Outcome != audit.Open && e.record.Outcome == audit.Open:
	case known.record.Outcome == audit.Open && e.record.Outcome != audit.Open:
		s.found[id] = e
	case !e.record.Time.Before(known.record.Time):
		e.same = known.same + 1
		s.found[id] = e
	default:
		known.same++
	}
}

// Found returns what was found, the newest first.
func (s *Search) Found() []*Entry {
	all := make([]*Entry, 0, len(s.found))
	for _, e := range s.found {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entry) int {
		return cmp.Or(b.record.Time.Compare(a.record.Time), strings.Compare(a.record.RequestID, b.record.RequestID))
	})
	return all
}
