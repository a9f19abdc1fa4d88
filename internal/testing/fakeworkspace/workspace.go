package fakeworkspace

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
)

const (
	// DefaultWorkspaceID is the workspace id without [WithWorkspaceID].
	DefaultWorkspaceID = 3141592653589793

	adminUser = "admin@example.com"
)

// ScopeCheck returns what a request needs: any one of anyOf, in the form of [OwnScopes], any credential
// if anyOf is empty, or no credential if public. The path is the one that the workspace acts on, escaped.
type ScopeCheck func(method, escapedPath string) (anyOf []string, public bool)

// Workspace is one fake workspace. Make it with [New]; it is an [http.Handler], and [Workspace.Start]
// and [Workspace.StartTLS] put it on a loopback socket.
type Workspace struct {
	now         func() time.Time
	workspaceID int64
	scopeCheck  ScopeCheck
	own         []ownRow
	sloppyPaths bool
	advertised  string

	scopesSupported, tokenScopes []string
	maxLog                       int

	people     *directory
	tokens     *tokenStore
	keys       *keyring
	faults     *Faults
	log        *requestLog
	routes     *routeTable
	extra      *routeTable
	jobs       *jobStore
	statements *statementStore
	files      *fileStore
	events     *eventGate
	logins     *logins
	apps       *apps
	spark      *grpc.Server

	adminToken  string
	adminClient ServicePrincipal

	// ctx ends every stream when the workspace closes.
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	cors    crossOrigin
	running sync.WaitGroup
	plain   *listener
	secure  *listener
}

// Option changes a Workspace before it starts.
type Option func(*Workspace)

// WithClock sets the workspace's clock, which sets creation, expiry, last use and JWT claims. Waiting
// (latency, wait_timeout) stays in real time.
func WithClock(now func() time.Time) Option { return func(w *Workspace) { w.now = now } }

// WithScopeCheck makes the workspace check scopes. Without it every valid token may call everything.
func WithScopeCheck(check func(method, escapedPath string) (anyOf []string, public bool)) Option {
	return func(w *Workspace) { w.scopeCheck = check }
}

// WithWorkspaceID sets the workspace id, which older clients call the org id.
func WithWorkspaceID(id int64) Option { return func(w *Workspace) { w.workspaceID = id } }

// WithScopeNames sets the names of scopes that the workspace says it has: in its OAuth
// server's metadata (scopes_supported), and for personal access tokens (token-scopes). Nil
// leaves the default, which is a few.
func WithScopeNames(supported, forTokens []string) Option {
	return func(w *Workspace) {
		if supported != nil {
			w.scopesSupported = supported
		}
		if forTokens != nil {
			w.tokenScopes = forTokens
		}
	}
}

// WithMaxRequestLog keeps the last n requests; the default is 10000.
func WithMaxRequestLog(n int) Option { return func(w *Workspace) { w.maxLog = n } }

// WithSloppyPaths makes the workspace accept paths that are encoded twice, carry `;params`, use
// backslashes or have the wrong case.
func WithSloppyPaths() Option { return func(w *Workspace) { w.sloppyPaths = true } }

// WithFileMemory limits the total bytes of file contents kept in memory; the default is 32 MiB. A file
// that does not fit is only counted and hashed. Zero keeps no contents.
func WithFileMemory(bytes int64) Option { return func(w *Workspace) { w.files.limit = bytes } }

// WithAddress sets the base URL, without a trailing slash, that the workspace calls itself by: in
// its discovery documents, its redirects and the issuer of its access tokens. Without it, that is
// the URL of its socket.
func WithAddress(url string) Option { return func(w *Workspace) { w.advertised = url } }

