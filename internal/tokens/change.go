package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

// changeTimeout bounds each request of a [Changer].
const changeTimeout = 10 * time.Second

// Changer changes tokens of a workspace, as its administrator does by hand. Gateways
// never do.
type Changer struct {
	api       *settings.TokenManagementAPI
	transport *transport
}

// NewChanger returns what changes the tokens of a workspace. It may use the network
// to sign in. Close it.
func NewChanger(workspace string, admin Admin) (*Changer, error) {
	t := newTransport(changeTimeout)
	c, err := admin.newClient(workspace, changeTimeout, t)
	if err != nil {
		t.close()
		return nil, notConfigured(err)
	}
	return &Changer{api: settings.NewTokenManagement(c), transport: t}, nil
}

// Close lets go of connections.
func (c *Changer) Close() { c.transport.close() }

// Get returns what the workspace tells of a token, or [ErrUnknownToken].
func (c *Changer) Get(ctx context.Context, id ID) (*Info, error) {
	info, err := get(ctx, c.api, id)
	if err != nil {
		return nil, err
	}
	return newInfo(id, info, newInterner()), nil
}

// ErrScopesNotSet says that the workspace accepted a change of scopes and did not
// make it.
var ErrScopesNotSet = errors.New("the workspace accepted the change, but the token does not have the new scopes")

// SetScopes replaces the scopes of a token. An empty list is refused, because
// Databricks takes none for all.
func (c *Changer) SetScopes(ctx context.Context, id ID, scopes []string) error {
	if len(scopes) == 0 {
		return errors.New("setting no scopes would let the token do everything")
	}
	request := settings.UpdateTokenManagementRequest{TokenId: id.String()}
	request.Token.Scopes = scopes
	request.UpdateMask.Paths = []string{"scopes"}
	answer, err := c.api.UpdateTokenManagement(ctx, request)
	switch {
	case err != nil:
		return fmt.Errorf("setting the scopes: %w", changeFailed(err))
	case !SameScopes(answer.Scopes, scopes):
		return ErrScopesNotSet
	}
	return nil
}

// SameScopes reports whether two lists hold the same scopes, in any order.
func SameScopes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Revoke deletes a token for good.
func (c *Changer) Revoke(ctx context.Context, id ID) error {
	if err := c.api.Delete(ctx, settings.DeleteTokenManagementRequest{TokenId: id.String()}); err != nil {
		return fmt.Errorf("revoking the token: %w", changeFailed(err))
	}
	return nil
}

// changeFailed says more than classify: who changes tokens by hand wants to know
// what the workspace said. It was sent no secret, so its words hold none.
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

// changeError is an outage in the words of what was to be done.
type changeError struct {
	outage *UnavailableError
	said   string
}

func (e *changeError) Error() string { return outageHints[e.outage.Outage] + e.said }
func (e *changeError) Unwrap() error { return e.outage }
