package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

// Directory knows the tokens of one workspace.
type Directory interface {
	// Lookup returns [ErrUnknownToken] for a token that the workspace does not
	// have, and an [*UnavailableError] where it cannot be told.
	Lookup(ctx context.Context, id ID) (*Info, error)
	// List returns all tokens of the workspace, or an [*UnavailableError].
	List(ctx context.Context) ([]*Info, error)
	// Close ends what is under way and lets go of connections.
	Close()
}

// workspaceDirectory asks a workspace's Token Management API through the
// Databricks SDK.
type workspaceDirectory struct {
	workspace string
	admin     Admin
	timeout   time.Duration
	transport *transport
	interner  *interner

	// api is nil until the first look-up, and after a refusal.
	api atomic.Pointer[adminAPI]
	// building is held while api is made: a lock that a caller can stop waiting
	// for, because it takes requests to make one.
	building chan struct{}
}

// NewDirectory returns the directory of a workspace. It does not use the network
// or read secrets: the SDK's client is built by the first look-up, and again
// after the workspace refused the credential, so that a workspace that is down
// at start or a secret that was rotated needs no restart.
//
// When the credential is a personal access token itself, building the client
// includes looking up this very token. If the workspace does not know it by the
// hash of its value, all look-ups end in [IDRuleBroken] until it does.
func NewDirectory(workspace string, admin Admin, timeout time.Duration) Directory {
	return &workspaceDirectory{
		workspace: workspace,
		admin:     admin,
		timeout:   timeout,
		transport: newTransport(timeout),
		interner:  newInterner(),
		building:  make(chan struct{}, 1),
	}
}

func (d *workspaceDirectory) Lookup(ctx context.Context, id ID) (*Info, error) {
	api, err := d.client(ctx)
	if err != nil {
		return nil, err
	}
	info, err := get(ctx, api.TokenManagementAPI, id)
	if err != nil {
		d.forgetIfRefused(api, err)
		return nil, err
	}
	return newInfo(id, info, d.interner), nil
}

// adminAPI is the SDK's client of the Token Management API.
type adminAPI struct {
	*settings.TokenManagementAPI
	client *client.DatabricksClient
}

func newAdminAPI(c *client.DatabricksClient) *adminAPI {
	return &adminAPI{settings.NewTokenManagement(c), c}
}

// tokenInfo is the SDK's form of a token without the SDK's way to read it from
// JSON, which finds out about the type anew for each value and takes twenty
// times as long and as much memory: a list of 100,000 tokens would keep a
// processor busy for fifteen seconds.
type tokenInfo settings.TokenInfo

// list is ListAll of the SDK for long lists.
func (a *adminAPI) list(ctx context.Context) ([]tokenInfo, error) {
	headers := map[string]string{"Accept": "application/json"}
	if id := a.client.Config.WorkspaceID; id != "" {
		headers["X-Databricks-Workspace-Id"] = id
	}
	var answer struct {
		TokenInfos []tokenInfo `json:"token_infos"`
	}
	err := a.client.Do(ctx, http.MethodGet, "/api/2.0"+listPath, headers, nil, nil, &answer)
	return answer.TokenInfos, err
}

// get is one look-up, with the answer checked.
func get(ctx context.Context, api *settings.TokenManagementAPI, id ID) (*settings.TokenInfo, error) {
	answer, err := api.Get(ctx, settings.GetTokenManagementRequest{TokenId: id.String()})
	if err != nil {
		return nil, classify(err)
	}
	info := answer.TokenInfo
	if info == nil || info.TokenId == "" {
		return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("it holds no token_info")}
	}
	if info.TokenId != id.String() {
		return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("it is about another token than the one asked for")}
	}
	return info, nil
}

func (d *workspaceDirectory) List(ctx context.Context) ([]*Info, error) {
	api, err := d.client(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := api.list(ctx)
	if err != nil {
		err = classify(err)
		d.forgetIfRefused(api, err)
		if errors.Is(err, ErrUnknownToken) { // 404 cannot mean that for a list
			err = &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("status %d", http.StatusNotFound)}
		}
		return nil, err
	}
	list := make([]*Info, 0, len(answer))
	for i := range answer {
		info := (*settings.TokenInfo)(&answer[i])
		id, err := ParseID(info.TokenId)
		if err != nil {
			return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("it lists tokens by ids of another kind")}
		}
		list = append(list, newInfo(id, info, d.interner))
	}
	return list, nil
}

