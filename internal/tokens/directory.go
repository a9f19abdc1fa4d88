package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

// Directory knows the tokens of one workspace. Lookup returns [ErrUnknownToken]
// for a token that the workspace does not have, and an [*UnavailableError] where
// it cannot be told.
type Directory interface {
	Lookup(ctx context.Context, id ID) (*Info, error)
	Close()
}

// workspaceDirectory asks a workspace's Token Management API through the
// Databricks SDK.
type workspaceDirectory struct {
	workspace string
	admin     Admin
	timeout   time.Duration
	transport *transport

	mu  sync.Mutex
	api *settings.TokenManagementAPI // nil until the first look-up, and after a refusal
}

// NewDirectory returns the directory of a workspace. It does not use the network
// or read secrets: the SDK's client is built by the first look-up, and again
// after the workspace refused the credential, so that a workspace that is down
// at start or a secret that was rotated needs no restart.
func NewDirectory(workspace string, admin Admin, timeout time.Duration) Directory {
	return &workspaceDirectory{
		workspace: workspace,
		admin:     admin,
		timeout:   timeout,
		transport: newTransport(timeout),
	}
}

func (d *workspaceDirectory) Lookup(ctx context.Context, id ID) (*Info, error) {
	api, err := d.client()
	if err != nil {
		return nil, notConfigured(err)
	}
	answer, err := api.Get(ctx, settings.GetTokenManagementRequest{TokenId: id.String()})
	if err != nil {
		return nil, d.classify(err)
	}
	info := answer.TokenInfo
	if info == nil || info.TokenId == "" {
		return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("it holds no token_info")}
	}
	if info.TokenId != id.String() {
		return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("it is about another token than the one asked for")}
	}
	return newInfo(id, info), nil
}

func (d *workspaceDirectory) client() (*settings.TokenManagementAPI, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.api == nil {
		c, err := d.admin.newClient(d.workspace, d.timeout, d.transport)
		if err != nil {
			return nil, err
		}
		d.api = settings.NewTokenManagement(c)
	}
	return d.api, nil
}

// forget makes the next look-up build a new client, with the credential as it is
// then.
func (d *workspaceDirectory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.api = nil
}

// classify tells the three things apart that a caller must act on differently:
// no such token, no answer, and a refusal of our own credential.
func (d *workspaceDirectory) classify(err error) error {
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
			d.forget()
			return &UnavailableError{Outage: Rejected, Err: fmt.Errorf("status %d", api.StatusCode)}
		}
		return &UnavailableError{Outage: BadAnswer, Err: fmt.Errorf("status %d", api.StatusCode)}
	}
	// Signing in failed before the look-up was sent.
	var signIn *httpclient.HttpError
	if errors.As(err, &signIn) || errors.Is(err, apierr.ErrUnauthenticated) ||
		errors.Is(err, apierr.ErrPermissionDenied) || errors.Is(err, apierr.ErrBadRequest) {
		d.forget()
		return &UnavailableError{Outage: Rejected, Err: errors.New("signing in failed")}
	}
	if errors.Is(err, config.ErrCannotConfigureDefault) || strings.Contains(err.Error(), "auth: ") {
		d.forget()
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

func (d *workspaceDirectory) Close() { d.transport.close() }
