package fakeworkspace

import (
	"net/http"

	"github.com/databricks/databricks-sdk-go/service/settings"
)

// registerTokenAPI serves the API for owners of tokens.
func (w *Workspace) registerTokenAPI() {
	w.on(w.createOwnToken, "POST /api/2.0/token/create")
	w.on(w.listOwnTokens, "GET /api/2.0/token/list")
	w.on(w.deleteOwnToken, "POST /api/2.0/token/delete")
	w.on(w.patchOwnToken, "PATCH /api/2.0/token/{id}")
	w.on(w.listTokenScopes, "GET /api/2.0/token-scopes")
}

func (w *Workspace) createOwnToken(rw http.ResponseWriter, r *http.Request) {
	var req settings.CreateTokenRequest
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	spec := TokenSpec{Owner: callOf(r).caller.UserName, Comment: req.Comment, Scopes: req.Scopes}
	token, e := w.mintForClient(spec, req.LifetimeSeconds, req.AutoscopeEnabled)
	if e != nil {
		fail(rw, r, e)
		return
	}
	info := public(token.Info)
	ok(rw, settings.CreateTokenResponse{TokenInfo: &info, TokenValue: token.Value})
}

// listOwnTokens lists valid tokens only, unlike the admin's list.
func (w *Workspace) listOwnTokens(rw http.ResponseWriter, r *http.Request) {
	now := w.now()
	var infos []settings.PublicTokenInfo
	for _, t := range w.tokens.list(w.ownedBy(r)) {
		if !expired(t, now) {
			infos = append(infos, public(t))
		}
	}
	ok(rw, settings.ListPublicTokensResponse{TokenInfos: infos})
}

func (w *Workspace) deleteOwnToken(rw http.ResponseWriter, r *http.Request) {
	var req settings.RevokeTokenRequest
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	rec, found := w.tokens.get(req.TokenId)
	if !found || !w.ownedBy(r)(rec.info) || !w.tokens.remove(req.TokenId) {
		fail(rw, r, doesNotExist("Token with ID "+clip(req.TokenId)+" does not exist."))
		return
	}
	ok(rw, struct{}{})
}

func (w *Workspace) patchOwnToken(rw http.ResponseWriter, r *http.Request) {
	var req settings.UpdateTokenRequest
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	change, e := tokenChange(req.UpdateMask.Paths, req.Token.Comment, req.Token.Scopes)
	if e != nil {
		fail(rw, r, e)
		return
	}
	rec, found := w.tokens.get(r.PathValue("id"))
	if found && w.ownedBy(r)(rec.info) {
		_, found = w.tokens.update(rec.info.TokenId, change)
	} else {
		found = false
	}
	if !found {
		fail(rw, r, serviceError(http.StatusNotFound, "NOT_FOUND",
			"Token with ID "+clip(r.PathValue("id"))+" was not found."))
		return
	}
	ok(rw, struct{}{})
}

// listTokenScopes lists the scopes that a token can have. No document gives the form of the
// real answer.
func (w *Workspace) listTokenScopes(rw http.ResponseWriter, _ *http.Request) {
	type scope struct {
		Name string `json:"name"`
	}
	scopes := make([]scope, 0, len(w.tokenScopes))
	for _, name := range w.tokenScopes {
		scopes = append(scopes, scope{name})
	}
	ok(rw, map[string]any{"scopes": scopes})
}

func (w *Workspace) ownedBy(r *http.Request) func(settings.TokenInfo) bool {
	id := callOf(r).caller.UserID
	return func(t settings.TokenInfo) bool { return t.OwnerId == id && t.WorkspaceId == w.workspaceID }
}

// public returns the owner's view of a token.
func public(t settings.TokenInfo) settings.PublicTokenInfo {
	return settings.PublicTokenInfo{
		TokenId: t.TokenId, Comment: t.Comment, CreationTime: t.CreationTime, ExpiryTime: t.ExpiryTime,
		Scopes: t.Scopes, AutoscopeState: t.AutoscopeState,
		InferredScopes: t.InferredScopes, BackfillScopes: t.BackfillScopes,
	}
}
