package scopes

import "slices"

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
