package fakeworkspace

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// Caller is who a credential belongs to.
type Caller struct {
	// UserName is the owner: a user name, or the application id of a service principal.
	UserName string
	UserID   int64
	Admin    bool
	// TokenID is empty for an OAuth access token.
	TokenID string
	// Scopes of the credential; nil for one without scopes, which may do everything.
	Scopes []string
	// OAuth is true for an OAuth access token, false for a personal access token.
	OAuth bool
}

// credentialKind is what a credential looks like.
type credentialKind int

const (
	noCredential credentialKind = iota
	unknownShape
	personalToken
	accessToken
)

// credential takes the bearer value out of the first Authorization header.
func credential(r *http.Request) (value string, kind credentialKind) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", noCredential
	}
	scheme, rest, _ := strings.Cut(header, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		value = rest
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.DecodeString(rest)
		user, password, found := strings.Cut(string(decoded), ":")
		if err != nil || !found || user != "token" {
			return "", unknownShape // user names and passwords have not worked since 2024
		}
		value = password
	default:
		return "", unknownShape
	}
	switch {
	case strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") == 2:
		return value, accessToken
	case strings.HasPrefix(value, "dapi"), strings.HasPrefix(value, "dkea"):
		return value, personalToken
	default:
		return value, unknownShape
	}
}

// wellFormed reports whether a value is a prefix of four characters and 32 lower-case
// hex digits, with or without `-N`.
func wellFormed(value string) bool {
	head, suffix, dashed := strings.Cut(value, "-")
	if len(head) != 36 || (dashed && suffix == "") {
		return false
	}
	for _, c := range head[4:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return strings.Trim(suffix, "0123456789") == ""
}

// tokenID returns the id of a personal access token: the lower-case hex SHA-256 of the whole value.
func tokenID(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// authenticate identifies the caller, or returns the front door's refusal.
func (w *Workspace) authenticate(r *http.Request) (Caller, *refusal) {
	value, kind := credential(r)
	switch kind {
	case personalToken:
		return w.authenticatePAT(r, value)
	case accessToken:
		return w.authenticateJWT(r, value)
	default:
		return Caller{}, doorError(http.StatusUnauthorized, msgNoCredential)
	}
}

func (w *Workspace) authenticatePAT(r *http.Request, value string) (Caller, *refusal) {
	rec, found := w.tokens.use(tokenID(value), w.now())
	switch {
	case !found && !wellFormed(value):
		return Caller{}, doorError(http.StatusUnauthorized, msgNoCredential)
	case !found, expired(rec.info, w.now()):
		return Caller{}, doorError(http.StatusForbidden, msgInvalidToken)
	}
	owner, found := w.people.byID(rec.info.OwnerId)
	if !found || owner.inactive {
		return Caller{}, doorError(http.StatusForbidden, msgInvalidToken)
	}
	if refusal := w.fits(r, rec.info.WorkspaceId); refusal != nil {
		return Caller{}, refusal
	}
	return Caller{
		UserName: owner.UserName, UserID: owner.ID, Admin: owner.Admin,
		TokenID: rec.info.TokenId, Scopes: rec.info.Scopes,
	}, nil
}

func (w *Workspace) authenticateJWT(r *http.Request, value string) (Caller, *refusal) {
	claims, err := w.verifyJWT(value, w.base(r))
	switch {
	case errors.Is(err, errJWTExpired):
		return Caller{}, doorError(http.StatusUnauthorized, "Token is expired")
	case err != nil:
		return Caller{}, doorError(http.StatusForbidden, msgInvalidToken)
	}
	owner, found := w.people.byName(claims.Subject)
	if !found || owner.inactive {
		return Caller{}, doorError(http.StatusForbidden, msgInvalidToken)
	}
	if refusal := w.fits(r, w.workspaceID); refusal != nil {
		return Caller{}, refusal
	}
	return Caller{
		UserName: owner.UserName, UserID: owner.ID, Admin: owner.Admin,
		Scopes: strings.Fields(claims.Scope), OAuth: true,
	}, nil
}

// fits refuses a credential of another workspace, and a routing header that names another one.
func (w *Workspace) fits(r *http.Request, workspaceID int64) *refusal {
	if workspaceID != w.workspaceID {
		return doorError(http.StatusForbidden, "Invalid access to Org: "+strconv.FormatInt(w.workspaceID, 10))
	}
	for _, name := range []string{"X-Databricks-Workspace-Id", "X-Databricks-Org-Id"} {
		if asked := r.Header.Get(name); asked != "" && asked != strconv.FormatInt(w.workspaceID, 10) {
			// Name our id: the value in the header is the client's.
			return doorError(http.StatusForbidden, "Invalid access to Org: "+strconv.FormatInt(w.workspaceID, 10))
		}
	}
	return nil
}
