package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/config/credentials"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/files"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// sdkClient returns the real Databricks client, pointed at the gateway and configured
// without the environment. An empty token sends no credential.
func sdkClient(t testing.TB, g *harness.Gateway, token string, change ...func(*databricks.Config)) *databricks.WorkspaceClient {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	cfg := &databricks.Config{
		Host: g.URL, Token: token, AuthType: "pat", HTTPTransport: transport,
		ConfigFile: filepath.Join(t.TempDir(), "none"),
		Loaders:    []config.Loader{config.ConfigFile},
	}
	if token == "" {
		cfg.AuthType, cfg.Credentials = "", noCredentials{}
	}
	for _, f := range change {
		f(cfg)
	}
	client, err := databricks.NewWorkspaceClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

type noCredentials struct{}

func (noCredentials) Name() string { return "none" }

func (noCredentials) Configure(context.Context, *config.Config) (credentials.CredentialsProvider, error) {
	return credentials.CredentialsProviderFn(func(*http.Request) error { return nil }), nil
}

func TestSDK(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	client := sdkClient(t, g, harness.LegacyToken(w))
	ctx := t.Context()

	me, err := client.CurrentUser.Me(ctx, iam.MeRequest{})
	if err != nil || me.UserName != "user@example.com" {
		t.Errorf("me: %+v, %v", me, err)
	}
	if all, err := client.Jobs.ListAll(ctx, jobs.ListJobsRequest{}); err != nil || len(all) == 0 {
		t.Errorf("jobs: %d, %v", len(all), err)
	}
	if all, err := client.Clusters.ListAll(ctx, compute.ListClustersRequest{}); err != nil || len(all) == 0 {
		t.Errorf("clusters: %d, %v", len(all), err)
	}
	statement, err := client.StatementExecution.ExecuteAndWait(ctx, sql.ExecuteStatementRequest{
		WarehouseId: fakeworkspace.WarehouseID, Statement: "SELECT 1",
	})
	if err != nil || statement.Status.State != sql.StatementStateSucceeded {
		t.Errorf("statement: %+v, %v", statement, err)
	}

	if err := client.Files.Upload(ctx, files.UploadRequest{FilePath: uploadName, Contents: io.NopCloser(strings.NewReader("hello"))}); err != nil {
		t.Fatalf("upload: %v", err)
	}
	file, err := client.Files.DownloadByFilePath(ctx, uploadName)
	if err != nil {
		t.Fatalf("download: %v", err)
	}
	defer file.Contents.Close()
	if content, err := io.ReadAll(file.Contents); err != nil || string(content) != "hello" {
		t.Errorf("downloaded %q, %v", content, err)
	}
}

// The SDK turns the gateway's refusals into the same typed errors as the workspace's.
func TestSDKRefusals(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	scoped := g.Mint("sql").Value
	tests := []struct {
		name, token, reason string
		want                error
		metadata            []string // fields that must not be empty
	}{
		{"missing scope", scoped, "missing_scope", databricks.ErrPermissionDenied,
			[]string{"operation", "required_scopes", "token_scopes"}},
		{"unknown", harness.RevokedToken(w), "unknown_token", databricks.ErrPermissionDenied, nil},
		{"expired", w.Mint(fakeworkspace.TokenSpec{Lifetime: -time.Hour}).Value, "token_expired", databricks.ErrPermissionDenied, nil},
		{"none", "", "missing_credential", databricks.ErrUnauthenticated, nil},
		{"unsupported", "bad_token_1", "unsupported_credential", databricks.ErrUnauthenticated, nil},
		{"unsupported, named", w.SignJWT(nil), "unsupported_credential/named", databricks.ErrUnauthenticated, nil},
		{"a variable", "${DATABRICKS_TOKEN}", "unsupported_credential/named", databricks.ErrUnauthenticated, nil},
		{"a token id", strings.Repeat("0123456789abcdef", 4), "unsupported_credential/named", databricks.ErrUnauthenticated, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sdkClient(t, g, tt.token).Jobs.ListAll(t.Context(), jobs.ListJobsRequest{})
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v is not %v", err, tt.want)
			}
			info := sdkErrorInfo(t, err, golden.FindRefusal(t, tt.reason))
			tt.reason, _, _ = strings.Cut(tt.reason, "/")
			if info.Reason != strings.ToUpper(tt.reason) || info.Domain != "scopegate" || info.Metadata["reason"] != tt.reason {
				t.Errorf("info %+v", info)
			}
			for _, name := range tt.metadata {
				if info.Metadata[name] == "" {
					t.Errorf("no %s in %v", name, info.Metadata)
				}
			}
		})
	}
	if found := harness.Arrivals(w); len(found) != 0 {
		t.Errorf("%d requests reached the workspace", len(found))
	}
}

