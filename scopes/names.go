package scopes

import (
	"slices"
	"strings"
)

// knownScopes are the known scopes of personal access tokens, sorted. Databricks
// speaks of 55 names; these are the ones that have appeared in documentation, a
// refusal, a scope picker or a list that a user copied from one. Account-level scopes and the dotted scopes of
// Databricks Apps are omitted, because no personal access token carries them.
var knownScopes = []string{
	"access-management",
	"ai-functions",
	"ai-gateway",
	"ai-search",
	"alerts",
	"all-apis",
	"apps",
	"authentication",
	"bundle",
	"cleanrooms",
	"clusters",
	"command-execution",
	"custom-llms",
	"dashboards",
	"databricks-connect",
	"dataclassification",
	"dataquality",
	"disaster-recovery",
	"environments",
	"files",
	"forecasting",
	"genie",
	"global-init-scripts",
	"identity",
	"instance-pools",
	"instance-profiles",
	"jobs",
	"knowledge-assistants",
	"libraries",
	"marketplace",
	"mlflow",
	"model-serving",
	"model-serving-inference",
	"networking",
	"notifications",
	"pipelines",
	"postgres",
	"qualitymonitor",
	"query-history",
	"scim",
	"search",
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

// KnownScopes returns the known scopes of personal access tokens, sorted. The
// list is incomplete because Databricks has not published one: a name that is
// missing here may still be valid.
func KnownScopes() []string { return slices.Clone(knownScopes) }

// signInScopes are about signing in rather than the API (OpenID Connect Core 1.0,
// sections 5.4 and 11). No operation needs one.
var signInScopes = []string{"address", "email", "offline_access", "openid", "phone", "profile"}

// IsSignIn reports whether a scope name of OAuth access tokens is about signing in, such
// as "openid", and grants no access to the API.
func IsSignIn(name string) bool { return slices.Contains(signInScopes, name) }

// IsDotted reports whether a name has the form of those that only OAuth access tokens
// carry: a part of an API, as in "sql.queries" and "sql.warehouses:read". A colon alone is no
// sign of it, see [Unmodified].
func IsDotted(name string) bool { return strings.Contains(name, ".") }
