package usage

import (
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// TokenFacts are a token's scopes and lifetime, according to the workspace.
type TokenFacts struct {
	// Scopes are those granted. None means that the token was never narrowed, which
	// Databricks treats as all-apis.
	Scopes []string `json:"scopes"`
	// InferredScopes and BackfillScopes are what Databricks saw the token use. They
	// grant no rights.
	InferredScopes []string `json:"inferred_scopes,omitempty"`
	BackfillScopes []string `json:"backfill_scopes,omitempty"`
	// AutoscopeState is Databricks' value, with or without AUTOSCOPE_STATE_.
	AutoscopeState string `json:"autoscope_state,omitempty"`
	// Created and Expires are zero if unknown. A token that does not expire has
	// NeverExpires instead of Expires.
	Created      time.Time `json:"created,omitzero"`
	Expires      time.Time `json:"expires,omitzero"`
	NeverExpires bool      `json:"never_expires,omitempty"`
}

// Unscoped reports whether the token may do everything: it has no scopes, or has
// all-apis.
func (f *TokenFacts) Unscoped() bool {
	return len(f.Scopes) == 0 || slices.Contains(f.Scopes, scopes.AllAPIs)
}

// Expired reports whether the token has expired.
func (f *TokenFacts) Expired(now time.Time) bool {
	return !f.Expires.IsZero() && !now.Before(f.Expires)
}

// autoscope returns the state in lower case: running, completed.
func (f *TokenFacts) autoscope() string {
	word := strings.ToLower(strings.TrimSpace(f.AutoscopeState))
	return strings.TrimPrefix(word, "autoscope_state_")
}

// permits reports whether the token may call an operation.
func (f *TokenFacts) permits(o *scopes.Operation) bool {
	if f.Unscoped() {
		return o.Access != scopes.AccountOnly
	}
	return o.Permits(f.Scopes)
}
