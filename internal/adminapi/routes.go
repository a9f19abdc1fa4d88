package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// Prefix is where all routes begin.
const Prefix = "/databricks_scopes/"

// The routes, below [Prefix].
const (
	routeHealth    = "health"
	routeExplain   = "explain"
	routeCatalog   = "catalog"
	routeCompare   = "catalog/compare"
	routeUsage     = "usage"
	routeReport    = "report"
	routeRecommend = "recommend"
	routePlan      = "plan"
	routeDrift     = "drift"
	routeFindings  = "findings"
	routeAccept    = "findings/acknowledge"
	routeReplay    = "replay"
	routeFleet     = "fleet"
	routeProgress  = "fleet/progress"
	routeTokens    = "tokens"
	routeToken     = "tokens/"    // and an id
	routeDecision  = "decisions/" // and the request id of one, or its beginning
)

// Route is one route of the admin API.
type Route struct {
	Method string
	// Pattern is the path, or what it begins with if it ends in a slash.
	Pattern string
	handle  func(http.ResponseWriter, *http.Request) error
}

// Routes returns the routes:
//
//	GET    /databricks_scopes/health       is the process live, is it ready, is it shutting down
//	GET    /databricks_scopes/explain      judge ?method=&path= for ?token_id= or ?scopes=a,b
//	GET    /databricks_scopes/catalog      the catalog in use, tab-separated; ?base=true without the rows of routes
//	POST   /databricks_scopes/catalog/compare  what a map or routes file would do to the calls that were seen
//	GET    /databricks_scopes/usage        what tokens hold and were seen to use, ?format=json|csv|table
//	GET    /databricks_scopes/report       the same
//	GET    /databricks_scopes/recommend    the smallest set of scopes for ?token_id=, ?format=text|json
//	GET    /databricks_scopes/plan         the same for all tokens that the filters of report select, as JSON
//	GET    /databricks_scopes/drift        where the workspace's answers disagree with the map, ?format=json|csv|table
//	GET    /databricks_scopes/findings     what is wrong with tokens, ?state=&kind=&owner=&token_id=, ?format=json|csv|table
//	POST   /databricks_scopes/findings/acknowledge  mark a finding as known: {"key": …, "by": …, "note": …, "until": …}
//	GET    /databricks_scopes/replay       what tokens were seen to use, and what becomes of it by the rules in force
//	GET    /databricks_scopes/fleet        how the fleets of all workspaces are, ?format=json|csv|table
//	GET    /databricks_scopes/fleet/progress  how many edges have applied the change ?generation=
//	GET    /databricks_scopes/tokens       how many tokens are known, and the ids of up to 1,000
//	GET    /databricks_scopes/decisions/{id}  one decision, by the request id that its client saw or the beginning of it
//	DELETE /databricks_scopes/tokens/{id}  forget what is known about a token
func Routes(g Gateway) []Route {
	s := &server{g}
	return []Route{
		{http.MethodGet, Prefix + routeHealth, s.health},
		{http.MethodGet, Prefix + routeExplain, s.explain},
		{http.MethodGet, Prefix + routeCatalog, s.catalog},
		{http.MethodPost, Prefix + routeCompare, s.compare},
		{http.MethodGet, Prefix + routeUsage, s.report},
		{http.MethodGet, Prefix + routeReport, s.report},
		{http.MethodGet, Prefix + routeRecommend, s.recommend},
		{http.MethodGet, Prefix + routePlan, s.plan},
		{http.MethodGet, Prefix + routeDrift, s.drift},
		{http.MethodGet, Prefix + routeFindings, s.findings},
		{http.MethodPost, Prefix + routeAccept, s.acknowledge},
		{http.MethodGet, Prefix + routeReplay, s.replay},
		{http.MethodGet, Prefix + routeFleet, s.fleet},
		{http.MethodGet, Prefix + routeProgress, s.progress},
		{http.MethodGet, Prefix + routeTokens, s.tokens},
		{http.MethodGet, Prefix + routeDecision, s.decision},
		{http.MethodDelete, Prefix + routeToken, s.purge},
	}
}

// ServeHTTP answers a request whose path matches the pattern. After an [*Error] nothing
// is written yet; other errors are about the connection. Answers and errors are
// sanitized: they have texts of the workspace, and repeat what was asked.
func (r Route) ServeHTTP(w http.ResponseWriter, request *http.Request) error {
	if request.Method != r.Method {
		w.Header().Set("Allow", r.Method)
		return errorf(http.StatusMethodNotAllowed, "use %s", r.Method)
	}
	answer := &safeAnswer{ResponseWriter: w}
	err := r.handle(answer, request)
	if failed, ok := errors.AsType[*Error](err); ok {
		return &Error{failed.Status, sanitize.Error(failed.Err)}
	}
	return errors.Join(err, answer.send())
}

// safeAnswer holds an answer back until it is complete and sanitized.
type safeAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *safeAnswer) WriteHeader(status int) { a.status = status }

func (a *safeAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *safeAnswer) send() error {
	body := a.body.Bytes()
	if a.Header().Get("Content-Type") == "application/json" {
		body = sanitize.JSON(body)
	} else {
		body = []byte(sanitize.Text(string(body), sanitize.NoLimit))
	}
	if a.status != 0 {
		a.ResponseWriter.WriteHeader(a.status)
	}
	_, err := a.ResponseWriter.Write(body)
	return err
}

// server answers the routes.
type server struct{ Gateway }

func (s *server) health(w http.ResponseWriter, r *http.Request) error {
	stopping := s.Stopping()
	ready := !stopping && s.Ready(r.Context())
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, map[string]bool{"live": true, "ready": ready, "stopping": stopping})
}

// Error is an error with the HTTP status to answer it with.
type Error struct {
	Status int
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func errorf(status int, format string, args ...any) error {
	return &Error{status, fmt.Errorf(format, args...)}
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}
