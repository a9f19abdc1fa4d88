package tokens

import (
	"context"
	"errors"
	"fmt"
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

// Owner asks the workspace's SCIM API who the owner with a number is, and whether it is still
// there. The name is unknown for one that is gone. The error is an [*UnavailableError]: an
// answer that is neither a person nor SCIM's own "not found" tells nothing.
func (c *Changer) Owner(ctx context.Context, id int64) (Principal, OwnerState, error) {
	answer, member, err := scimOwner(ctx, c.client, id)
	switch {
	case errors.Is(err, apierr.ErrNotFound):
		return NewPrincipal(id, ""), OwnerGone, nil
	case err != nil:
		return Principal{}, "", fmt.Errorf("asking who owner %d is: %w", id, changeFailed(err))
	}
	owner, active, err := readMember(answer, id, member)
	switch {
	case err != nil:
		return Principal{}, "", fmt.Errorf("asking who owner %d is: %w", id, err)
	case !active:
		return owner, OwnerInactive, nil
	}
	return owner, OwnerActive, nil
}

// ProveOwners checks that [Changer.Owner] finds someone who is certainly there: whoever signs
// in. Otherwise every owner would look as if it had left.
func (c *Changer) ProveOwners(ctx context.Context) error {
	const problem = "the workspace's SCIM API cannot tell who has left"
	answer, err := scim(ctx, c.client, "Me")
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
	if err != nil && !errors.Is(err, ErrInactive) {
		owner = NewPrincipal(id, "") // a name that cannot be believed
	}
	return owner, resource.Active == nil || *resource.Active, nil
}
