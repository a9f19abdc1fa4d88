package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/mapfiles"
	"github.com/scopegate/scopegate/internal/merge"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// Workspace is a Databricks workspace whose tokens are judged.
type Workspace struct {
	// URL of the workspace, such as `https://dbc-a1b2345c-d6e7.cloud.databricks.com`.
	// Where one host serves several workspaces, add the workspace's id as `?o=<id>`.
	// Placeholders are supported. Default: `{env.DATABRICKS_HOST}`.
	URL string `json:"url,omitempty"`

	WorkspaceOptions
}

// WorkspaceOptions are what is said once about a workspace, either in the app or in a
// handler that uses it.
type WorkspaceOptions struct {
	// How scopegate itself signs in to the workspace to look up tokens. Only a
	// workspace admin may do so. Default: the Databricks SDK's unified
	// authentication, that is environment variables such as
	// `DATABRICKS_CLIENT_ID`, then the default profile of `~/.databrickscfg` if
	// it is for this workspace.
	Admin *Admin `json:"admin,omitempty"`

	// How long facts about tokens are remembered.
	Cache *Cache `json:"cache,omitempty"`

	// Limits on look-ups with the workspace.
	Lookup *Lookup `json:"lookup,omitempty"`

	// Redis or Valkey server through which gateways share what they find out about tokens.
	// `lookup rate` is then that of all of them together. Default: each gateway finds out
	// by itself.
	Fleet *Fleet `json:"fleet,omitempty"`

	// Allow a workspace over plain HTTP outside of this machine and private networks.
	// Tokens and the admin credential then cross the network unencrypted. Default: such
	// a workspace is an error.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	// How often the facts about all tokens are refreshed by one request for the
	// workspace's whole list, which is not paginated. A revoked token is refused
	// here after that time at the latest. `-1` turns it off. Default: off.
	Sync caddy.Duration `json:"sync,omitempty"`

	// Path of a file with catalog rows that are added to the built-in catalog or
	// override its rows of the same method and path. The columns, separated by
	// tabs, are method, path template, scopes, evidence, operation and source. A changed
	// file takes effect within seconds; while it has a mistake, the rows before stay.
	Routes string `json:"routes,omitempty"`

	// Let refusals of the workspace that name scopes correct the catalog at once, until
	// `routes` has a row for the operation: tokens that hold a scope which the workspace
	// named are permitted, too. The workspace judges them again; what policies permit stays
	// as it is. Corrections are kept with usage. In a Caddyfile: `routes learned`, or
	// `routes <file> learned`. Default: off, refusals are only counted and shown.
	LearnedRoutes bool `json:"learned_routes,omitempty"`

	// A map that is used instead of the built-in one. `routes` go over it. Default: the
	// built-in map.
	Map *Map `json:"map,omitempty"`

	// What to do with tokens whose expiry the workspace does not state: their
	// `expiry_time` is neither -1, for never, nor a time. `deny` refuses them with 503;
	// `allow` judges them like others, but they exceed every `max_lifetime` and fail
	// `require_expiry`. Default: `deny`.
	UnknownExpiry string `json:"unknown_expiry,omitempty"`

	// How long before its expiry a token that is in use is warned about, once, in
	// the log and by the event `databricks_token_expiring`. Tokens with a shorter
	// life are not. Default: `7d`.
	ExpiryWarning caddy.Duration `json:"expiry_warning,omitempty"`

	// How often usage (which operations tokens were seen to call) is saved in Caddy's
	// storage, so that reports survive restarts and gateways with one storage report
	// together; `-1` keeps it in memory only. An edge hands it to its authority instead.
	// Default: `5m`.
	Usage caddy.Duration `json:"usage,omitempty"`

	// What is wrong with the workspace's tokens: which of them may do everything, never
	// expire, are unused, belong to owners who left. Findings are kept beside usage. An edge
	// leaves them to its authority. Default: on.
	Findings *Findings `json:"findings,omitempty"`
}

// intervalOff turns off what happens at intervals.
const intervalOff caddy.Duration = -1

