package clients_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/files"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/serving"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func init() {
	for _, c := range []struct {
		name, scope, works string
		call               func(ctx context.Context, w *databricks.WorkspaceClient, at Target) error
		calls              []Call
	}{
		{"jobs", "jobs", "nightly-etl", listJobs, nil},
		{"statement", "sql", "SUCCEEDED", executeStatement, nil},
		{"serving endpoint", "model-serving", "Hello.", queryEndpoint, nil},
		{"files", "files", "application/octet-stream", getMetadata, []Call{Upload, Download}},
	} {
		run := func(seconds int, tell func(error) Seen) func(context.Context, Target, Call) Seen {
			return func(ctx context.Context, at Target, call Call) Seen {
				w, err := databricks.NewWorkspaceClient(&databricks.Config{
					Host: at.URL, Token: at.Token, AuthType: "pat", ConfigFile: at.Folder + "/none", RetryTimeoutSeconds: seconds,
				})
				if err != nil {
					return failed(err)
				}
				return tell(map[Call]func(context.Context, *databricks.WorkspaceClient, Target) error{
					List: c.call, Upload: uploadFile, Download: downloadFile,
				}[call](ctx, w, at))
			}
		}
		client := Client{
			Name: "Go SDK: " + c.name, Version: moduleVersion("github.com/databricks/databricks-sdk-go"), Scope: c.scope, Works: c.works, Calls: c.calls, Run: run(0, failed),
			Advice: []Advice{{Cases: []Case{adminOutage}, Do: "`RetryTimeoutSeconds: 5` in the `Config`", Run: run(5, failed), Maker: retries}},
		}
		if c.name == "files" { // a HEAD request, whose answer has no body
			client.Advice = []Advice{{
				Cases: []Case{wrongScope, unknownToken, expiredToken},
				Do:    "print the header `X-Databricks-Reason-Phrase` of the `apierr.APIError`'s `ResponseWrapper.Response`",
				Run:   run(0, reasonPhrase),
				Maker: bodiless,
			}, {
				Cases: []Case{adminOutage},
				Do:    "`RetryTimeoutSeconds: 5` in the `Config`, and print that header",
				Run:   run(5, reasonPhrase),
				Maker: retries,
			}}
		}
		register(client)
	}
}

func listJobs(ctx context.Context, w *databricks.WorkspaceClient, at Target) error {
	all, err := w.Jobs.ListAll(ctx, jobs.ListJobsRequest{})
	for _, job := range all {
		at.Show(job.Settings.Name + "\n")
	}
	return err
}

func executeStatement(ctx context.Context, w *databricks.WorkspaceClient, at Target) error {
	answer, err := w.StatementExecution.ExecuteStatement(ctx, sql.ExecuteStatementRequest{
		Statement: "SELECT 1", WarehouseId: fakeworkspace.WarehouseID, WaitTimeout: "5s",
	})
	if err == nil {
		at.Show(string(answer.Status.State))
	}
	return err
}

func queryEndpoint(ctx context.Context, w *databricks.WorkspaceClient, at Target) error {
	answer, err := w.ServingEndpoints.Query(ctx, serving.QueryEndpointInput{
		Name: "chat", Messages: []serving.ChatMessage{{Role: serving.ChatMessageRoleUser, Content: "Hi"}},
	})
	if err == nil {
		at.Show(answer.Choices[0].Message.Content)
	}
	return err
}

func getMetadata(ctx context.Context, w *databricks.WorkspaceClient, at Target) error {
	answer, err := w.Files.GetMetadata(ctx, files.GetMetadataRequest{FilePath: downloadPath})
	if err == nil {
		at.Show(answer.ContentType)
	}
	return err
}

func uploadFile(ctx context.Context, w *databricks.WorkspaceClient, at Target) error {
	file, err := os.Open(at.Local)
	if err != nil {
		return err
	}
	return w.Files.Upload(ctx, files.UploadRequest{FilePath: at.Remote, Contents: file})
}

func downloadFile(ctx context.Context, w *databricks.WorkspaceClient, at Target) error {
	answer, err := w.Files.Download(ctx, files.DownloadRequest{FilePath: at.Remote})
	if err != nil {
		return err
	}
	defer answer.Contents.Close()
	return save(at, answer.Contents)
}

// save writes a download to its file.
func save(at Target, content io.Reader) error {
	file, err := os.Create(at.Local)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// reasonPhrase shows what a program that follows the advice prints.
func reasonPhrase(err error) Seen {
	seen := failed(err)
	if refused := (*apierr.APIError)(nil); errors.As(err, &refused) && refused.ResponseWrapper != nil {
		seen.Output = fmt.Sprintf("%s: %s", err, refused.ResponseWrapper.Response.Header.Get("X-Databricks-Reason-Phrase"))
	}
	return seen
}
