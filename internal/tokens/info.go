package tokens

import (
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"
)

// Info is what the workspace's administrator can know of a token. A value is
// never changed after it was made, so it may be shared between requests.
type Info struct {
	// What every request asks for comes first, and so lies together in memory.

	// OwnerID is the numeric id of the user or service principal whose rights the
	// token carries. Token Management does not tell the owner's name.
	OwnerID int64

	// WorkspaceID is the workspace that the token belongs to, 0 where unknown.
	WorkspaceID int64

	// Expires is the end of the token's life. It is zero for a token that never
	// expires (then NeverExpires is true) and for one whose expiry the workspace
	// did not tell.
	Expires time.Time

	// Scopes are the API scopes that the token was granted. None at all means that
	// the token was never narrowed, which Databricks treats as all-apis.
	Scopes []string

	// CreatorID and CreatorName tell who minted the token: for a token on behalf
	// of a service principal this is the administrator, not the owner.
	CreatorID   int64
	CreatorName string

	// Comment is what the creator wrote to tell the token's purpose.
	Comment string

	ID ID

	// Created is zero where unknown.
	Created      time.Time
	NeverExpires bool

	// InferredScopes and BackfillScopes are Databricks' observations of what the
	// token used. They grant nothing.
	InferredScopes []string
	BackfillScopes []string

	// AutoscopeState is Databricks' word for how far it has got with narrowing the
	// token by itself.
	AutoscopeState string

	// LastUsed is the day on which Databricks saw the token used last; zero where it
	// does not tell.
	LastUsed time.Time
}

// OwnerName returns the owner's name where the creator is the owner, and an empty
// string where only SCIM knows it, see [Owners].
func (i *Info) OwnerName() string {
	if i.OwnerID == 0 || i.OwnerID != i.CreatorID {
		return ""
	}
	return i.CreatorName
}

// neverExpires is the expiry_time of a token without end.
const neverExpires = -1

// newInfo translates the SDK's form. Times arrive as epoch milliseconds.
func newInfo(id ID, t *settings.TokenInfo, in *interner) *Info {
	info := &Info{
		ID:             id,
		Comment:        in.text(t.Comment),
		OwnerID:        t.OwnerId,
		CreatorID:      t.CreatedById,
		CreatorName:    in.text(t.CreatedByUsername),
		WorkspaceID:    t.WorkspaceId,
		NeverExpires:   t.ExpiryTime == neverExpires,
		Scopes:         in.set(t.Scopes),
		InferredScopes: in.set(t.InferredScopes),
		BackfillScopes: in.set(t.BackfillScopes),
		AutoscopeState: in.text(string(t.AutoscopeState)),
	}
	if t.CreationTime > 0 {
		info.Created = time.UnixMilli(t.CreationTime)
	}
	if t.ExpiryTime > 0 {
		info.Expires = time.UnixMilli(t.ExpiryTime)
	}
	if t.LastUsedDay > 0 {
		info.LastUsed = time.UnixMilli(t.LastUsedDay)
	}
	return info
}

// Expired reports whether the token's life had ended at a time. The admin API
// goes on returning expired tokens, so this must be asked on every request.
func (i *Info) Expired(now time.Time) bool {
	return !i.Expires.IsZero() && !now.Before(i.Expires)
}
