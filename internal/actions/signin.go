package actions

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/credentials/u2m"
	"golang.org/x/oauth2"

	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// timeout bounds each request to the workspace.
	timeout = 10 * time.Second
	// maxDiscovery bounds the answer of serverPath, in bytes.
	maxDiscovery = 1 << 20
	// serverPath is below a workspace's URL, as the SDK asks for it.
	serverPath = "/oidc/.well-known/oauth-authorization-server"
	// accessDenied is the error of an authorization server whose user said no.
	accessDenied = "access_denied"
)

// discover asks a workspace where people sign in to it. What it says must be its own: neither people
// nor the secret of the app are led elsewhere.
func discover(ctx context.Context, workspace string) (oauth2.Endpoint, error) {
	transport := tokens.NewTransport(timeout)
	defer transport.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, workspace+serverPath, nil)
	if err != nil {
		return oauth2.Endpoint{}, badEndpoint()
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return oauth2.Endpoint{}, unreached(workspace, err)
	}
	defer response.Body.Close()
	var found u2m.OAuthAuthorizationServer
	if response.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(response.Body, maxDiscovery)).Decode(&found) != nil ||
		!isBelow(found.AuthorizationEndpoint, workspace) || !isBelow(found.TokenEndpoint, workspace) {
		return oauth2.Endpoint{}, badEndpoint()
	}
	return oauth2.Endpoint{AuthURL: found.AuthorizationEndpoint, TokenURL: found.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams}, nil
}

func badEndpoint() *Error {
	return errorf(http.StatusBadGateway, "the workspace does not say where people sign in to it, or names another host; nothing was changed. Use the command on the token's page, signed in as yourself")
}

// isBelow reports whether an endpoint has the scheme, host and port of a workspace.
func isBelow(endpoint, workspace string) bool {
	u, err := url.Parse(endpoint)
	w, err2 := url.Parse(workspace)
	return err == nil && err2 == nil && u.Scheme == w.Scheme && strings.EqualFold(u.Host, w.Host) && u.User == nil && u.Path != ""
}

// unreached says that a workspace could not be asked, before anything was changed.
func unreached(workspace string, err error) *Error {
	why := "no answer"
	if outage, ok := errors.AsType[*tokens.UnavailableError](err); ok {
		why = string(outage.Outage)
	}
	return errorf(http.StatusServiceUnavailable, "the workspace %s could not be asked (%s); nothing was changed. Check that the gateway reaches it, then open the token's page and confirm again", hostOf(workspace), why)
}

// client returns the OAuth client of a plan, without its secret.
func (d *Desk) client(p *pending) *oauth2.Config {
	return &oauth2.Config{ClientID: d.ClientID, Endpoint: p.endpoint, RedirectURL: p.redirect, Scopes: []string{d.Scope}}
}

// exchange returns the access token of the person who signed in. Errors never quote the answer of
// the workspace.
func (d *Desk) exchange(ctx context.Context, p *pending, code string) (string, error) {
	client := d.client(p)
	if d.ClientSecret != nil {
		secret, err := d.ClientSecret()
		if err != nil {
			return "", errorf(http.StatusInternalServerError, "%v; nothing was changed", err)
		}
		client.ClientSecret = secret
	}
	transport := tokens.NewTransport(timeout)
	defer transport.Close()
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport})
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(p.verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return "", errorf(http.StatusBadGateway, "the workspace gave no access token (%s); nothing was changed. Check the client id, the secret and the redirect URL of the OAuth app connection, and confirm again on the token's page", oauthCode(refused.ErrorCode))
	}
	if err != nil {
		return "", unreached(p.plan.Workspace, err)
	}
	return token.AccessToken, nil
}

// declined says what to do if the workspace did not sign a person in.
func declined(code string) *Error {
	if code == accessDenied {
		return errorf(http.StatusForbidden, "the workspace did not sign you in (%s): you declined, or may not use the OAuth app connection; nothing was changed. To go on, open the token's page and confirm again", accessDenied)
	}
	return errorf(http.StatusBadGateway, "the workspace did not sign you in (%s); nothing was changed. Check the OAuth app connection: its redirect URLs, and that it may have the scope that actions asks for", oauthCode(code))
}

// oauthCode returns an error code of OAuth (RFC 6749 sections 4.1.2.1 and 5.2), and hides others.
func oauthCode(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
		"unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable":
		return code
	}
	return "no known reason"
}
