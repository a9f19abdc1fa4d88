package tokens

import "github.com/databricks/databricks-sdk-go/client"

// ownToken returns the id of the personal access token with which a client signs in. It is
// false if it signs in with something else.
func ownToken(api *client.DatabricksClient) (ID, bool) {
	if api == nil || api.Config.AuthType != patAuthType || !isPAT(api.Config.Token) {
		return ID{}, false
	}
	return IDOf(api.Config.Token), true
}

// OwnToken returns the id of the personal access token with which the changer signs in. It is
// false if it signs in with something else.
func (c *Changer) OwnToken() (ID, bool) { return ownToken(c.client) }

// OwnToken returns the id of the personal access token with which the service signs in. It is
// false if it signs in with something else, or has not yet.
func (s *managementService) OwnToken() (ID, bool) { return ownToken(s.api.Load()) }

// OwnToken returns the id of the personal access token with which the gateway signs in to the
// workspace. It is false if it signs in with something else, or if that is not known.
func (r *Resolver) OwnToken() (ID, bool) {
	if from, ok := r.service.(interface{ OwnToken() (ID, bool) }); ok {
		return from.OwnToken()
	}
	return ID{}, false
}