// New makes a workspace with one admin user, the admin's token and one admin service principal.
func New(opts ...Option) *Workspace {
	w := &Workspace{
		now:         time.Now,
		workspaceID: DefaultWorkspaceID,
		maxLog:      10000,

		scopesSupported: []string{"all-apis", "email", "offline_access", "openid", "profile", "sql"},
		tokenScopes:     []string{"all-apis", "clusters", "jobs", "sql"},

		people:     newDirectory(),
		tokens:     newTokenStore(),
		keys:       &keyring{},
		faults:     newFaults(),
		jobs:       newJobStore(),
		statements: newStatementStore(),
		files:      newFileStore(),
		events:     &eventGate{},
		logins:     newLogins(),
		apps:       &apps{signedIn: adminUser},
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for _, opt := range opts {
		opt(w)
	}
	w.log = newRequestLog(w.maxLog)
	w.spark = newSparkServer()
	w.routes, w.extra = new(routeTable), new(routeTable)
	w.registerRoutes()

	w.adminToken = w.Mint(TokenSpec{Owner: adminUser, Comment: "workspace admin", Admin: true}).Value
	w.adminClient = w.AddServicePrincipal("scopegate", true)
	return w
}

// WorkspaceID returns the id of this workspace.
func (w *Workspace) WorkspaceID() int64 { return w.workspaceID }

// AdminToken returns the personal access token of a workspace admin.
func (w *Workspace) AdminToken() string { return w.adminToken }

// AdminClient returns the OAuth credential of a service principal that is a workspace admin.
func (w *Workspace) AdminClient() (clientID, clientSecret string) {
	return w.adminClient.ApplicationID, w.adminClient.Secret
}

// Faults returns the workspace's faults, to switch some on.
func (w *Workspace) Faults() *Faults { return w.faults }

// Handle adds an authenticated route, in the pattern syntax of [http.ServeMux]. It overrides a built-in
// route, and panics on a pattern that ServeMux does not accept.
func (w *Workspace) Handle(pattern string, h http.Handler) { w.extra.handle(pattern, h) }

// ServeHTTP serves one request as a real workspace would.
func (w *Workspace) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !w.enter() {
		http.Error(rw, "workspace closed", http.StatusServiceUnavailable)
		return
	}
	defer w.running.Done()

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(w.ctx, cancel)()

	path := believedPath(r.URL.Path, w.sloppyPaths)
	c := &call{workspace: w, requestID: newUUID(), arrived: w.log.arrive(r, path, w.now())}
	rec := &recorder{ResponseWriter: rw}
	defer func() { w.log.leave(c.arrived, rec.status) }()

	// From here on, everything acts on the believed path, never on the one that was sent.
	r = r.WithContext(context.WithValue(ctx, callKey{}, c))
	r.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}

	commonHeaders(rec.Header(), c.requestID)
	w.serve(rec, r, c)
}

// serve checks in this order: faults, credential, workspace, scope, path.
func (w *Workspace) serve(rw http.ResponseWriter, r *http.Request, c *call) {
	if w.faults.frontDoor(rw, r) || w.cors.serve(rw, r) {
		return
	}
	anyOf, public := w.required(r)
	if !public {
		caller, refusal := w.authenticate(r)
		if refusal == nil {
			c.caller = caller
			w.log.identify(c.arrived, caller)
			w.insideHeaders(rw.Header())
			refusal = w.faults.credential(r, caller)
		}
		if refusal == nil {
			refusal = cmp.Or(w.ownScopes(r), &ownRow{OwnScopes: OwnScopes{AnyOf: anyOf}}).lacks(caller)
		}
		if refusal != nil {
			fail(rw, r, refusal)
			return
		}
		if refusal = w.faults.service(r); refusal != nil {
			fail(rw, r, refusal)
			return
		}
	}
	if w.extra.serve(rw, r) || w.routes.serve(rw, r) {
		return
	}
	fail(rw, r, serviceError(http.StatusNotFound, "ENDPOINT_NOT_FOUND",
		"No API found for '"+r.Method+" "+r.URL.EscapedPath()+"'"))
}

func (w *Workspace) required(r *http.Request) (anyOf []string, public bool) {
	if isPublic(r.URL.Path) {
		return nil, true
	}
	if w.scopeCheck == nil {
		return nil, false
	}
	return w.scopeCheck(r.Method, r.URL.EscapedPath())
}

// commonHeaders sets the headers that every recorded response has.
func commonHeaders(h http.Header, requestID string) {
	h.Set("Server", "databricks")
	h.Set("X-Request-Id", requestID)
	h.Set("Vary", "Accept-Encoding")
}

// insideHeaders sets the headers that every recorded response to an authenticated request has.
func (w *Workspace) insideHeaders(h http.Header) {
	h.Set("X-Databricks-Org-Id", strconv.FormatInt(w.workspaceID, 10))
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")
	h.Set("X-Content-Type-Options", "nosniff")
}

// enter registers a running request. It returns false if the workspace is closed.
func (w *Workspace) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.running.Add(1)
	return true
}
