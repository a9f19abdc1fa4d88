package scopes

import "slices"

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
