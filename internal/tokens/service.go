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
	// no such token, or an [*UnavailableError] if that could not be found out. A service that
	// passes on what another one was told sets Answer.At, with ErrUnknownToken too; zero means
	// that the workspace was asked now.
	Lookup(ctx context.Context, q Query) (Answer, error)
	// List returns all tokens of the workspace, those of which the list says nothing that
	// can be used apart, or an [*UnavailableError].
	List(ctx context.Context) ([]*Info, []Faulty, error)
	// Close cancels requests in progress and closes connections.
	Close()
}

// Query asks for the facts about a token.
type Query struct {
	ID ID
	// After is what an answer must be later than to be of use: the time of the one that the
	// caller has already, or the beginning of the time that it may be old. Zero means that any
	// will do. A service that always asks the workspace ignores it.
	After time.Time
	// Lane is the class of the look-up.
	Lane Lane
}

// managementService is the [Service] that asks a workspace's Token Management API
// through the Databricks SDK.
type managementService struct {
	workspace string
	admin     Admin
	timeout   time.Duration
	transport *Transport
	interner  *interner

	workspaceID workspaceID

	// api is nil until the first look-up, and after the workspace refused the
	// credential.
	api atomic.Pointer[client.DatabricksClient]
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

func (s *managementService) Lookup(ctx context.Context, q Query) (Answer, error) {
	id := q.ID
	api, err := s.client(ctx)
	if err != nil {
		return Answer{}, err
	}
	ctx, noted := noting(ctx)
	found, err := get(ctx, api, id)
	if err != nil {
		if id == neutral && errors.Is(err, ErrUnknownToken) {
			s.workspaceID.answered(id, noted.workspace.Load())
		}
		if outage := asOutage(err); id == neutral || outage.everyone {
			// The refusal of one token says nothing about the credential.
			s.forgetIfRefused(api, outage)
		}
		return Answer{}, err
	}
	if answered := noted.workspace.Load(); answered == found.WorkspaceId {
		s.workspaceID.answered(id, answered)
	}
	return Answer{ID: id, Info: newInfo(id, found, s.interner)}, nil
}

// read returns the answer to a GET of a Token Management path. The SDK's own methods would
// decode it, generously: see package strictjson.
func read(ctx context.Context, api *client.DatabricksClient, path string) (body []byte, err error) {
	headers := map[string]string{"Accept": "application/json"}
	if id := api.Config.WorkspaceID; id != "" {
		headers["X-Databricks-Workspace-Id"] = id
	}
	err = api.Do(ctx, http.MethodGet, "/api/2.0"+path, headers, nil, nil, &body)
	return body, err
}

// get looks up one token and checks the answer.
func get(ctx context.Context, api *client.DatabricksClient, id ID) (*settings.TokenInfo, error) {
	body, err := read(ctx, api, listPath+"/"+id.String())
	if err != nil {
		return nil, classify(err)
	}
	return readToken(body, id)
}

func (s *managementService) List(ctx context.Context) ([]*Info, []Faulty, error) {
	api, err := s.client(ctx)
	if err != nil {
		return nil, nil, err
	}
	ctx, noted := noting(ctx)
	body, err := read(ctx, api, listPath)
	if err != nil {
		err = classify(err)
		s.forgetIfRefused(api, err)
		if errors.Is(err, ErrUnknownToken) { // which makes no sense for a list
			err = &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("status %d", http.StatusNotFound)}
		}
		return nil, nil, err
	}
	list, faulty, err := readList(body, s.interner)
	if err == nil {
		s.workspaceID.answered(wholeList, noted.workspace.Load())
	}
	return list, faulty, err
}

// client returns the SDK's client, and builds it if there is none. Its errors are of
// type [*UnavailableError].
func (s *managementService) client(ctx context.Context) (*client.DatabricksClient, error) {
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
	api, err := s.admin.newClient(s.workspace, s.timeout, s.transport)
	if err != nil {
		return nil, notConfigured(err).forEveryone()
	}
	if err := proveIDRule(ctx, api); err != nil {
		return nil, err.forEveryone()
	}
	s.api.Store(api)
	return api, nil
}

// proveIDRule checks that the workspace finds the admin's own token, if that is the
// credential, by the hash of its value. The rule is documented for another endpoint
// only. If it did not hold, every token would be unknown, and the refusals would
// blame the callers.
func proveIDRule(ctx context.Context, api *client.DatabricksClient) *UnavailableError {
	if api.Config.AuthType != patAuthType || !isPAT(api.Config.Token) {
		return nil
	}
	_, err := get(ctx, api, IDOf(api.Config.Token))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknownToken):
		return &UnavailableError{Outage: IDRuleBroken}
	}
	outage := asOutage(err)
	if outage.Outage == UnusableAnswer {
		return nil // it was found, whatever else the answer says
	}
	return outage
}

// forgetIfRefused makes the next look-up build a new client, which reads the
// credential again.
func (s *managementService) forgetIfRefused(api *client.DatabricksClient, err error) {
	var outage *UnavailableError
	if errors.As(err, &outage) && (outage.Outage == Rejected || outage.Outage == NotConfigured) {
		s.api.CompareAndSwap(api, nil)
	}
}

// WorkspaceID returns the ID that the workspace gives itself, 0 before it has.
func (s *managementService) WorkspaceID() int64 { return s.workspaceID.load() }

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
		return (&UnavailableError{Outage: Rejected, Err: errSignIn}).forEveryone()
	}
	if text := err.Error(); strings.Contains(text, "failed to get OAuth endpoints") || strings.Contains(text, "OAuth is not supported for this host") {
		// The SDK does not wrap it. There is a credential, but nothing to use it with.
		return (&UnavailableError{Outage: BadAnswer, Err: errors.New("the host has no OAuth server of a workspace")}).forEveryone()
	}
	if errors.Is(err, config.ErrCannotConfigureDefault) || strings.Contains(err.Error(), "auth: ") {
		return notConfigured(err).forEveryone()
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

func notConfigured(err error) *UnavailableError {
	var outage *UnavailableError
	if errors.As(err, &outage) {
		return outage
	}
	return &UnavailableError{Outage: NotConfigured, Err: err}
}
