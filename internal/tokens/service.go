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

// Service is a token service: it knows the tokens of one workspace.
type Service interface {
	// Lookup returns the facts about a token, [ErrUnknownToken] if the workspace has
	// no such token, or an [*UnavailableError] if that could not be found out.
	Lookup(ctx context.Context, id ID) (*Info, error)
	// List returns all tokens of the workspace, or an [*UnavailableError].
	List(ctx context.Context) ([]*Info, error)
	// Close cancels requests in progress and closes connections.
	Close()
}

// managementService is the [Service] that asks a workspace's Token Management API
// through the Databricks SDK.
type managementService struct {
	workspace string
	admin     Admin
	timeout   time.Duration
	transport *Transport
	interner  *interner

	// api is nil until the first look-up, and after the workspace refused the
	// credential.
	api atomic.Pointer[adminAPI]
	// building is held while api is built. It is a channel, so that callers can stop
	// waiting: building it takes requests.
	building chan struct{}
}

// NewService returns the token service of a workspace. It does not use the network or
// read secrets. The first look-up builds the SDK's client, and so does the first one
// after the workspace refused the credential, so that neither a workspace that is
// down at start nor a rotated secret needs a restart. The timeout bounds one request;
// a list may take a minute.
//
// If the credential is itself a personal access token, building the client includes
// looking up that token. If the workspace does not find it by the hash of its value,
// all look-ups fail with [IDRuleBroken] until it does.
func NewService(workspace string, admin Admin, timeout time.Duration) Service {
	return &managementService{
		workspace: workspace,
		admin:     admin,
		timeout:   timeout,
		transport: NewTransport(timeout),
		interner:  newInterner(),
		building:  make(chan struct{}, 1),
	}
}

func (s *managementService) Lookup(ctx context.Context, id ID) (*Info, error) {
	api, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	info, err := get(ctx, api.TokenManagementAPI, id)
	if err != nil {
		s.forgetIfRefused(api, err)
		return nil, err
	}
	return newInfo(id, info, s.interner), nil
}

// adminAPI is the SDK's client of the Token Management API.
type adminAPI struct {
	*settings.TokenManagementAPI
	client *client.DatabricksClient
}

func newAdminAPI(c *client.DatabricksClient) *adminAPI {
	return &adminAPI{settings.NewTokenManagement(c), c}
}

// tokenInfo is the SDK's type without the SDK's UnmarshalJSON, which uses reflection
// for each value and takes twenty times as long and as much memory: a list of 100,000
// tokens would keep a processor busy for fifteen seconds.
type tokenInfo settings.TokenInfo

// list is the SDK's ListAll for long lists.
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

// get looks up one token and checks the answer.
func get(ctx context.Context, api *settings.TokenManagementAPI, id ID) (*settings.TokenInfo, error) {
	answer, err := api.Get(ctx, settings.GetTokenManagementRequest{TokenId: id.String()})
	if err != nil {
		return nil, classify(err)
	}
	info := answer.TokenInfo
	if info == nil || info.TokenId == "" {
		return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("no token_info in the answer")}
	}
	if info.TokenId != id.String() {
		return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("the answer is about another token")}
	}
	return info, nil
}

func (s *managementService) List(ctx context.Context) ([]*Info, error) {
	api, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := api.list(ctx)
	if err != nil {
		err = classify(err)
		s.forgetIfRefused(api, err)
		if errors.Is(err, ErrUnknownToken) { // which makes no sense for a list
			err = &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("status %d", http.StatusNotFound)}
		}
		return nil, err
	}
	list := make([]*Info, 0, len(answer))
	for i := range answer {
		info := (*settings.TokenInfo)(&answer[i])
		id, err := ParseID(info.TokenId)
		if err != nil {
			return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("a listed token id is not a SHA-256")}
		}
		list = append(list, newInfo(id, info, s.interner))
	}
	return list, nil
}

// client returns the SDK's client, and builds it if there is none. Its errors are of
// type [*UnavailableError].
func (s *managementService) client(ctx context.Context) (*adminAPI, error) {
	if api := s.api.Load(); api != nil {
		return api, nil
	}
	select {
	case s.building <- struct{}{}:
		defer func() { <-s.building }()
	case <-ctx.Done():
		return nil, &UnavailableError{Outage: TimedOut}
	}
	if api := s.api.Load(); api != nil {
		return api, nil
	}
	c, err := s.admin.newClient(s.workspace, s.timeout, s.transport)
	if err != nil {
		return nil, notConfigured(err)
	}
	api := newAdminAPI(c)
	if err := proveIDRule(ctx, api); err != nil {
		return nil, err
	}
	s.api.Store(api)
	return api, nil
}

// proveIDRule checks that the workspace finds the admin's own token, if that is the
// credential, by the hash of its value. The rule is documented for another endpoint
// only. If it did not hold, every token would be unknown, and the refusals would
// blame the callers.
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

// forgetIfRefused makes the next look-up build a new client, which reads the
// credential again.
func (s *managementService) forgetIfRefused(api *adminAPI, err error) {
	var outage *UnavailableError
	if errors.As(err, &outage) && (outage.Outage == Rejected || outage.Outage == NotConfigured) {
		s.api.CompareAndSwap(api, nil)
	}
}

// WorkspaceID returns the workspace ID of the last answer, 0 before the first.
func (s *managementService) WorkspaceID() int64 { return s.transport.workspaceID.Load() }

// Close is final: later requests fail.
func (s *managementService) Close() { s.transport.Close() }

// classify distinguishes what a caller must act on differently: no such token, no
// answer, and a refusal of our own credential.
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
	// The sign-in failed, so the look-up was not sent.
	var signIn *httpclient.HttpError
	if errors.As(err, &signIn) || errors.Is(err, apierr.ErrUnauthenticated) ||
		errors.Is(err, apierr.ErrPermissionDenied) || errors.Is(err, apierr.ErrBadRequest) {
		return &UnavailableError{Outage: Rejected, Err: errors.New("signing in failed; check the client id and secret")}
	}
	if text := err.Error(); strings.Contains(text, "failed to get OAuth endpoints") || strings.Contains(text, "OAuth is not supported for this host") {
		// The SDK does not wrap it. There is a credential, but nothing to use it with.
		return &UnavailableError{Outage: BadAnswer, Err: errors.New("the host has no OAuth server of a workspace")}
	}
	if errors.Is(err, config.ErrCannotConfigureDefault) || strings.Contains(err.Error(), "auth: ") {
		return notConfigured(err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &UnavailableError{Outage: TimedOut}
	}
	// The SDK could not read the answer. Drop its message, which quotes the body.
	return &UnavailableError{Outage: BadAnswer}
}

// isTokenMissing distinguishes a Token Management API that does not know the token
// from a server that does not know the API. The error codes of the former vary, so it
// lists those of the latter.
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