const (
	defaultExpiryWarning = 7 * 24 * time.Hour
	maxExpiryWarning     = 90 * 24 * time.Hour

	// minSync and minUsage keep a misplaced unit from asking or writing all the time.
	minSync  = 5 * time.Second
	minUsage = 10 * time.Second
)

func (o *WorkspaceOptions) validate() error {
	return errors.Join(
		o.Admin.validate(),
		o.Cache.validate(),
		o.Lookup.validate(),
		o.Fleet.validate(),
		o.validateEdge(),
		o.validateSync(),
		oneOf("unknown_expiry", o.UnknownExpiry, unknownExpiries),
		betweenDurations("expiry_warning", o.ExpiryWarning, maxExpiryWarning),
		o.validateUsage(),
		o.Findings.validate(),
		o.Map.validate(),
	)
}

// validateEdge refuses what an edge cannot do. It is also for options that several places
// state together.
func (o *WorkspaceOptions) validateEdge() error {
	if !o.Admin.isEdge() {
		return nil
	}
	var problems []error
	if o.Fleet != nil {
		problems = append(problems, errors.New("fleet and admin authority cannot be combined: an edge shares through its authorities; remove one of them"))
	}
	if o.Sync > 0 {
		problems = append(problems, errors.New("sync and admin authority cannot be combined: an edge cannot list tokens, and its authorities tell it what was changed; remove sync"))
	}
	return errors.Join(problems...)
}

func (o *WorkspaceOptions) validateSync() error  { return intervalOrOff("sync", o.Sync, minSync) }
func (o *WorkspaceOptions) validateUsage() error { return intervalOrOff("usage", o.Usage, minUsage) }

// unknownExpiries are the choices of UnknownExpiry; the first is the default.
var unknownExpiries = []string{"deny", "allow"}

// freshness returns what facts will do, with the defaults.
func (o *WorkspaceOptions) freshness() tokens.Freshness {
	f := o.Cache.freshness()
	f.UnknownExpiry = o.UnknownExpiry == "allow"
	return f
}

func (o *WorkspaceOptions) expiryWarning() time.Duration {
	return cmp.Or(time.Duration(o.ExpiryWarning), defaultExpiryWarning)
}

// merge adds what another place states about the same workspace. It returns the name
// of an option about which the two contradict each other, or an empty string.
func (o *WorkspaceOptions) merge(other WorkspaceOptions) (conflict string, err error) {
	if conflict, err = merge.Options(o, &other, "cache", "lookup", "findings"); conflict != "" || err != nil {
		return conflict, err
	}
	return "", errors.Join(o.validateEdge(), o.Findings.validate())
}

// registry holds the workspaces of one configuration, by name and by URL.
type registry struct {
	byName map[string]*workspace
	byURL  map[string]*workspace
	// resolve returns the URL that a configured workspace stands for.
	resolve func(configured string, admin *Admin) (string, error)
	open    func(*workspace) *tokenService
}

func newRegistry(configured map[string]*Workspace, resolve func(string, *Admin) (string, error), open func(*workspace) *tokenService) (*registry, error) {
	r := &registry{byName: make(map[string]*workspace), byURL: make(map[string]*workspace), resolve: resolve, open: open}
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		c := configured[name]
		if err := c.validate(); err != nil {
			return r, fmt.Errorf("workspace %s: %w", name, err)
		}
		url, err := r.resolve(c.URL, c.Admin)
		if err != nil {
			return r, fmt.Errorf("workspace %s: %w", name, err)
		}
		if other, ok := r.byURL[url]; ok {
			return r, fmt.Errorf("workspaces %s and %s have the same URL; keep one of them", other.name, name)
		}
		w := r.add(url)
		w.name, w.options = name, c.WorkspaceOptions
		if err := checkScheme(w.url, w.options.InsecureHTTP); err != nil {
			return r, err
		}
		r.byName[name] = w
		if err := w.compile(); err != nil {
			return r, fmt.Errorf("workspace %s: %w", name, err)
		}
	}
	return r, nil
}

