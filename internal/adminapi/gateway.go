package adminapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/mapimpact"
	"github.com/scopegate/scopegate/internal/recent"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/internal/workspaceurl"
	"github.com/scopegate/scopegate/scopes"
)

// Gateway is the running configuration. It is asked on every request, because the admin
// API outlives configurations.
type Gateway interface {
	// Judges returns the judges of all handlers, in no particular order.
	Judges() []Judge
	// Workspaces returns the workspaces that handlers use, in no particular order.
	// Where two have the same URL, reports are about one of them.
	Workspaces() []Workspace
	// Recent returns the last decisions; nil if none are kept.
	Recent() *recent.Ring
	// Ready reports whether requests can be expected to be judged.
	Ready(ctx context.Context) bool
	// Stopping reports whether the process is shutting down.
	Stopping() bool
	// Now returns the time by which reports are made.
	Now() time.Time
}

// Judge is the judge of one handler. Its Tokens must be set.
type Judge struct {
	*judge.Judge
	// Key is equal for judges that explain alike: those with the same workspace,
	// credential, catalog, policies and unscoped_tokens. Mode and oauth must not be
	// part of it. It is compared, and never shown.
	Key string
	// Workspace is the URL of the workspace whose requests it judges, as in [Workspace].
	Workspace string
}

// Workspace is a workspace in front of which the gateway stands.
type Workspace struct {
	// URL is as [workspaceurl.Parse] writes it.
	URL    string
	Tokens TokenService
	Usage  UsageLedger
	// Fleet is nil for a gateway on its own.
	Fleet Fleet
	// Findings is nil where there are none: the option findings is off, or this is an edge.
	Findings *findings.Book
	// Compare tells what the content of a file would do to the calls that were seen: a
	// bundle in the place of the map, or rows in the place of the routes. The name is for
	// errors, which are about the content if they are not a [*tokens.UnavailableError].
	Compare func(ctx context.Context, content []byte, name string) (mapimpact.Impact, error)
	// Judges returns the judges of the workspace's handlers, in no particular order.
	Judges func() []*judge.Judge
	// Base returns the map in force without the operator's rows: what a routes file goes over.
	Base func() *scopes.Catalog
}

// TokenService knows the tokens of one workspace. A [tokens.Resolver] has all methods
// but Owner and PurgeFleet.
type TokenService interface {
	// Resolve returns the facts about a token, see [tokens.Resolver].
	Resolve(ctx context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error)
	// List returns all tokens of the workspace, and when they were listed.
	List(ctx context.Context) ([]*tokens.Info, time.Time, error)
	// Owner returns a token's owner, with the name if that is known. It does not wait.
	Owner(info *tokens.Info) tokens.Principal
	// Len returns how many tokens are remembered, and IDs the ids of at most limit of
	// them.
	Len() int
	IDs(limit int) []tokens.ID
	// PurgeFleet forgets a token here and in the whole fleet. It reports whether it was
	// remembered here, and by which change the fleet was told: 0 without a fleet, or if it
	// could not be told yet.
	PurgeFleet(ctx context.Context, id tokens.ID) (known bool, generation fleet.Generation)
}

// UsageLedger holds what the tokens of one workspace were seen to use.
type UsageLedger interface {
	// State returns all of it. Beside an error the state holds what could be read.
	State(ctx context.Context) (usage.State, error)
	// Settle waits a few seconds for answers of the workspace that are being confirmed.
	Settle(ctx context.Context)
}

// judgeOf returns the judge to answer for. Several are fine if they have the same key.
func judgeOf(g Gateway, key func(Judge) string) (Judge, error) {
	judges := g.Judges()
	if len(judges) == 0 {
		return Judge{}, errNoHandler()
	}
	for _, other := range judges[1:] {
		if key(judges[0]) != key(other) {
			return Judge{}, errorf(http.StatusConflict, "the running configuration has databricks_scopes handlers with different rules; use scopegate scopes explain --config instead")
		}
	}
	return judges[0], nil
}

// WorkspaceOf returns the workspace with a URL, or the only one if the URL is empty. Its
// errors are an [*Error].
func WorkspaceOf(g Gateway, url string) (Workspace, error) {
	all := slices.SortedFunc(slices.Values(g.Workspaces()), func(a, b Workspace) int { return cmp.Compare(a.URL, b.URL) })
	if url != "" {
		u, err := workspaceurl.Parse(url)
		if err != nil {
			return Workspace{}, errorf(http.StatusBadRequest, "%w", err)
		}
		for _, w := range all {
			if w.URL == u.String() {
				return w, nil
			}
		}
		return Workspace{}, errorf(http.StatusNotFound, "the running configuration has no databricks_scopes handler for that workspace")
	}
	if len(all) == 0 {
		return Workspace{}, errNoHandler()
	}
	var urls []string
	for _, w := range all {
		urls = append(urls, w.URL)
	}
	if urls = slices.Compact(urls); len(urls) > 1 {
		return Workspace{}, errorf(http.StatusConflict, "the gateway serves several workspaces; name one of them: %s", strings.Join(urls, ", "))
	}
	return all[0], nil
}

func errNoHandler() error {
	return errorf(http.StatusNotFound, "the running configuration has no databricks_scopes handler")
}
