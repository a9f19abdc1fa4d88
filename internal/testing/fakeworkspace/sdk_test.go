package fakeworkspace_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/common/types/fieldmask"
	"github.com/databricks/databricks-sdk-go/service/catalog"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/files"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/serving"
	"github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestSDKTokenManagement(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	admin := patClient(t, w, w.AdminToken())
	minted := w.Mint(fakeworkspace.TokenSpec{
		Owner: "alice@example.com", Comment: "bi", Scopes: []string{"sql"}, Lifetime: time.Hour, Suffix: 2,
	})
	if !strings.HasSuffix(minted.Value, "-2") {
		t.Errorf("no suffix in a value of %d characters", len(minted.Value))
	}
	sum := sha256.Sum256([]byte(minted.Value))
	if want := hex.EncodeToString(sum[:]); minted.Info.TokenId != want {
		t.Errorf("token id %s, want the hash of the value %s", minted.Info.TokenId, want)
	}

	got, err := admin.TokenManagement.GetByTokenId(ctx, minted.Info.TokenId)
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreFields(settings.TokenInfo{}, "ForceSendFields")
	if diff := cmp.Diff(minted.Info, *got.TokenInfo, ignore); diff != "" {
		t.Errorf("get (-minted +got):\n%s", diff)
	}

	updated, err := admin.TokenManagement.UpdateTokenManagement(ctx, settings.UpdateTokenManagementRequest{
		TokenId: minted.Info.TokenId, Token: settings.TokenInfo{Scopes: []string{"sql", "jobs"}},
		UpdateMask: fieldmask.FieldMask{Paths: []string{"scopes"}},
	})
	if err != nil || !cmp.Equal(updated.Scopes, []string{"sql", "jobs"}) || updated.Comment != "bi" {
		t.Errorf("update: %+v, %v", updated, err)
	}

	byCreator, err := admin.TokenManagement.ListAll(ctx, settings.ListTokenManagementRequest{CreatedByUsername: "alice@example.com"})
	if err != nil || len(byCreator) != 1 || byCreator[0].TokenId != minted.Info.TokenId {
		t.Errorf("list by creator: %+v, %v", byCreator, err)
	}
	all, err := admin.TokenManagement.ListAll(ctx, settings.ListTokenManagementRequest{})
	if err != nil || len(all) != 2 {
		t.Errorf("list: %d tokens, %v", len(all), err)
	}

	if err := admin.TokenManagement.DeleteByTokenId(ctx, minted.Info.TokenId); err != nil {
		t.Error(err)
	}
	if _, err := admin.TokenManagement.GetByTokenId(ctx, minted.Info.TokenId); !errors.Is(err, databricks.ErrResourceDoesNotExist) {
		t.Errorf("get after delete: %v", err)
	}
	if n := w.Lookups(); n != 2 {
		t.Errorf("%d look-ups counted, want 2", n)
	}
}

func TestSDKTokenManagementOnBehalfOf(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	sp := w.AddServicePrincipal("etl", false)
	obo, err := patClient(t, w, w.AdminToken()).TokenManagement.CreateOboToken(ctx, settings.CreateOboTokenRequest{
		ApplicationId: sp.ApplicationID, Scopes: []string{"jobs"}, LifetimeSeconds: 60,
	})
	if err != nil {
		t.Fatal(err)
	}
	if info := obo.TokenInfo; info.OwnerId != sp.ID || info.CreatedByUsername != "admin@example.com" || info.ExpiryTime-info.CreationTime != 60_000 {
		t.Errorf("info %+v", info)
	}
	me, err := patClient(t, w, obo.TokenValue).CurrentUser.Me(ctx, iam.MeRequest{})
	if err != nil || me.UserName != sp.ApplicationID {
		t.Errorf("me %+v, %v", me, err)
	}
}

