// Package health answers the question whether a gateway is ready, in JSON and with the
// reason. Answers are for operators and for load balancers; they hold no secrets.
package health

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/tokens"
)

// probeTimeout bounds how long a probe waits for a look-up. Kubernetes gives up after a
// second by default.
const probeTimeout = 800 * time.Millisecond

// Reasons of a [Report], beside those of its workspaces.
const (
	// ShuttingDown: the process ends, and load balancers should send nothing more.
	ShuttingDown = "shutting_down"
	// NoWorkspace: nothing is configured that could be ready.
	NoWorkspace = "no_workspace"
)

// Report says whether a gateway is ready.
type Report struct {
	Ready bool `json:"ready"`
	// Reason is set if the gateway as a whole is not ready.
	Reason string `json:"reason,omitempty"`
	// Message says what to do about it.
	Message    string      `json:"message,omitempty"`
	Workspaces []Workspace `json:"workspaces,omitempty"`
}

// Workspace says whether the tokens of a workspace can be looked up.
type Workspace struct {
	Workspace string `json:"workspace"`
	Ready     bool   `json:"ready"`
	// Reason is a [tokens.Outage], also if the outage does not make the workspace unready
	// because it is expected to pass. Empty if look-ups work.
	Reason tokens.Outage `json:"reason,omitempty"`
	// Message says what happened and what to do.
	Message string `json:"message,omitempty"`
}

// Prober finds out whether a workspace's tokens can be looked up, see
// [tokens.Resolver.Readiness].
type Prober interface {
	Readiness(ctx context.Context) (ready bool, problem *tokens.UnavailableError)
}

// Check asks the probers of all workspaces, by URL, at once and not for long.
func Check(ctx context.Context, urls []string, probers []Prober) Report {
	if len(urls) == 0 {
		return Report{Reason: NoWorkspace, Message: "no databricks_scopes or databricks_gateway is configured"}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	report := Report{Ready: true, Workspaces: make([]Workspace, len(urls))}
	var all sync.WaitGroup
	for i := range urls {
		all.Go(func() { report.Workspaces[i] = check(ctx, urls[i], probers[i]) })
	}
	all.Wait()
	for _, w := range report.Workspaces {
		report.Ready = report.Ready && w.Ready
	}
	return report
}

func check(ctx context.Context, url string, prober Prober) Workspace {
	ready, problem := prober.Readiness(ctx)
	w := Workspace{Workspace: url, Ready: ready}
	if problem == nil {
		return w
	}
	w.Reason, w.Message = problem.Outage, problem.Outage.Advice()
	switch problem.Outage {
	case tokens.Unreachable, tokens.HostNotFound, tokens.TLSFailed:
		w.Message = problem.Problem() // our own words; other causes quote the SDK
	}
	return w
}

// Write sends the report: 200 if the gateway is ready, otherwise 503.
func (r Report) Write(w http.ResponseWriter) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(append(sanitize.JSON(body), '\n'))
	return err
}