// sdkErrorInfo checks an API error's message and returns its ErrorInfo.
func sdkErrorInfo(t testing.TB, err error, want golden.Refusal) *apierr.ErrorInfo {
	t.Helper()
	var failed *apierr.APIError
	if !errors.As(err, &failed) {
		t.Fatalf("%T is not an API error: %v", err, err)
	}
	id := failed.ResponseWrapper.Response.Header.Get("X-Request-Id")
	if !strings.HasPrefix(failed.Message, want.Prefix()) || id == "" || !strings.HasSuffix(failed.Message, " [ReqId: "+id+"]") {
		t.Errorf("message %q, x-request-id %q", failed.Message, id)
	}
	if failed.ErrorDetails().ErrorInfo == nil {
		t.Fatalf("no ErrorInfo in %+v", failed.ErrorDetails())
	}
	return failed.ErrorDetails().ErrorInfo
}

// While tokens cannot be looked up, the gateway asks the SDK to retry, and it does.
func TestSDKDirectoryUnavailable(t *testing.T) {
	const tokenManagement = "/api/2.0/token-management/"
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")

	t.Run("for longer than the SDK retries", func(t *testing.T) {
		fault := w.Faults().Set(tokenManagement, fakeworkspace.InternalError())
		defer fault.Remove()
		client := sdkClient(t, g, harness.LegacyToken(w), func(cfg *databricks.Config) { cfg.RetryTimeoutSeconds = 1 })
		_, err := client.Jobs.ListAll(t.Context(), jobs.ListJobsRequest{})
		if !errors.Is(err, databricks.ErrTemporarilyUnavailable) {
			t.Errorf("error %v", err)
		}
		if info := sdkErrorInfo(t, err, golden.FindRefusal(t, "directory_unavailable")); info.Metadata["reason"] != "directory_unavailable" {
			t.Errorf("info %+v", info)
		}
	})
	t.Run("for a moment", func(t *testing.T) {
		fault := w.Faults().Set(tokenManagement, fakeworkspace.InternalError(), fakeworkspace.Times(1))
		defer fault.Remove()
		client := sdkClient(t, g, harness.LegacyToken(w))
		if all, err := client.Jobs.ListAll(t.Context(), jobs.ListJobsRequest{}); err != nil || len(all) == 0 {
			t.Errorf("%d jobs, %v", len(all), err)
		}
		if fault.Hits() != 1 {
			t.Errorf("the fault was hit %d times", fault.Hits())
		}
	})
}

// TestSDKGatewayMisconfigured: when the workspace refuses the gateway's own credential, the
// SDK's user learns that within seconds, although its settings are those of a default
// client, which retries a 503 for five minutes.
func TestSDKGatewayMisconfigured(t *testing.T) {
	w := harness.StartWorkspace(t)
	w.Faults().Set("/api/2.0/token-management/", fakeworkspace.RejectAdmin(401))
	g := harness.StartGateway(t, w, "")
	began := time.Now()
	_, err := sdkClient(t, g, harness.LegacyToken(w)).Jobs.ListAll(t.Context(), jobs.ListJobsRequest{})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the SDK returned after %s", took)
	}
	if err == nil || errors.Is(err, databricks.ErrUnauthenticated) || errors.Is(err, databricks.ErrTemporarilyUnavailable) {
		t.Errorf("error %v", err)
	}
	info := sdkErrorInfo(t, err, golden.FindRefusal(t, "gateway_misconfigured"))
	if info.Metadata["reason"] != "gateway_misconfigured" {
		t.Errorf("info %+v", info)
	}
}