func TestSDKTokensOfTheOwner(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	alice := w.Mint(fakeworkspace.TokenSpec{Owner: "alice@example.com"})
	bob := w.Mint(fakeworkspace.TokenSpec{Owner: "bob@example.com"})
	w.Mint(fakeworkspace.TokenSpec{Owner: "alice@example.com", Lifetime: -time.Hour})
	c := patClient(t, w, alice.Value)

	created, err := c.Tokens.Create(ctx, settings.CreateTokenRequest{Comment: "new", AutoscopeEnabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if info := created.TokenInfo; info.AutoscopeState != iam.AutoscopeStateAutoscopeStateRunning || !cmp.Equal(info.Scopes, []string{"all-apis"}) {
		t.Errorf("autoscoped token %+v", info)
	}
	list, err := c.Tokens.ListAll(ctx)
	if err != nil || len(list) != 2 {
		t.Errorf("list: %d, %v; want the user's valid tokens", len(list), err)
	}
	_, err = c.Tokens.Update(ctx, settings.UpdateTokenRequest{
		TokenId: created.TokenInfo.TokenId, Token: settings.PublicTokenInfo{Scopes: []string{"sql"}},
		UpdateMask: fieldmask.FieldMask{Paths: []string{"scopes"}},
	})
	if info, _ := w.Info(created.TokenInfo.TokenId); err != nil || !cmp.Equal(info.Scopes, []string{"sql"}) {
		t.Errorf("update: %+v, %v", info, err)
	}
	if err := c.Tokens.DeleteByTokenId(ctx, created.TokenInfo.TokenId); err != nil {
		t.Error(err)
	}
	if err := c.Tokens.DeleteByTokenId(ctx, bob.Info.TokenId); !errors.Is(err, databricks.ErrResourceDoesNotExist) {
		t.Errorf("deleting another user's token: %v", err)
	}
	if _, err := c.TokenManagement.GetByTokenId(ctx, bob.Info.TokenId); !errors.Is(err, databricks.ErrPermissionDenied) {
		t.Errorf("look-up by a user: %v", err)
	}
}

func TestSDKMachineToMachine(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	id, secret := w.AdminClient()
	c := sdk(t, &databricks.Config{Host: w.URL(), ClientID: id, ClientSecret: secret, AuthType: "oauth-m2m"})
	me, err := c.CurrentUser.Me(ctx, iam.MeRequest{})
	if err != nil || me.UserName != id {
		t.Fatalf("me %+v, %v", me, err)
	}
	if _, err := c.TokenManagement.ListAll(ctx, settings.ListTokenManagementRequest{}); err != nil {
		t.Error(err)
	}
	if n := w.Counts().TokenGrants; n != 1 {
		t.Errorf("%d grants, want 1", n)
	}
	wrong := sdk(t, &databricks.Config{Host: w.URL(), ClientID: id, ClientSecret: "dose0", AuthType: "oauth-m2m"})
	if _, err := wrong.CurrentUser.Me(ctx, iam.MeRequest{}); err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("wrong secret: %v", err)
	}
}

func TestSDKDataPlane(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	token := w.Mint(fakeworkspace.TokenSpec{Owner: "alice@example.com"})
	c := patClient(t, w, token.Value)

	t.Run("workspace id", func(t *testing.T) {
		if id, err := c.CurrentWorkspaceID(ctx); err != nil || id != w.WorkspaceID() {
			t.Errorf("%d, %v", id, err)
		}
	})
	t.Run("jobs", func(t *testing.T) {
		created, err := c.Jobs.Create(ctx, jobs.CreateJob{Name: "mine"})
		if err != nil {
			t.Fatal(err)
		}
		job, err := c.Jobs.GetByJobId(ctx, created.JobId)
		if err != nil || job.Settings.Name != "mine" || job.CreatorUserName != "alice@example.com" {
			t.Errorf("job %+v, %v", job, err)
		}
		all, err := c.Jobs.ListAll(ctx, jobs.ListJobsRequest{Limit: 1})
		if err != nil || len(all) != 3 {
			t.Errorf("%d jobs over pages of one, %v; want 3", len(all), err)
		}
		wait, err := c.Jobs.RunNow(ctx, jobs.RunNow{JobId: created.JobId})
		if err != nil {
			t.Fatal(err)
		}
		run, err := wait.Get()
		if err != nil || run.State.ResultState != jobs.RunResultStateSuccess {
			t.Errorf("run %+v, %v", run, err)
		}
	})
	t.Run("clusters", func(t *testing.T) {
		all, err := c.Clusters.ListAll(ctx, compute.ListClustersRequest{})
		if err != nil || len(all) != 2 {
			t.Fatalf("%d clusters, %v", len(all), err)
		}
		one, err := c.Clusters.GetByClusterId(ctx, fakeworkspace.RunningCluster)
		if err != nil || one.State != compute.StateRunning {
			t.Errorf("cluster %+v, %v", one, err)
		}
	})
	t.Run("statements", func(t *testing.T) {
		warehouses, err := c.Warehouses.ListAll(ctx, sql.ListWarehousesRequest{})
		if err != nil || len(warehouses) != 1 {
			t.Fatalf("%d warehouses, %v", len(warehouses), err)
		}
		done, err := c.StatementExecution.ExecuteAndWait(ctx, sql.ExecuteStatementRequest{
			WarehouseId: warehouses[0].Id, Statement: "SELECT current_user()",
		})
		if err != nil || !cmp.Equal(done.Result.DataArray, [][]string{{"alice@example.com"}}) {
			t.Errorf("statement %+v, %v", done, err)
		}
		pending, err := c.StatementExecution.ExecuteStatement(ctx, sql.ExecuteStatementRequest{
			WarehouseId: warehouses[0].Id, Statement: "SELECT sleep(0.05)", WaitTimeout: "0s",
		})
		if err != nil || pending.Status.State != sql.StatementStatePending {
			t.Fatalf("statement %+v, %v", pending, err)
		}
		waitFor(t, func() bool {
			later, err := c.StatementExecution.GetStatementByStatementId(ctx, pending.StatementId)
			if err != nil {
				t.Fatal(err)
			}
			return later.Status.State == sql.StatementStateSucceeded
		})
	})
	t.Run("files", func(t *testing.T) {
		const dir, name = "/Volumes/main/default/v", "/Volumes/main/default/v/a b%2Fc.bin"
		content := bytes.Repeat([]byte("0123456789"), 10000)
		if err := c.Files.CreateDirectory(ctx, files.CreateDirectoryRequest{DirectoryPath: dir}); err != nil {
			t.Fatal(err)
		}
		if err := c.Files.Upload(ctx, files.UploadRequest{FilePath: name, Contents: io.NopCloser(bytes.NewReader(content))}); err != nil {
			t.Fatal(err)
		}
		down, err := c.Files.DownloadByFilePath(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		defer down.Contents.Close()
		if got, err := io.ReadAll(down.Contents); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes back, %v", len(got), err)
		}
		meta, err := c.Files.GetMetadataByFilePath(ctx, name)
		if err != nil || meta.ContentLength != int64(len(content)) {
			t.Errorf("metadata %+v, %v", meta, err)
		}
		list, err := c.Files.ListDirectoryContentsAll(ctx, files.ListDirectoryContentsRequest{DirectoryPath: dir})
		if err != nil || len(list) != 1 || list[0].Path != name {
			t.Errorf("list %+v, %v", list, err)
		}
		if err := c.Files.DeleteByFilePath(ctx, name); err != nil {
			t.Error(err)
		}
		if _, err := c.Files.DownloadByFilePath(ctx, name); !errors.Is(err, databricks.ErrNotFound) {
			t.Errorf("after delete: %v", err)
		}
		if err := c.Files.DeleteDirectoryByDirectoryPath(ctx, dir); err != nil {
			t.Error(err)
		}
	})
	t.Run("dbfs", func(t *testing.T) {
		if err := c.Dbfs.Put(ctx, files.Put{Path: "/tmp/x", Contents: "aGVsbG8="}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Dbfs.Read(ctx, files.ReadDbfsRequest{Path: "/tmp/x", Offset: 1, Length: 3})
		if err != nil || got.Data != "ZWxs" || got.BytesRead != 3 {
			t.Errorf("read %+v, %v", got, err)
		}
		list, err := c.Dbfs.ListAll(ctx, files.ListDbfsRequest{Path: "/tmp"})
		if err != nil || len(list) != 1 || list[0].FileSize != 5 {
			t.Errorf("list %+v, %v", list, err)
		}
	})
	t.Run("objects", func(t *testing.T) {
		list, err := c.Workspace.ListAll(ctx, workspace.ListWorkspaceRequest{Path: "/"})
		if err != nil || len(list) != 2 {
			t.Fatalf("list %+v, %v", list, err)
		}
		if err := c.Workspace.Upload(ctx, "/Shared/mine", strings.NewReader("print(3)")); err != nil {
			t.Fatal(err)
		}
		export, err := c.Workspace.Export(ctx, workspace.ExportRequest{Path: "/Shared/mine"})
		if err != nil || export.Content != "cHJpbnQoMyk=" {
			t.Errorf("export %+v, %v", export, err)
		}
		body, err := c.Workspace.Download(ctx, "/Shared/mine")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if got, err := io.ReadAll(body); err != nil || string(got) != "print(3)" {
			t.Errorf("download %q, %v", got, err)
		}
	})
	t.Run("catalogs", func(t *testing.T) {
		list, err := c.Catalogs.ListAll(ctx, catalog.ListCatalogsRequest{})
		if err != nil || len(list) != 2 || list[0].Name != "main" {
			t.Errorf("catalogs %+v, %v", list, err)
		}
	})
	t.Run("secrets", func(t *testing.T) {
		list, err := c.Secrets.ListSecretsByScope(ctx, "etl")
		if err != nil || len(list.Secrets) != 1 {
			t.Errorf("secrets %+v, %v", list, err)
		}
	})
	t.Run("serving", func(t *testing.T) {
		got, err := c.ServingEndpoints.Query(ctx, serving.QueryEndpointInput{
			Name: "chat", Messages: []serving.ChatMessage{{Role: serving.ChatMessageRoleUser, Content: "hi"}},
		})
		if err != nil || len(got.Choices) != 1 || got.ServedModelName != "chat" {
			t.Errorf("answer %+v, %v", got, err)
		}
	})
	t.Run("users", func(t *testing.T) {
		list, err := c.UsersV2.ListAll(ctx, iam.ListUsersRequest{})
		if err != nil || len(list) != 2 {
			t.Errorf("%d users, %v", len(list), err)
		}
	})
}

func TestSDKOverTLS(t *testing.T) {
	w := fakeworkspace.New()
	if err := w.StartTLS(); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	transport := tlsTransport(w)
	defer transport.CloseIdleConnections()
	c := sdk(t, &databricks.Config{Host: w.TLSURL(), Token: w.AdminToken(), AuthType: "pat", HTTPTransport: transport})
	if _, err := c.CurrentUser.Me(t.Context(), iam.MeRequest{}); err != nil {
		t.Fatal(err)
	}
	if last, _ := w.LastRequest(); last.Proto != "HTTP/2.0" {
		t.Errorf("spoke %s", last.Proto)
	}
}
