package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/catalog"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/scopes"
)

// step is one call of the tour and the expected decision.
type step struct {
	sample sample
	call   string // what the call does, for the table
	method string
	path   string
	// do makes the call and returns a summary of what the client got.
	do   func(ctx context.Context) (string, error)
	want policy.Reason
}

// refusal is the error of a call over plain HTTP that the gateway refused.
type refusal struct {
	reason  policy.Reason
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// tour makes every call, prints the results, and reports whether every decision was as
// expected.
func (d *demo) tour(p *printer, samples samples) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	p.title("scopegate tour: what clients see through the gateway")
	p.blank()
	var rows [][]cell
	good := 0
	steps := d.steps(samples)
	for _, s := range steps {
		got, seen := s.run(ctx)
		decision := cell{"allow", green}
		switch {
		case got != s.want:
			decision = cell{fmt.Sprintf("UNEXPECTED %s, want %s", got, s.want), red}
		case got != policy.Permitted && got != policy.PublicRoute:
			decision = cell{"deny " + string(got), red}
		}
		if got == s.want {
			good++
		}
		rows = append(rows, []cell{{text: s.sample.name}, {text: s.call}, {text: needs(s.method, s.path)}, decision, {text: seen}})
	}
	p.table([]string{"TOKEN", "CALL", "NEEDS", "DECISION", "WHAT THE CLIENT SAW"}, rows)
	p.blank()
	p.line("%d of %d decisions as expected; %d look-ups served %d calls", good, len(steps), d.workspace.Lookups(), len(steps))
	return good == len(steps)
}

// run makes the call and returns the reason code, as far as the client can see it, and a
// summary of the response.
func (s step) run(ctx context.Context) (policy.Reason, string) {
	seen, err := s.do(ctx)
	if err == nil {
		// The client cannot see whether a token was needed.
		if s.want == policy.PublicRoute {
			return policy.PublicRoute, seen
		}
		return policy.Permitted, seen
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.reason, fmt.Sprintf("%d %s", refused.status, shorten(refused.message))
	}
	var api *apierr.APIError
	if errors.As(err, &api) {
		reason := policy.Reason("none")
		if info := api.ErrorDetails().ErrorInfo; info != nil {
			reason = policy.Reason(info.Metadata["reason"])
		}
		return reason, fmt.Sprintf("%s: %s", sdkError(err), shorten(api.Message))
	}
	return "none", err.Error()
}

// sdkError names the typed error that a program would test for.
func sdkError(err error) string {
	switch {
	case errors.Is(err, databricks.ErrPermissionDenied):
		return "ErrPermissionDenied"
	case errors.Is(err, databricks.ErrUnauthenticated):
		return "ErrUnauthenticated"
	}
	return "APIError"
}

// shorten removes the request id, which is useless in a table.
func shorten(message string) string {
	text, _, _ := strings.Cut(message, " [ReqId: ")
	return text
}

// needs returns the scopes that the catalog requires for a call.
func needs(method, path string) string {
	readings, err := scopes.Default().Read(method, strings.SplitN(path, "?", 2)[0], nil)
	if err != nil {
		return "-"
	}
	var needed []string
	for _, reading := range readings {
		need := strings.Join(reading.Operation.AnyOf, " or ")
		switch reading.Operation.Access {
		case scopes.Public:
			need = "no token"
		case scopes.AnyScope:
			need = "any scope"
		}
		if !slices.Contains(needed, need) {
			needed = append(needed, need)
		}
	}
	return strings.Join(needed, ", and ")
}

