package fakeworkspace

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// OwnScopes says what the workspace itself requires for some requests, where a published map says
// something else.
type OwnScopes struct {
	// Method is an HTTP method, or "*" for all. GET holds for HEAD too, as long as no earlier element
	// is about HEAD.
	Method string
	// Template is the path, in the grammar of [scopes.Template].
	Template string
	// AnyOf are the alternatives, each of one scope or of several that are needed together, joined by +
	// as in the catalog: "ai-gateway+unity-catalog". None means that any credential is enough.
	AnyOf []string
	// Wording is how the workspace refuses. The zero value is [FrontDoor].
	Wording Wording
	// NameMissing makes refusals name only what is missing of the first alternative, as gates one
	// behind the other do, instead of every scope of every alternative.
	NameMissing bool
}

// Wording is one of the ways in which Databricks refuses for lack of a scope.
type Wording int

const (
	// FrontDoor is JSON with a numeric error_code and the message in X-Databricks-Reason-Phrase:
	// "Provided access token does not have required scopes: a, b [ReqId: …]".
	FrontDoor Wording = iota
	// FrontDoor2025 is the same as it was until early 2026: "Provided PAT token …[Reqid: …]", without
	// the header.
	FrontDoor2025
	// ServiceText is plain text of a service behind the front door: "Invalid scope, required scopes: a, b".
	ServiceText
	// Challenge is that of RFC 6750: an error of insufficient_scope in WWW-Authenticate, which lists
	// scopes separated by spaces, and a body that does not.
	Challenge
)

// WithOwnScopes makes the workspace judge some requests by scopes of its own. The first element that
// matches holds; the other requests are judged as [WithScopeCheck] says.
func WithOwnScopes(own ...OwnScopes) Option {
	return func(w *Workspace) {
		for _, o := range own {
			t, err := scopes.ParseTemplate(o.Template)
			if err != nil {
				panic(fmt.Sprintf("fakeworkspace: %v", err)) // a mistake in the test
			}
			w.own = append(w.own, ownRow{o, t})
		}
	}
}

type ownRow struct {
	OwnScopes
	template scopes.Template
}

// ownScopes returns what holds for a request, nil if nothing of its own does.
func (w *Workspace) ownScopes(r *http.Request) *ownRow {
	for i := range w.own {
		row := &w.own[i]
		method := row.Method == "*" || row.Method == r.Method || row.Method == http.MethodGet && r.Method == http.MethodHead
		if method && row.template.Match(r.URL.Path) {
			return row
		}
	}
	return nil
}

// lacks returns a refusal if the caller has none of the alternatives.
func (row *ownRow) lacks(c Caller) *refusal {
	if len(c.Scopes) == 0 || len(row.AnyOf) == 0 || slices.Contains(c.Scopes, "all-apis") {
		return nil
	}
	var named, missing []string
	for i, alternative := range row.AnyOf {
		together := strings.Split(alternative, "+")
		without := slices.DeleteFunc(slices.Clone(together), func(s string) bool { return slices.Contains(c.Scopes, s) })
		if len(without) == 0 {
			return nil
		}
		if i == 0 {
			missing = without
		}
		for _, scope := range together {
			if !slices.Contains(named, scope) {
				named = append(named, scope)
			}
		}
	}
	if row.NameMissing {
		named = missing
	}
	kind := "access"
	switch {
	case c.OAuth:
		kind = "OAuth"
	case row.Wording == FrontDoor2025:
		kind = "PAT"
	}
	e := missingScopes(kind, named)
	e.wording, e.scopes = row.Wording, named
	return e
}

// failAsWorded writes a refusal for lack of scopes in another wording than [FrontDoor], and reports
// whether it did.
func failAsWorded(rw http.ResponseWriter, r *http.Request, e *refusal) bool {
	h := rw.Header()
	switch e.wording {
	case FrontDoor2025:
		body := map[string]any{"error_code": e.code, "message": e.message + " [Reqid: " + callOf(r).requestID + "]"}
		writeJSON(rw, e.status, body)
	case ServiceText:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		rw.WriteHeader(e.status)
		_, _ = rw.Write([]byte("Invalid scope, required scopes: " + strings.Join(e.scopes, ", ")))
	case Challenge:
		h.Set("Www-Authenticate", fmt.Sprintf(`Bearer realm="DatabricksRealm", error="insufficient_scope", error_description="The access token lacks a scope", scope="%s"`, strings.Join(e.scopes, " ")))
		writeJSON(rw, e.status, map[string]any{"error": "insufficient_scope"})
	default:
		return false
	}
	return true
}
