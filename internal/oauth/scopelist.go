package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
)

// SupportedScopes returns the scopes that a workspace's OAuth server says it has, sorted
// (scopes_supported of RFC 8414, section 2). It sends no credential. The timeout bounds the
// request. The error is a [*tokens.UnavailableError].
//
// The list says nothing about any token, so it does not matter which issuer the answer
// names.
func SupportedScopes(ctx context.Context, workspace string, timeout time.Duration) ([]string, error) {
	server, err := newAuthServer(workspace, timeout)
	if err != nil {
		return nil, &tokens.UnavailableError{Outage: tokens.NotConfigured, Err: err}
	}
	defer server.client.Close()
	const path = "/oidc/.well-known/oauth-authorization-server"
	var body json.RawMessage
	if err := server.get(ctx, server.base+path, &body); err != nil {
		return nil, err
	}
	names, err := readSupported(body)
	if err != nil {
		return nil, badAnswer(path, err)
	}
	return names, nil
}

// readSupported reads scopes_supported.
func readSupported(body []byte) ([]string, error) {
	if err := strictjson.Check(body); err != nil {
		return nil, err
	}
	for name, value := range strictjson.Members(body) {
		if name == "scopes_supported" {
			return tokens.ScopeNames(value)
		}
	}
	return nil, errors.New("it has no scopes_supported")
}
