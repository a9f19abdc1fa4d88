package scopes

import (
	"slices"
	"strings"
)

// knownScopes are the scopes that a personal access token can carry, as far as
// they are known. Databricks lists 55 names; these are the ones that a page, a
// refusal or a scope picker has shown. Names of account-level scopes and the
// dotted names of Databricks Apps are left out: no token has them.
var knownScopes = []string{
	"access-management",
	"ai-functions",
	"ai-gateway",
	"ai-search",
	"alerts",
	"all-apis",
	"apps",
	"authentication",
	"cleanrooms",
	"clusters",
	"command-execution",
	"dashboards",
	"databricks-connect",
	"dataquality",
	"environments",
	"files",
	"genie",
	"global-init-scripts",
	"identity",
	"instance-pools",
	"instance-profiles",
	"jobs",
	"knowledge-assistants",
	"marketplace",
	"mlflow",
	"model-serving",
	"model-serving-inference",
	"networking",
	"notifications",
	"pipelines",
	"postgres",
	"query-history",
	"scim",
	"secrets",
	"settings",
	"sharing",
	"sql",
	"supervisor-agents",
	"tags",
	"unity-catalog",
	"vector-search",
	"workspace",
}

// KnownScopes returns the names of the scopes that a personal access token can
// carry, sorted. The list is not complete: Databricks has not published one, so
// a name that is missing here may still be right.
func KnownScopes() []string { return slices.Clone(knownScopes) }

// Nearest returns the known scope that somebody who wrote name most likely
// meant, and whether there is one. A known name is nearest to itself.
func Nearest(name string) (string, bool) { return Closest(name, knownScopes) }

// Closest returns the one of several names that somebody who wrote name most
// likely meant, and whether there is one. It serves error messages.
func Closest(name string, among []string) (string, bool) {
	// Hyphens are what people get wrong most: cleanrooms, unity_catalog.
	plain := func(s string) string {
		return strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(s))
	}
	name = plain(name)
	best, least := "", 1+min(2, len(name)/3)
	for _, known := range among {
		s := plain(known)
		if d := distance(name, s); d < least {
			best, least = known, d
		}
	}
	return best, best != ""
}

// distance counts the letters to insert, delete, replace or swap to make b of a.
func distance(a, b string) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(last[j+1]+1, now[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
