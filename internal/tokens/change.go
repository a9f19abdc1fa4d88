package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

// changeTimeout bounds each request of a [Changer].
const changeTimeout = 10 * time.Second

// Changer changes or revokes tokens of a workspace on behalf of an admin who runs a
// command. Gateways never do.
type Changer struct {
	api       *settings.TokenManagementAPI
	client    *client.DatabricksClient
	transport *Transport
}

// NewChanger returns a changer for the tokens of a workspace. It may use the network
// to sign in. Its error is an [*UnavailableError]. Close it.
func NewChanger(workspace string, admin Admin) (*Changer, error) {
	t := NewTransport(changeTimeout)
	c, err := admin.newClient(workspace, changeTimeout, t)
	if err != nil {
		t.Close()
		return nil, notConfigured(err)
	}
	return &Changer{api: settings.NewTokenManagement(c), client: c, transport: t}, nil
}

// Close closes connections.
func (c *Changer) Close() { c.transport.Close() }

// Get looks up a token. It returns [ErrUnknownToken] or an [*UnavailableError] if that
// fails.
func (c *Changer) Get(ctx context.Context, id ID) (*Info, error) {
	info, err := get(ctx, c.client, id)
	if err != nil {
		return nil, err
	}
	return newInfo(id, info, newInterner()), nil
}

// errScopesNotSet says that the workspace accepted a change of scopes but did not
// apply it.
var errScopesNotSet = errors.New("the workspace accepted the change, but the token does not have the new scopes")

// SetScopes replaces the scopes of a token. It rejects an empty list, because to
// Databricks no scopes means all scopes.
func (c *Changer) SetScopes(ctx context.Context, id ID, scopes []string) error {
	if len(scopes) == 0 {
		return errors.New("setting no scopes would allow the token everything; name at least one scope")
	}
	request := settings.UpdateTokenManagementRequest{TokenId: id.String()}
	request.Token.Scopes = scopes
	request.UpdateMask.Paths = []string{"scopes"}
	answer, err := c.api.UpdateTokenManagement(ctx, request)
	switch {
	case err != nil:
		return fmt.Errorf("setting the scopes: %w", changeFailed(err))
	case !SameScopes(answer.Scopes, scopes):
		return errScopesNotSet
	}
	return nil
}

// SameScopes reports whether two lists contain the same scopes, in any order.
func SameScopes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Revoke deletes a token. This cannot be undone.
func (c *Changer) Revoke(ctx context.Context, id ID) error {
	if err := c.api.Delete(ctx, settings.DeleteTokenManagementRequest{TokenId: id.String()}); err != nil {
		return fmt.Errorf("revoking the token: %w", changeFailed(err))
	}
	return nil
}

// changeFailed says more than classify: the admin who runs a command needs to see
// what the workspace said. The request held no secret, so the answer holds none.
func changeFailed(err error) error {
	known := classify(err)
	if errors.Is(known, ErrUnknownToken) {
		return known
	}
	refused := &changeError{asOutage(known), ""}
	var api *apierr.APIError
	switch {
	case errors.As(err, &api):
		refused.said = fmt.Sprintf(" (%s: %s)", api.ErrorCode, api.Message)
	case refused.outage.Err != nil:
		refused.said = fmt.Sprintf(" (%v)", refused.outage.Err)
	}
	return refused
}

// changeError is an outage without the prefix "looking up a token", since the caller
// says what failed.
type changeError struct {
	outage *UnavailableError
	said   string
}

func (e *changeError) Error() string { return outageHints[e.outage.Outage] + e.said }
func (e *changeError) Unwrap() error { return e.outage }
