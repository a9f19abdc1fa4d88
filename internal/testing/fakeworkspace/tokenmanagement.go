package fakeworkspace

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/settings"
)

func (w *Workspace) registerTokenManagement() {
	w.on(adminOnly(w.listTokens), "GET /api/2.0/token-management/tokens")
	w.on(adminOnly(w.getToken), "GET /api/2.0/token-management/tokens/{id}")
	w.on(adminOnly(w.deleteToken), "DELETE /api/2.0/token-management/tokens/{id}")
	w.on(adminOnly(w.patchToken), "PATCH /api/2.0/token-management/tokens/{id}")
	w.on(adminOnly(w.createOBOToken), "POST /api/2.0/token-management/on-behalf-of/tokens")
}

// listTokens returns all tokens at once: the real list is not paginated either, and filters by creator
// only.
func (w *Workspace) listTokens(rw http.ResponseWriter, r *http.Request) {
	creatorID := intQuery(r, "created_by_id", 0)
	creator := r.URL.Query().Get("created_by_username")
	ok(rw, settings.ListTokensResponse{TokenInfos: w.tokens.list(func(t settings.TokenInfo) bool {
		return t.WorkspaceId == w.workspaceID &&
			(creatorID == 0 || t.CreatedById == creatorID) &&
			(creator == "" || t.CreatedByUsername == creator)
	})})
}

// getToken also returns expired tokens, as the real API does.
func (w *Workspace) getToken(rw http.ResponseWriter, r *http.Request) {
	info, found := w.tokenHere(r.PathValue("id"))
	if !found {
		fail(rw, r, noSuchToken(r.PathValue("id")))
		return
	}
	if other := callOf(r).otherTokenID; other != "" {
		info.TokenId = other
	}
	ok(rw, settings.GetTokenResponse{TokenInfo: &info})
}

// tokenHere returns a token of this workspace. Those of other workspaces stay hidden.
func (w *Workspace) tokenHere(id string) (settings.TokenInfo, bool) {
	rec, found := w.tokens.get(id)
	return rec.info, found && rec.info.WorkspaceId == w.workspaceID
}

func (w *Workspace) deleteToken(rw http.ResponseWriter, r *http.Request) {
	if _, found := w.tokenHere(r.PathValue("id")); !found || !w.tokens.remove(r.PathValue("id")) {
		fail(rw, r, noSuchToken(r.PathValue("id")))
		return
	}
	ok(rw, struct{}{})
}

func (w *Workspace) patchToken(rw http.ResponseWriter, r *http.Request) {
	var req settings.UpdateTokenManagementRequest
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	change, e := tokenChange(req.UpdateMask.Paths, req.Token.Comment, req.Token.Scopes)
	if e != nil {
		fail(rw, r, e)
		return
	}
	info, found := w.tokenHere(r.PathValue("id"))
	if found {
		info, found = w.tokens.update(info.TokenId, change)
	}
	if !found {
		fail(rw, r, noSuchToken(r.PathValue("id")))
		return
	}
	ok(rw, info) // not wrapped in token_info, unlike GET
}

func (w *Workspace) createOBOToken(rw http.ResponseWriter, r *http.Request) {
	var req settings.CreateOboTokenRequest
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	owner, found := w.people.byName(req.ApplicationId)
	if !found || !owner.isService() {
		fail(rw, r, doesNotExist("Service principal with application ID "+clip(req.ApplicationId)+" does not exist."))
		return
	}
	spec := TokenSpec{
		Owner: owner.UserName, Creator: callOf(r).caller.UserName, Comment: req.Comment, Scopes: req.Scopes,
	}
	token, e := w.mintForClient(spec, req.LifetimeSeconds, req.AutoscopeEnabled)
	if e != nil {
		fail(rw, r, e)
		return
	}
	ok(rw, settings.CreateOboTokenResponse{TokenInfo: &token.Info, TokenValue: token.Value})
}

// tokenQuota is the largest number of tokens of a user.
const tokenQuota = 600

// mintForClient is Mint with the API's rules: a quota, a default lifetime and autoscoping.
func (w *Workspace) mintForClient(spec TokenSpec, lifetimeSeconds int64, autoscope bool) (Token, *refusal) {
	owner, _ := w.people.byName(spec.Owner)
	held := w.tokens.list(func(t settings.TokenInfo) bool { return t.OwnerId == owner.ID })
	switch {
	case len(held) >= tokenQuota:
		return Token{}, serviceError(http.StatusBadRequest, "QUOTA_EXCEEDED",
			"The number of tokens for this user has exceeded the limit of 600.")
	case lifetimeSeconds < -1 || lifetimeSeconds > int64(10*365*24*time.Hour/time.Second):
		return Token{}, badRequest("lifetime_seconds is out of range.")
	case slices.Contains(spec.Scopes, ""):
		return Token{}, badRequest("scopes must not contain an empty name.")
	case lifetimeSeconds > 0:
		spec.Lifetime = time.Duration(lifetimeSeconds) * time.Second
	case lifetimeSeconds == 0:
		spec.Lifetime = 2 * 365 * 24 * time.Hour
	}
	if autoscope {
		spec.AutoscopeState = iam.AutoscopeStateAutoscopeStateRunning
		spec.Scopes = []string{"all-apis"} // until autoscoping has inferred the scopes
	}
	return w.Mint(spec), nil
}

// tokenChange turns an update mask into a change. Only comment and scopes can be updated.
func tokenChange(mask []string, comment string, scopes []string) (func(*settings.TokenInfo), *refusal) {
	if len(mask) == 0 {
		return nil, badRequest("update_mask must name the fields to update.")
	}
	if slices.Contains(mask, "*") {
		mask = []string{"comment", "scopes"}
	}
	for _, field := range mask {
		if field != "comment" && field != "scopes" {
			return nil, badRequest("update_mask names a field that cannot be updated: " + clip(field))
		}
	}
	if slices.Contains(scopes, "") {
		return nil, badRequest("scopes must not contain an empty name.")
	}
	return func(t *settings.TokenInfo) {
		if slices.Contains(mask, "comment") {
			t.Comment = comment
		}
		if slices.Contains(mask, "scopes") {
			t.Scopes = slices.Clone(scopes)
			if t.AutoscopeState != "" { // editing scopes turns autoscoping off permanently
				t.AutoscopeState = iam.AutoscopeStateAutoscopeStateUserSelected
			}
		}
	}, nil
}

func noSuchToken(id string) *refusal {
	return doesNotExist("No valid token with ID " + clip(id) + " found.")
}

// clip shortens client input that an error message quotes.
func clip(s string) string {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}
