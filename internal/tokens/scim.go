package tokens

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
)

// scim asks a workspace's SCIM API, which tells about people. It does not use the SDK's types:
// they do not tell what an answer leaves open.
func scim(ctx context.Context, c *client.DatabricksClient, resource string) (answer []byte, err error) {
	headers := map[string]string{"Accept": "application/json"}
	if workspace := c.Config.WorkspaceID; workspace != "" {
		headers["X-Databricks-Workspace-Id"] = workspace
	}
	err = c.Do(ctx, http.MethodGet, "/api/2.0/preview/scim/v2/"+resource, headers, nil, nil, &answer)
	return answer, err
}

// scimOwner asks about the owner with a number: a user or, failing that, a service principal.
// Member is what the answer calls the name. The error is an [apierr.ErrNotFound] for neither.
func scimOwner(ctx context.Context, c *client.DatabricksClient, id int64) (answer []byte, member string, err error) {
	number := strconv.FormatInt(id, 10)
	if answer, err = scim(ctx, c, "Users/"+number); !errors.Is(err, apierr.ErrNotFound) {
		return answer, "userName", err
	}
	answer, err = scim(ctx, c, "ServicePrincipals/"+number)
	return answer, "applicationId", err
}
