package fakeworkspace

import "net/http"

// catalogs of every workspace.
var catalogs = []map[string]any{
	{"name": "main", "full_name": "main", "owner": adminUser, "catalog_type": "MANAGED_CATALOG", "securable_type": "CATALOG", "metastore_id": metastoreID},
	{"name": "samples", "full_name": "samples", "owner": "System user", "catalog_type": "DELTASHARING_CATALOG", "securable_type": "CATALOG", "metastore_id": metastoreID},
}

const metastoreID = "11111111-2222-4333-8444-555555555555"

func (w *Workspace) registerCatalogs() {
	const uc = "/api/2.1/unity-catalog/"
	w.on(func(rw http.ResponseWriter, _ *http.Request) {
		ok(rw, map[string]any{"catalogs": catalogs})
	}, "GET "+uc+"catalogs")
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		for _, c := range catalogs {
			if c["name"] == r.PathValue("name") {
				ok(rw, c)
				return
			}
		}
		fail(rw, r, serviceError(http.StatusNotFound, "CATALOG_DOES_NOT_EXIST",
			"Catalog '"+clip(r.PathValue("name"))+"' does not exist."))
	}, "GET "+uc+"catalogs/{name}")
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		catalog := r.URL.Query().Get("catalog_name")
		ok(rw, map[string]any{"schemas": []any{map[string]string{
			"name": "default", "catalog_name": catalog, "full_name": catalog + ".default", "owner": adminUser,
		}}})
	}, "GET "+uc+"schemas")
	w.on(func(rw http.ResponseWriter, _ *http.Request) {
		ok(rw, map[string]any{"shares": []any{}})
	}, "GET "+uc+"shares")
	w.on(func(rw http.ResponseWriter, _ *http.Request) {
		ok(rw, map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{}})
	}, "GET "+uc+"iceberg-rest/v1/config")
	w.on(func(rw http.ResponseWriter, _ *http.Request) {
		ok(rw, map[string]any{"metastore_id": metastoreID, "name": "primary", "cloud": "aws", "region": "us-east-1"})
	}, "GET "+uc+"metastore_summary")
}
