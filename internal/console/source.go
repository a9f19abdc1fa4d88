package console

import (
	"context"
	"net/http"

	"github.com/scopegate/scopegate/internal/actions"
	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/health"
	"github.com/scopegate/scopegate/internal/history"
)

// Source is what the pages show: the running configuration. It is asked on every request.
// The methods are safe for concurrent use.
type Source interface {
	adminapi.Gateway
	// Health says whether the tokens of each workspace can be looked up. It takes a second
	// at most.
	Health(ctx context.Context) health.Report
	// Audit says whether records of decisions are kept.
	Audit() audit.Condition
}

// Options are those of one site that shows the pages.
type Options struct {
	// Workspace is the URL of the workspace that the pages are about, as
	// [workspaceurl.Parse] writes it. It may be empty if there is only one.
	Workspace string
	// Hosts are the names, without a port, by which the site may be asked for: those in its
	// address. Wildcards, such as *.example.com, are possible.
	Hosts []string
	// Loopback also permits localhost and addresses of the loopback interface. It is for a
	// site that listens there only.
	Loopback bool
	// User returns who signed in to send a request, as far as that is known. Nil knows nobody.
	User func(*http.Request) string
	// History has decisions of more than the last hour. Nil has none.
	History *history.Prometheus
	// Actions lets people change tokens, who sign in at the workspace for that. Nil is off.
	Actions *actions.Desk
	// Ending is closed when the site begins to shut down, so that streams end. Nil is never.
	Ending <-chan struct{}
}

// New returns the handler of the pages. It must be at the root of a site of its own.
func New(source Source, options Options) http.Handler {
	s := &server{Source: source, options: options, sets: templates(), turns: make(chan struct{}, maxTurns)}
	return s.protect(s.routes())
}