func (d *demo) steps(s samples) []step {
	return []step{
		d.sdk(s.sql, "run a SQL statement", "POST", "/api/2.0/sql/statements", policy.Permitted, func(ctx context.Context, w *databricks.WorkspaceClient) (string, error) {
			answer, err := w.StatementExecution.ExecuteStatement(ctx, sql.ExecuteStatementRequest{Statement: "SELECT 1", WarehouseId: fakeworkspace.WarehouseID, WaitTimeout: "10s"})
			if err != nil {
				return "", err
			}
			return "statement " + string(answer.Status.State), nil
		}),
		d.sdk(s.sql, "list warehouses", "GET", "/api/2.0/sql/warehouses", policy.Permitted, func(ctx context.Context, w *databricks.WorkspaceClient) (string, error) {
			found, err := w.Warehouses.ListAll(ctx, sql.ListWarehousesRequest{})
			return count(len(found), "warehouse"), err
		}),
		d.sdk(s.sql, "list jobs", "GET", "/api/2.2/jobs/list", policy.MissingScope, listJobs),
		d.sdk(s.jobs, "list jobs", "GET", "/api/2.2/jobs/list", policy.Permitted, listJobs),
		d.sdk(s.jobs, "list clusters", "GET", "/api/2.1/clusters/list", policy.Permitted, listClusters),
		d.sdk(s.jobs, "list catalogs", "GET", "/api/2.1/unity-catalog/catalogs", policy.MissingScope, listCatalogs),
		d.sdk(s.jobs, "get current user", "GET", "/api/2.0/preview/scim/v2/Me", policy.Permitted, func(ctx context.Context, w *databricks.WorkspaceClient) (string, error) {
			me, err := w.CurrentUser.Me(ctx, iam.MeRequest{})
			if err != nil {
				return "", err
			}
			return me.UserName, nil
		}),
		d.sdk(s.legacy, "list catalogs", "GET", "/api/2.1/unity-catalog/catalogs", policy.Permitted, listCatalogs),
		d.sdk(s.expired, "list clusters", "GET", "/api/2.1/clusters/list", policy.TokenExpired, listClusters),
		d.sdk(s.revoked, "list clusters", "GET", "/api/2.1/clusters/list", policy.UnknownToken, listClusters),
		d.get(s.sql, "curl -u token:<PAT>", "/api/2.0/sql/warehouses", policy.Permitted, func(r *http.Request, token string) {
			r.SetBasicAuth("token", token)
		}),
		d.get(sample{name: "(none)"}, "no Authorization header", "/api/2.1/clusters/list", policy.MissingCredential, nil),
		d.get(s.sql, "two Authorization headers", "/api/2.0/sql/warehouses", policy.AmbiguousRequest, func(r *http.Request, token string) {
			r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + s.legacy.token.Value}
		}),
		d.get(s.sql, "jobs behind an encoded ../", "/api/2.0/sql/..%2f../2.2/jobs/list", policy.MalformedPath, bearer),
		d.get(s.sql, "an undocumented path", "/api/2.0/internal/everything", policy.MissingScope, bearer),
		d.get(sample{name: "(none)"}, "an SDK's discovery call", "/.well-known/databricks-config", policy.PublicRoute, nil),
	}
}

func listJobs(ctx context.Context, w *databricks.WorkspaceClient) (string, error) {
	found, err := w.Jobs.ListAll(ctx, jobs.ListJobsRequest{})
	return count(len(found), "job"), err
}

func listClusters(ctx context.Context, w *databricks.WorkspaceClient) (string, error) {
	found, err := w.Clusters.ListAll(ctx, compute.ListClustersRequest{})
	return count(len(found), "cluster"), err
}

func listCatalogs(ctx context.Context, w *databricks.WorkspaceClient) (string, error) {
	found, err := w.Catalogs.ListAll(ctx, catalog.ListCatalogsRequest{})
	return count(len(found), "catalog"), err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sdk is a step made with the Databricks SDK for Go.
func (d *demo) sdk(sample sample, call, method, path string, want policy.Reason, do func(context.Context, *databricks.WorkspaceClient) (string, error)) step {
	return step{sample: sample, call: "SDK: " + call, method: method, path: path, want: want, do: func(ctx context.Context) (string, error) {
		client, err := databricks.NewWorkspaceClient(&databricks.Config{
			Host:     d.url,
			Token:    sample.token.Value,
			AuthType: "pat",
			Loaders:  []config.Loader{isolated{}},
		})
		if err != nil {
			return "", err
		}
		return do(ctx, client)
	}}
}

// isolated is an SDK configuration loader that ignores the user's profiles and
// environment variables.
type isolated struct{}

func (isolated) Name() string                   { return "demo" }
func (isolated) Configure(*config.Config) error { return nil }

// get is a step made with plain HTTP, for requests that SDKs do not send.
func (d *demo) get(sample sample, call, path string, want policy.Reason, sign func(r *http.Request, token string)) step {
	return step{sample: sample, call: "HTTP: " + call, method: http.MethodGet, path: path, want: want, do: func(ctx context.Context) (string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
		if err != nil {
			return "", err
		}
		if sign != nil {
			sign(r, sample.token.Value)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		if err != nil {
			return "", err
		}
		if answer.StatusCode == http.StatusOK {
			return fmt.Sprintf("%d, %d bytes of JSON", answer.StatusCode, len(text)), nil
		}
		var body struct {
			Message string `json:"message"`
		}
		if err := json.Unmarshal(text, &body); err != nil {
			return "", fmt.Errorf("reading the refusal: %w", err)
		}
		return "", &refusal{
			reason:  policy.Reason(answer.Header.Get("X-Scopegate-Reason")),
			status:  answer.StatusCode,
			message: body.Message,
		}
	}}
}

func bearer(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) }
