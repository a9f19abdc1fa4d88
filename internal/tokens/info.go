package tokens

import (
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"
)

// Info is what a workspace admin can find out about a token. It is immutable, so
// requests may share it.
type Info struct {
	// Fields that every request reads come first, so that they share cache lines.

	// Owner is the user or service principal whose rights the token carries. The Token
	// Management API returns only the number: the name is known if the owner is the
	// creator, and otherwise only to SCIM (see [Owners]). An OAuth token says only the
	// name.
	Owner Principal

	// WorkspaceID is the workspace that the token belongs to, 0 if unknown.
	WorkspaceID int64

	// Expires is when the token ends, which may be never or unknown.
	Expires Expiry

	// Scopes are the API scopes that the token was granted. An empty list means that
	// the token was never narrowed, which Databricks treats as all-apis.
	Scopes []string

	// OAuth means an OAuth access token: its scopes may be names that no personal access
	// token carries.
	OAuth bool

	// Creator minted the token. For a token on behalf of a service principal this is
	// the admin, not the owner.
	Creator Principal

	// Comment is the creator's description of the token. Its creator can write
	// anything here.
	Comment string

	ID ID

	// Created is zero if unknown.
	Created time.Time

	// InferredScopes and BackfillScopes are the scopes that Databricks saw the token
	// use. They grant nothing.
	InferredScopes []string
	BackfillScopes []string

	// AutoscopeState is Databricks' own progress in narrowing the token.
	AutoscopeState string

	// LastUsed is the day on which Databricks last saw the token used, zero if unknown.
	LastUsed time.Time
}

// newInfo converts the SDK's form. Times arrive as epoch milliseconds.
func newInfo(id ID, t *settings.TokenInfo, in *interner) *Info {
	info := &Info{
		ID:             id,
		Comment:        in.text(t.Comment),
		Owner:          NewPrincipal(t.OwnerId, ""),
		Creator:        NewPrincipal(t.CreatedById, t.CreatedByUsername),
		WorkspaceID:    t.WorkspaceId,
		Expires:        expiryOf(t.ExpiryTime),
		Scopes:         in.set(t.Scopes),
		InferredScopes: in.set(t.InferredScopes),
		BackfillScopes: in.set(t.BackfillScopes),
		AutoscopeState: in.text(string(t.AutoscopeState)),
	}
	if t.OwnerId != 0 && t.OwnerId == t.CreatedById {
		info.Owner = info.Creator
	}
	if t.CreationTime > 0 {
		info.Created = time.UnixMilli(t.CreationTime)
	}
	if t.LastUsedDay > 0 {
		info.LastUsed = time.UnixMilli(t.LastUsedDay)
	}
	return info
}

// Expired reports whether the token has expired by now. The Token Management API
// keeps returning expired tokens, so check this on every request.
func (i *Info) Expired(now time.Time) bool { return i.Expires.Passed(now) }