func (r *registry) add(url string) *workspace {
	w := &workspace{url: url, host: workspaceurl.Host(url)}
	w.service = sync.OnceValue(func() *tokenService {
		w.opened.Store(true)
		return r.open(w)
	})
	r.byURL[url] = w
	return w
}

// join finds the workspace that a handler names, adds what the handler states about
// it, and compiles the rules of the handlers that this concerns.
func (r *registry) join(h *Handler) (*workspace, error) {
	w, err := r.find(h.Workspace, h.Admin)
	if err != nil {
		return nil, err
	}
	before := w.options
	conflict, err := w.options.merge(h.WorkspaceOptions)
	switch {
	case err != nil:
		return nil, err
	case conflict != "":
		return nil, fmt.Errorf("%s of the workspace %s is set twice, with different values; set it once, in the %s app", conflict, w.url, appName)
	}
	if err := errors.Join(checkScheme(w.url, w.options.InsecureHTTP), w.checkAuthority()); err != nil {
		return nil, err
	}
	i := len(w.handlers)
	h.enforcer.Judge = func() *judge.Judge { return w.inForce.Load().Judges[i] }
	w.handlers = append(w.handlers, h)
	if now := w.inForce.Load(); now != nil && reflect.DeepEqual(before, w.options) {
		return w, w.addJudge(now.Map, now.Judges, h) // nothing new for the others
	}
	return w, w.compile()
}

// unknownWorkspace says that a handler names none of the workspaces that have names.
func unknownWorkspace[W any](name string, known map[string]W) error {
	return fmt.Errorf("unknown workspace %q; %s", name, didyoumean.Hint(name, slices.Sorted(maps.Keys(known))))
}

// isName reports whether a handler's workspace can only be the name of one.
func isName(workspace string) bool { return workspace != "" && !strings.ContainsAny(workspace, ".:{") }

// find returns the workspace that a handler names, which it adds if need be.
func (r *registry) find(name string, admin *Admin) (*workspace, error) {
	if w, ok := r.byName[name]; ok {
		return w, nil
	}
	if name == "" && len(r.byName) > 0 {
		if len(r.byName) > 1 {
			return nil, fmt.Errorf("the handler does not say which workspace to use; set workspace to one of %s", strings.Join(slices.Sorted(maps.Keys(r.byName)), ", "))
		}
		for _, w := range r.byName {
			return w, nil
		}
	}
	if len(r.byName) > 0 && isName(name) {
		return nil, unknownWorkspace(name, r.byName)
	}
	url, err := r.resolve(name, admin)
	if err != nil {
		return nil, err
	}
	if w, ok := r.byURL[url]; ok && url != "" { // without a URL, it is not known which it is
		return w, nil
	}
	return r.add(url), nil
}

// all returns the workspaces, sorted by URL. It works on nil.
func (r *registry) all() (all []*workspace) {
	if r == nil {
		return nil
	}
	for _, url := range slices.Sorted(maps.Keys(r.byURL)) {
		all = append(all, r.byURL[url])
	}
	return all
}

// used returns those that handlers use.
func (r *registry) used() []*workspace {
	return slices.DeleteFunc(r.all(), func(w *workspace) bool { return len(w.handlers) == 0 && w.authority == nil })
}

// workspace is a workspace of one configuration.
type workspace struct {
	name     string // empty where only handlers name it
	url      string
	host     string // name of its host
	options  WorkspaceOptions
	files    mapfiles.Files
	inForce  atomic.Pointer[mapfiles.InForce]
	watch    *mapfiles.Watch // nil before the app starts
	handlers []*Handler

	// authority answers edges; nil where none does. Several handlers may share it.
	authority *Authority

	// service opens what knows its tokens on first use, when all handlers have stated
	// their options.
	service func() *tokenService
	opened  atomic.Bool
}

// checkScheme refuses plain HTTP where tokens would leave private networks. It leaves
// alone what is no URL before placeholders are replaced.
func checkScheme(workspace string, insecure bool) error {
	u, err := workspaceurl.Parse(workspace)
	if err != nil {
		return nil //nolint:nilerr // it is reported where the URL is needed
	}
	return workspaceurl.CheckScheme(u, insecure)
}
