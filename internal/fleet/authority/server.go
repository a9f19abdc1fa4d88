package authority

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

const (
	// bodyTimeout bounds reading a body, writeTimeout writing an answer or a part of a stream:
	// an edge that is stuck holds nothing for longer.
	bodyTimeout  = 15 * time.Second
	writeTimeout = 5 * time.Second
	// publishTimeout bounds telling the fleet of what edges reported.
	publishTimeout = 5 * time.Second
	// maxTarget bounds the path and query of a request, in bytes.
	maxTarget = 1 << 10
)

// Server answers edges. It is an [http.Handler] and safe for concurrent use.
type Server struct {
	options   Options
	workspace string // as edges name it
	access    *access
	edges     *registry
	published publishTimes
	doubts    *doubts
	snapshots *snapshots
	refused   refusalCounts
	heartbeat time.Duration
	written   time.Duration // for one part of a stream
	patience  time.Duration // with a body

	ctx    context.Context // ends with the server
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// New returns a server. It starts nothing; close it all the same. See [Access.Validate] for
// what is wrong with its access.
func New(options Options) *Server {
	options.Limits = options.Limits.withDefaults()
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Observer == nil {
		options.Observer = fleet.NoObserver{}
	}
	if options.Logger == nil {
		options.Logger = zap.NewNop
	}
	// Edges judge by themselves what is unknown.
	options.Freshness.UnknownExpiry = true
	s := &Server{
		options:   options,
		workspace: wire.Workspace(options.WorkspaceURL),
		access:    newAccess(options.Access, options.Now),
		edges:     newRegistry(options.Limits),
		snapshots: newSnapshots(),
		heartbeat: wire.Heartbeat,
		written:   writeTimeout,
		patience:  bodyTimeout,
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.doubts = &doubts{publish: s.publish, now: options.Now}
	return s
}

// Close ends all streams, which tells their edges to prefer another authority, and refuses new
// requests. It returns once no request is being answered, after a few seconds at most.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.doubts.close() // while what is pending can still be published
	s.cancel()
	s.access.close()
	s.running.Wait()
}

// begin reports whether a request may be answered; if so, call s.running.Done after it.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// call is an authenticated request.
type call struct {
	who  *identity
	edge *edge
	now  time.Time
	// control sets the deadlines of the connection, or of the stream of HTTP/2.
	control *http.ResponseController
}

// ServeHTTP answers one request of an edge.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	// Deadlines of a connection outlast the request. Not every writer has some, as in tests.
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
	defer func() {
		if w.Header().Get("Connection") != "close" {
			_ = control.SetWriteDeadline(time.Time{})
		}
	}()
	if r.ContentLength != 0 {
		// Even to refuse a request, net/http waits for some of its body. Without a body, this
		// would be the deadline of what waits for the end of the connection.
		_ = control.SetReadDeadline(time.Now().Add(s.patience))
	}
	if s.options.Version != "" {
		w.Header().Set(wire.VersionHeader, s.options.Version)
	}
	if !s.begin() {
		s.refuse(w, r, errClosing)
		return
	}
	defer s.running.Done()
	if p := s.serve(w, r, control); p != nil {
		s.refuse(w, r, p)
	}
}

// serve answers a request, or returns why not.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, control *http.ResponseController) *problem {
	// Only what the connection itself says counts: headers of proxies can be invented.
	if r.TLS == nil && !isLoopback(r.RemoteAddr) {
		return errInsecure
	}
	ctx, cancel := s.within(r.Context())
	defer cancel()
	who, p := s.access.identify(ctx, r)
	if p != nil {
		return p
	}
	if p := s.check(r); p != nil {
		return p
	}
	now := s.options.Now()
	c := &call{who, s.edges.find(who, shown(header(r.Header, wire.VersionHeader), maxVersion), now), now, control}
	if !c.edge.take(now, 1, requestsOf) {
		return tooMany("this edge sends more requests than limits allow", time.Second)
	}
	return s.route(w, r.WithContext(ctx), c)
}

// within returns a context that also ends with the server.
func (s *Server) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// check refuses a request that has no single meaning, or is meant for another workspace.
func (s *Server) check(r *http.Request) *problem {
	if len(r.RequestURI) > maxTarget || len(r.URL.Path)+len(r.URL.RawQuery) > maxTarget {
		return malformed("the URL is too long")
	}
	for _, name := range []string{wire.WorkspaceHeader, wire.NameHeader, wire.VersionHeader, "Last-Event-ID"} {
		if values := r.Header[http.CanonicalHeaderKey(name)]; len(values) > 1 || len(values) == 1 && len(values[0]) > maxTarget {
			return malformed("the header " + name + " is there twice, or too long")
		}
	}
	switch named := header(r.Header, wire.WorkspaceHeader); {
	case named == "":
		return malformed("the header " + wire.WorkspaceHeader + " is missing")
	case s.workspace == "" || wire.Workspace(named) != s.workspace:
		return refuse(http.StatusMisdirectedRequest, wire.WorkspaceCode, "this authority serves "+s.workspace)
	}
	return nil
}

// route calls the one route that a request names. Whatever it does not know, there is not.
func (s *Server) route(w http.ResponseWriter, r *http.Request, c *call) *problem {
	path, below := strings.CutPrefix(r.URL.Path, wire.Prefix)
	if !below || r.URL.RawPath != "" {
		return errNoRoute
	}
	room, name, nested := strings.Cut(path, "/")
	if nested != (room == "tokens" || room == "owners" || room == "usage") || nested && (name == "" || strings.Contains(name, "/")) {
		return errNoRoute
	}
	route := r.Method + " " + room
	if r.URL.RawQuery != "" && route != "GET tokens" {
		return malformed("there is no query here")
	}
	// HTTP/2 and HTTP/3 may leave open whether there is a body, and wait for none.
	if r.Method == http.MethodGet && (r.ContentLength > 0 || r.ContentLength < 0 && r.ProtoMajor == 1) {
		return malformed("there is no body here")
	}
	switch route {
	case "GET tokens":
		return s.token(w, r, c, name)
	case "GET owners":
		return s.owner(w, r, c, name)
	case "GET changes":
		return s.changes(w, r, c)
	case "POST changes":
		return s.report(w, r, c)
	case "POST acks":
		return s.ack(w, r, c)
	case "PUT usage":
		return s.snapshot(w, r, c, name)
	}
	return errNoRoute
}

// body reads a body of at most limit bytes.
func (c *call) body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *problem) {
	switch {
	case r.Header.Get("Content-Encoding") != "":
		return nil, malformed("the body must not be compressed") // a little could become a lot
	case r.ContentLength > limit:
		return nil, errTooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	_ = c.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	switch {
	case isTooLarge(err):
		return nil, errTooLarge
	case err != nil:
		return nil, malformed("the body cannot be read")
	}
	_ = c.control.SetReadDeadline(time.Time{})
	return data, nil
}

func (s *Server) publish(changes ...fleet.Change) {
	// Whether the edge leaves or the server closes, the change was made.
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	s.options.Publish(ctx, changes...)
}

// done answers that there is nothing more to say.
func done(w http.ResponseWriter, status int) *problem {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return nil
}
