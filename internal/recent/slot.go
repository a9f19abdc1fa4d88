package recent

import (
	"sync"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// maxReadings bounds the readings of a path that are kept.
const maxReadings = 8

// slot is the place of one record. What it keeps is bounded, whatever a client sends.
type slot struct {
	mu     sync.Mutex
	number uint64 // of the record, from 1; 0 for none
	record audit.Record
	info   tokens.Info // of record
}

// set keeps a record. It returns the id of an open request whose record that overwrites,
// or an empty string.
func (s *slot) set(r *audit.Record, number uint64) (overwritten string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number > number {
		return "" // this writer was overtaken by a whole round
	}
	if s.number != 0 && s.record.Outcome == audit.Open {
		overwritten = s.record.RequestID
	}
	s.number, s.record = number, *r
	s.record.Readings = withoutPaths(r.Readings)
	if known := r.Facts.Info; known != nil {
		// Not the comment: records have it in the form that the operator chose.
		s.info = tokens.Info{Owner: known.Owner, WorkspaceID: known.WorkspaceID, Expires: known.Expires, Scopes: known.Scopes, OAuth: known.OAuth}
		s.record.Facts.Info = &s.info
	}
	return overwritten
}

// withoutPaths returns readings without the paths, which may be long, and which the
// operator may not want to keep.
func withoutPaths(readings []scopes.Reading) []scopes.Reading {
	if len(readings) == 0 {
		return nil
	}
	kept := make([]scopes.Reading, 0, min(len(readings), maxReadings))
	for i := range readings[:min(len(readings), maxReadings)] {
		kept = append(kept, scopes.Reading{Operation: readings[i].Operation, InName: readings[i].InName})
	}
	return kept
}

// clear removes the record of an open request, if it is still here.
func (s *slot) clear(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number != 0 && s.record.Outcome == audit.Open && s.record.RequestID == id {
		s.record, s.info = audit.Record{}, tokens.Info{}
	}
}

// get returns a copy of the record if it matches, and its number.
func (s *slot) get(matches func(*audit.Record) bool) (r *audit.Record, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number == 0 || s.record.RequestID == "" || !matches(&s.record) {
		return nil, 0
	}
	r = new(audit.Record)
	*r = s.record
	if r.Facts.Info != nil {
		info := s.info
		r.Facts.Info = &info
	}
	return r, s.number
}
