package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/databricks/databricks-sdk-go/apierr"

	"github.com/scopegate/scopegate/internal/strictjson"
)

// OwnerState says whether an owner of tokens still belongs to the workspace.
type OwnerState string

// The states.
const (
	// OwnerActive: the workspace has the user or service principal, and does not say that it
	// is inactive.
	OwnerActive OwnerState = "active"
	// OwnerInactive: the workspace has it, and says that it is inactive.
	OwnerInactive OwnerState = "inactive"
	// OwnerGone: the workspace has no user and no service principal with the number.
	OwnerGone OwnerState = "gone"
)

// scimPath is where a workspace tells about people.
const scimPath = "/api/2.0/preview/scim/v2/"

// Owner asks the workspace's SCIM API who the owner with a number is, and whether it is still
// there. The name is unknown for one that is gone. The error is an [*UnavailableError]: an
// answer that is neither a person nor SCIM's own "not found" tells nothing.
func (c *Changer) Owner(ctx context.Context, id int64) (Principal, OwnerState, error) {
	for _, kind := range []struct{ resources, member string }{{"Users", "userName"}, {"ServicePrincipals", "applicationId"}} {
		answer, err := c.scim(ctx, kind.resources+"/"+strconv.FormatInt(id, 10))
		switch {
		case errors.Is(err, apierr.ErrNotFound):
			continue
		case err != nil:
			return Principal{}, "", fmt.Errorf("asking who owner %d is: %w", id, changeFailed(err))
		}
		owner, active, err := readMember(answer, id, kind.member)
		if err != nil {
			return Principal{}, "", fmt.Errorf("asking who owner %d is: %w", id, err)
		}
		if !active {
			return owner, OwnerInactive, nil
		}
		return owner, OwnerActive, nil
	}
	return NewPrincipal(id, ""), OwnerGone, nil
}

// ProveOwners checks that [Changer.Owner] finds someone who is certainly there: whoever signs
// in. Otherwise every owner would look as if it had left.
func (c *Changer) ProveOwners(ctx context.Context) error {
	const problem = "the workspace's SCIM API cannot tell who has left"
	answer, err := c.scim(ctx, "Me")
	if err != nil {
		return fmt.Errorf("%s: %w", problem, changeFailed(err))
	}
	var me struct {
		ID string `json:"id"`
	}
	if err := strictjson.Unmarshal(answer, &me); err != nil {
		return fmt.Errorf("%s: %w", problem, &UnavailableError{Outage: BadAnswer})
	}
	id, err := strconv.ParseInt(me.ID, 10, 64)
	if err != nil || id <= 0 {
		return fmt.Errorf("%s: %w", problem, &UnavailableError{Outage: BadAnswer})
	}
	_, state, err := c.Owner(ctx, id)
	switch {
	case err != nil:
		return err
	case state != OwnerActive:
		return fmt.Errorf("%s: it does not know the credential that asks; sign in as a workspace admin", problem)
	}
	return nil
}

func (c *Changer) scim(ctx context.Context, resource string) (answer []byte, err error) {
	headers := map[string]string{"Accept": "application/json"}
	if workspace := c.client.Config.WorkspaceID; workspace != "" {
		headers["X-Databricks-Workspace-Id"] = workspace
	}
	err = c.client.Do(ctx, http.MethodGet, scimPath+resource, headers, nil, nil, &answer)
	return answer, err
}

// readMember reads a SCIM answer about the owner of an id, and whether it is active. Someone
// of whom the answer does not say so is.
func readMember(answer []byte, id int64, member string) (owner Principal, active bool, err error) {
	var resource struct {
		ID     string `json:"id"`
		Active *bool  `json:"active"`
	}
	if err := strictjson.Unmarshal(answer, &resource); err != nil || resource.ID != strconv.FormatInt(id, 10) {
		return Principal{}, false, &UnavailableError{Outage: BadAnswer}
	}
	owner, err = readOwner(answer, id, member)
	if err != nil {
		owner = NewPrincipal(id, "") // a name that cannot be believed
	}
	return owner, resource.Active == nil || *resource.Active, nil
}
