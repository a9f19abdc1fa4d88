// Package scopenames tells which names of scopes are unknown, or do nothing where they
// stand, and says so in the same words everywhere: for tokens, policies, routes files and
// the command line.
//
// Such a name is no error. Databricks may have new scopes before the catalog does, and a
// name that nothing knows permits nothing.
package scopenames

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/scopes"
)

// Place is where a name stands.
type Place int

const (
	// OnPAT: on a personal access token.
	OnPAT Place = iota
	// OnOAuth: on an OAuth access token.
	OnOAuth
	// InPolicy: in the ceiling of a policy.
	InPolicy
	// InRoutes: in a row of a routes file.
	InRoutes
)

const (
	// MaxName bounds how much of a name is shown, in bytes.
	MaxName = 64
	// maxTold bounds how many names one call of [Warn] tells.
	maxTold = 20
)

// kinds are the known names.
var kinds = sync.OnceValue(func() map[string]Place {
	known := make(map[string]Place)
	for _, name := range scopes.KnownScopes() {
		known[name] = OnPAT // and wherever else
	}
	for _, name := range scopes.OAuthScopes() {
		known[name] = OnOAuth
	}
	return known
})

// Fine reports whether there is nothing to say about a name.
func Fine(name string, place Place) bool {
	where, known := kinds()[name]
	if scope, part := scopes.Unmodified(name); part && (place == OnPAT || place == OnOAuth) {
		where, known = kinds()[scope]
	}
	switch place {
	case OnPAT, InPolicy:
		return known && where == OnPAT
	case OnOAuth:
		return known || scopes.IsSignIn(name)
	default: // a row may ask for a scope that only OAuth tokens carry
		return known
	}
}

// Known reports whether a scope is known at all.
func Known(name string) bool {
	_, known := kinds()[name]
	return known
}

// Problem says what is wrong with a name where it stands, "" if nothing is. The text is
// safe to show, and bounded.
func Problem(name string, place Place) string {
	if Fine(name, place) {
		return ""
	}
	shown := `"` + sanitize.String(name, MaxName) + `"`
	switch {
	case Known(name) && place == InPolicy:
		text := fmt.Sprintf("only OAuth access tokens carry the scope %s: in a policy it permits nothing", shown)
		if flat := standsFor(name); flat != "" {
			text += "; write " + flat
			if strings.HasSuffix(name, ":read") {
				text += ":read"
			}
		}
		return text
	case Known(name):
		return fmt.Sprintf("only OAuth access tokens carry the scope %s: on a personal access token it opens nothing", shown)
	case scopes.IsSignIn(name):
		return fmt.Sprintf("the scope %s is about signing in: it opens nothing", shown)
	}
	text := fmt.Sprintf("unknown scope %s", shown)
	if strings.ContainsAny(name, ",; ") {
		return text + "; separate the names of scopes, in a Caddyfile by spaces"
	}
	candidates := scopes.KnownScopes()
	if place == OnOAuth || place == InRoutes {
		candidates = slices.Concat(candidates, scopes.OAuthScopes())
	}
	if len(name) > MaxName {
		return text
	}
	if nearest, ok := didyoumean.Nearest(name, candidates); ok {
		text += "; did you mean " + nearest + "?"
	}
	return text
}

// standsFor returns the scope that a name of OAuth tokens stands for, "" for none.
func standsFor(name string) string {
	for _, a := range scopes.Aliases() {
		if a.Scope == name {
			return a.For
		}
	}
	return ""
}

// Warn logs what is wrong with names, one warning each.
func Warn(logger *zap.Logger, names []string, place Place, fields ...zap.Field) {
	told := 0
	for _, name := range names {
		problem := Problem(name, place)
		if problem == "" {
			continue
		}
		if told++; told > maxTold {
			logger.Warn("more names of scopes are unknown", fields...)
			return
		}
		warn(logger, name, problem, fields)
	}
}

func warn(logger *zap.Logger, name, problem string, fields []zap.Field) {
	logger.Warn("the name of a scope is unknown, or does nothing here",
		append([]zap.Field{zap.String("scope", sanitize.String(name, MaxName)), zap.String("problem", problem)}, fields...)...)
}
