package main

import (
	"context"
	"time"

	"github.com/databricks/databricks-sdk-go"
	sdkclient "github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/service/catalog"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// client is a simulated client.
type client struct {
	token fakeworkspace.Token
	calls []call
	// recommend says whether to print the recommendation for the token.
	recommend bool
}

// call is repeated at an interval.
type call struct {
	first, every time.Duration
	when         func(time.Time) bool // nil for always
	do           func(context.Context, *databricks.WorkspaceClient) error
}

// officeHours reports whether people look at dashboards at a time.
func officeHours(at time.Time) bool {
	return at.Weekday() != time.Saturday && at.Weekday() != time.Sunday && at.Hour() >= 8 && at.Hour() < 18
}

// mintClients mints typical tokens: some were never narrowed, some have the wrong scopes,
// and some are unused.
func mintClients(workspace *fakeworkspace.Workspace, now time.Time) []client {
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * day) }
	etl := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "etl@example.com", Comment: "airflow nightly loads", CreationTime: ago(420),
	})
	dashboard := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "bi@example.com", Comment: "sales dashboard", Scopes: []string{"all-apis"}, CreationTime: ago(20), Lifetime: 365 * day,
		AutoscopeState: iam.AutoscopeStateAutoscopeStateRunning, InferredScopes: []string{"sql"},
	})
	analyst := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "ana@example.com", Comment: "analyst laptop", CreationTime: ago(90), Lifetime: 180 * day,
	})
	agent := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "agent@example.com", Comment: "support agent", Scopes: []string{"sql", "genie"}, CreationTime: ago(30), Lifetime: 90 * day,
	})
	vendor := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "vendor@example.com", Comment: "lineage vendor", CreationTime: ago(200), Lifetime: 210 * day,
	})
	leaver := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "leaver@example.com", Comment: "tmp", CreationTime: ago(700), LastUsed: ago(310),
	})
	oldDashboard := workspace.Mint(fakeworkspace.TokenSpec{
		Owner: "bi@example.com", Comment: "old dashboard", Scopes: []string{"sql", "dashboards"}, CreationTime: ago(300), Lifetime: 400 * day, LastUsed: ago(45),
	})
	return []client{
		{recommend: true, token: etl, calls: []call{
			{first: 2 * time.Hour, every: day, do: runJob},
			{first: 10 * time.Minute, every: 30 * time.Minute, do: getJobs},
			{first: 3 * time.Hour, every: 6 * time.Hour, do: getClusters},
		}},
		{recommend: true, token: dashboard, calls: []call{
			{every: 10 * time.Minute, when: officeHours, do: runStatement},
			{first: time.Minute, every: time.Hour, do: getWarehouses},
			{first: 5 * time.Minute, every: day, do: getCatalogs},
		}},
		{recommend: true, token: analyst, calls: []call{
			{first: 11 * time.Minute, every: 2 * time.Hour, when: officeHours, do: getCatalogs},
			{first: 13 * time.Minute, every: 5 * time.Hour, when: officeHours, do: getWarehouses},
		}},
		{recommend: true, token: agent, calls: []call{
			{first: 4 * time.Minute, every: 20 * time.Minute, do: runStatement},
			{first: 17 * time.Minute, every: 4 * time.Hour, do: getJobs},
		}},
		{token: vendor, calls: []call{
			{first: 90 * time.Minute, every: 4 * time.Hour, do: getCatalogs},
			{first: 95 * time.Minute, every: 12 * time.Hour, do: getLineage},
		}},
		{token: leaver},
		{token: oldDashboard},
	}
}

func runJob(ctx context.Context, w *databricks.WorkspaceClient) error {
	found, err := w.Jobs.ListAll(ctx, jobs.ListJobsRequest{})
	if err != nil || len(found) == 0 {
		return err
	}
	_, err = w.Jobs.RunNow(ctx, jobs.RunNow{JobId: found[0].JobId})
	return err
}

func getJobs(ctx context.Context, w *databricks.WorkspaceClient) error {
	_, err := w.Jobs.ListAll(ctx, jobs.ListJobsRequest{})
	return err
}

func getClusters(ctx context.Context, w *databricks.WorkspaceClient) error {
	_, err := w.Clusters.ListAll(ctx, compute.ListClustersRequest{})
	return err
}

func getCatalogs(ctx context.Context, w *databricks.WorkspaceClient) error {
	_, err := w.Catalogs.ListAll(ctx, catalog.ListCatalogsRequest{})
	return err
}

func getWarehouses(ctx context.Context, w *databricks.WorkspaceClient) error {
	_, err := w.Warehouses.ListAll(ctx, sql.ListWarehousesRequest{})
	return err
}

func runStatement(ctx context.Context, w *databricks.WorkspaceClient) error {
	_, err := w.StatementExecution.ExecuteStatement(ctx, sql.ExecuteStatementRequest{Statement: "SELECT 1", WarehouseId: fakeworkspace.WarehouseID, WaitTimeout: "10s"})
	return err
}

// getLineage calls an undocumented path, as vendors do.
func getLineage(ctx context.Context, w *databricks.WorkspaceClient) error {
	c, err := sdkclient.New(w.Config)
	if err != nil {
		return err
	}
	return c.Do(ctx, "GET", "/api/2.0/lineage-internal/graph", nil, nil, nil, nil)
}
