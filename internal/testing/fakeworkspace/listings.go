package fakeworkspace

import "net/http"

// registerListings serves constant responses.
func (w *Workspace) registerListings() {
	query := map[string]any{
		"id": "c0ffee00-0000-4000-8000-000000000001", "name": "orders by day", "query": "SELECT 1", "created_at": "2025-08-07T01:12:34Z",
	}
	for pattern, body := range map[string]any{
		"GET /api/2.0/preview/sql/queries": map[string]any{
			"count": 1, "page": 1, "page_size": 25, "results": []any{query},
		},
		"GET /api/2.0/sql/queries": map[string]any{"results": []any{map[string]any{
			"id": query["id"], "display_name": "orders by day", "query_text": "SELECT 1", "owner_user_name": adminUser,
		}}},
		"GET /api/2.0/secrets/scopes/list": map[string]any{"scopes": []any{
			map[string]string{"name": "etl", "backend_type": "DATABRICKS"},
		}},
		"GET /api/2.0/secrets/list": map[string]any{"secrets": []any{
			map[string]any{"key": "warehouse-password", "last_updated_timestamp": 1754529154191},
		}},
		"GET /api/2.0/instance-pools/list":    map[string]any{"instance_pools": []any{}},
		"GET /api/2.0/policies/clusters/list": map[string]any{"policies": []any{}},
		"GET /api/2.0/pipelines":              map[string]any{"statuses": []any{}},
		"GET /api/2.0/repos":                  map[string]any{"repos": []any{}},
		"GET /api/2.0/git-credentials":        map[string]any{"credentials": []any{}},
		"GET /api/2.0/global-init-scripts":    map[string]any{"scripts": []any{}},
		"GET /api/2.0/ip-access-lists":        map[string]any{"ip_access_lists": []any{}},
		"GET /api/2.0/mlflow/experiments/search": map[string]any{"experiments": []any{
			map[string]string{"experiment_id": "1001", "name": "/Shared/churn", "lifecycle_stage": "active"},
		}},
		"GET /api/2.0/permissions/authorization/tokens": map[string]any{
			"object_id": "authorization/tokens", "object_type": "tokens",
			"access_control_list": []any{map[string]any{
				"group_name":      "users",
				"all_permissions": []any{map[string]any{"permission_level": "CAN_USE", "inherited": false}},
			}},
		},
	} {
		w.on(func(rw http.ResponseWriter, _ *http.Request) { ok(rw, body) }, pattern)
	}
}
