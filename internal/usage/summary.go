package usage

// A token that is evicted leaves a summary: when it was used, how often, and which
// scopes it needed. A summary is small, so there may be many more of them than tokens,
// and nobody can make a token's evidence vanish unnoticed by using many others. When the token is used again, its summary becomes part of
// its entry.

// summary is what stays of a token that was evicted. Times are epoch milliseconds.
type summary struct {
	ownerID                                      int64
	first, last                                  int64
	days                                         int
	calls, denied, wouldDeny, optional, unmapped uint64
	cut                                          cutMS // its operations
}

// summarize drops all operations at a time.
func (e *entry) summarize(at int64) summary {
	s := summary{e.ownerID, e.first, e.last, e.days, e.calls, e.denied, e.wouldDeny, e.optional, e.unmapped, e.cut}
	for h, n := range e.uses.all() {
		s.cut.dropUse(h, n, at)
	}
	return s
}

// export returns a copy as a Token.
func (s *summary) export(id string) Token {
	return Token{
		ID: id, OwnerID: s.ownerID, First: timeOf(s.first), Last: timeOf(s.last), ActiveDays: s.days,
		Calls: s.calls, Denied: s.denied, WouldDeny: s.wouldDeny, Optional: s.optional, Unmapped: s.unmapped,
		Uses: []Use{}, Evicted: true, Cut: s.cut.export(),
	}
}

// entry returns the entry of a token that comes back, with nothing but its past.
func (s *summary) entry() *entry {
	e := newEntry(s.first)
	e.ownerID, e.last, e.days = s.ownerID, s.last, s.days
	e.calls, e.denied, e.wouldDeny, e.optional, e.unmapped, e.cut = s.calls, s.denied, s.wouldDeny, s.optional, s.unmapped, s.cut
	return e
}