// client returns the SDK's client, and makes it if there is none. Its errors are
// outages.
func (d *workspaceDirectory) client(ctx context.Context) (*adminAPI, error) {
	if api := d.api.Load(); api != nil {
		return api, nil
	}
	select {
	case d.building <- struct{}{}:
		defer func() { <-d.building }()
	case <-ctx.Done():
		return nil, &UnavailableError{Outage: TimedOut}
	}
	if api := d.api.Load(); api != nil {
		return api, nil
	}
	c, err := d.admin.newClient(d.workspace, d.timeout, d.transport)
	if err != nil {
		return nil, notConfigured(err)
	}
	api := newAdminAPI(c)
	if err := proveIDRule(ctx, api); err != nil {
		return nil, err
	}
	d.api.Store(api)
	return api, nil
}

// proveIDRule checks that the workspace knows the admin's own token by the hash
// of its value, if the admin has one. That ids are such hashes is documented for
// another endpoint only, and where it does not hold every token would be unknown,
// in words that blame the callers.
func proveIDRule(ctx context.Context, api *adminAPI) error {
	if api.client.Config.AuthType != patAuthType || !isPAT(api.client.Config.Token) {
		return nil
	}
	_, err := get(ctx, api.TokenManagementAPI, IDOf(api.client.Config.Token))
	if errors.Is(err, ErrUnknownToken) {
		return &UnavailableError{Outage: IDRuleBroken}
	}
	return err
}

// forgetIfRefused makes the next look-up build a new client, with the credential
// as it is then.
func (d *workspaceDirectory) forgetIfRefused(api *adminAPI, err error) {
	var outage *UnavailableError
	if errors.As(err, &outage) && (outage.Outage == Rejected || outage.Outage == NotConfigured) {
		d.api.CompareAndSwap(api, nil)
	}
}

// WorkspaceID returns the id that the workspace gives itself in its answers, 0
// before the first.
func (d *workspaceDirectory) WorkspaceID() int64 { return d.transport.workspaceID.Load() }

// Close is final: what is asked afterwards fails.
func (d *workspaceDirectory) Close() { d.transport.close() }

// classify tells the three things apart that a caller must act on differently:
// no such token, no answer, and a refusal of our own credential.
func classify(err error) error {
	var outage *UnavailableError
	if errors.As(err, &outage) {
		return outage
	}
	var api *apierr.APIError
	if errors.As(err, &api) {
		switch {
		case api.StatusCode == http.StatusNotFound && strings.Contains(api.Message, "disabled"):
			return &UnavailableError{Outage: Disabled}
		case api.StatusCode == http.StatusNotFound && isTokenMissing(api.ErrorCode):
			return ErrUnknownToken
		case api.StatusCode == http.StatusUnauthorized, api.StatusCode == http.StatusForbidden:
			return &UnavailableError{Outage: Rejected, Err: fmt.Errorf("status %d", api.StatusCode)}
		}
		return &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("status %d", api.StatusCode)}
	}
	// Signing in failed before the look-up was sent.
	var signIn *httpclient.HttpError
	if errors.As(err, &signIn) || errors.Is(err, apierr.ErrUnauthenticated) ||
		errors.Is(err, apierr.ErrPermissionDenied) || errors.Is(err, apierr.ErrBadRequest) {
		return &UnavailableError{Outage: Rejected, Err: errors.New("signing in failed")}
	}
	if errors.Is(err, config.ErrCannotConfigureDefault) || strings.Contains(err.Error(), "auth: ") {
		return notConfigured(err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &UnavailableError{Outage: TimedOut}
	}
	// What is left is an answer that the SDK could not read. Its message quotes
	// the body, so it goes no further.
	return &UnavailableError{Outage: BadAnswer}
}

// isTokenMissing tells a Token Management API that does not know the token from
// a server that does not know the API: the codes seen for the first vary, so the
// ones that mean the second are named.
func isTokenMissing(code string) bool {
	return code != "" && code != "ENDPOINT_NOT_FOUND" && code != "UNKNOWN"
}

func notConfigured(err error) error {
	var outage *UnavailableError
	if errors.As(err, &outage) {
		return outage
	}
	return &UnavailableError{Outage: NotConfigured, Err: err}
}
