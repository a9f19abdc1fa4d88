package fakeworkspace

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Request is one request as it arrived.
type Request struct {
	// Time of arrival, from the workspace's clock.
	Time time.Time
	// Method and URI are as sent, including a trailing "?". Path and RawQuery are the two parts of URI,
	// split at the first "?" and not decoded.
	Method, URI, Path, RawQuery string
	Host                        string
	// Believed is the path that the workspace acted on.
	Believed string
	// Proto is HTTP/1.1 or HTTP/2.0.
	Proto string
	// Header is a copy of all headers, including credentials.
	Header http.Header
	// ContentLength is -1 when the body came without a length.
	ContentLength int64
	// TokenID is the id of the personal access token sent, valid or not; empty if none was sent.
	TokenID string
	// UserName is the owner of the credential; empty unless it was accepted.
	UserName string
	// Status is the status of the response; 0 while the request runs or if the connection was cut.
	Status int
	// Done is true once the request has ended.
	Done bool
}

// Counts are totals since the start or the last reset, including requests that the log has dropped.
type Counts struct {
	Requests int
	// Lookups counts admin GETs of one token, Lists those of all tokens, TokenGrants the POSTs to
	// /oidc/v1/token. Requests that ended in a fault count too.
	Lookups, Lists, TokenGrants int
	// Probes counts admin GETs of the token whose id is all zeros, which no token has. Gateways find
	// out with them whether their credential works. They do not count as look-ups.
	Probes int
	// LookupsAtOnce is the largest number of look-ups that ran at the same time.
	LookupsAtOnce int
}

// arrival identifies a request in the log, even after its entry has been overwritten.
type arrival struct {
	seq    uint64
	epoch  uint64
	lookup bool
}

// requestLog is a ring of the last requests.
type requestLog struct {
	mu      sync.Mutex
	ring    []Request
	size    int
	next    uint64 // sequence number of the next request
	epoch   uint64 // increased by reset
	counts  Counts
	lookups int // running now
}

func newRequestLog(size int) *requestLog { return &requestLog{size: max(size, 0)} }

const lookupPrefix = "/api/2.0/token-management/tokens"

// probePath asks for a token that cannot exist.
var probePath = lookupPrefix + "/" + strings.Repeat("0", 64)

func (l *requestLog) arrive(r *http.Request, believed string, now time.Time) arrival {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if r.RequestURI == "" { // not from a socket
		path, query = r.URL.EscapedPath(), r.URL.RawQuery
	}
	entry := Request{
		Time: now, Method: r.Method, URI: r.RequestURI, Path: path, RawQuery: query, Host: r.Host,
		Believed: believed, Proto: r.Proto, Header: r.Header.Clone(), ContentLength: r.ContentLength,
	}
	if value, kind := credential(r); kind == personalToken {
		entry.TokenID = tokenID(value)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	a := arrival{seq: l.next, epoch: l.epoch}
	l.next++
	switch {
	case l.size == 0:
	case len(l.ring) < l.size:
		l.ring = append(l.ring, entry)
	default:
		l.ring[a.seq%uint64(l.size)] = entry
	}
	l.counts.Requests++
	switch {
	case r.Method == http.MethodGet && strings.TrimSuffix(believed, "/") == lookupPrefix:
		l.counts.Lists++
	case r.Method == http.MethodGet && believed == probePath:
		l.counts.Probes++
	case r.Method == http.MethodGet && strings.HasPrefix(believed, lookupPrefix+"/"):
		a.lookup = true
		l.counts.Lookups++
		l.lookups++
		l.counts.LookupsAtOnce = max(l.counts.LookupsAtOnce, l.lookups)
	case r.Method == http.MethodPost && believed == "/oidc/v1/token":
		l.counts.TokenGrants++
	}
	return a
}

// entry finds a request if the ring still holds it. The caller holds the lock.
func (l *requestLog) entry(a arrival) *Request {
	if a.epoch != l.epoch || l.size == 0 || l.next-a.seq > uint64(l.size) {
		return nil
	}
	return &l.ring[a.seq%uint64(l.size)]
}

func (l *requestLog) identify(a arrival, c Caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entry(a); e != nil {
		e.UserName = c.UserName
	}
}

func (l *requestLog) leave(a arrival, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entry(a); e != nil {
		e.Status, e.Done = status, true
	}
	if a.lookup {
		l.lookups--
	}
}

// Requests returns the requests that the log holds, oldest first.
func (w *Workspace) Requests() []Request {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < l.size || l.size == 0 {
		return slices.Clone(l.ring)
	}
	at := int(l.next % uint64(l.size))
	return slices.Concat(l.ring[at:], l.ring[:at])
}

// LastRequest returns the most recent request.
func (w *Workspace) LastRequest() (Request, bool) {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) == 0 {
		return Request{}, false
	}
	return l.ring[(l.next-1)%uint64(l.size)], true
}

// Reset clears the log and the counters. Requests that are still running are not in the new log.
func (w *Workspace) Reset() {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring, l.next, l.epoch = nil, 0, l.epoch+1
	l.counts = Counts{LookupsAtOnce: l.lookups}
}

// Counts returns the totals.
func (w *Workspace) Counts() Counts {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return w.log.counts
}

// Lookups returns the number of admin GETs of one token, without probes.
func (w *Workspace) Lookups() int { return w.Counts().Lookups }
