package hardening

import "testing"

// TestRewrites: the request that is judged is the one that is forwarded, however the
// Caddyfile rewrites it first.
func TestRewrites(t *testing.T) {
	const gateway = "databricks_gateway {workspace} {\n{admin}" + hardeningCache + "}\n"
	type try struct{ target, want, arrives string }
	for _, tt := range []struct {
		name, directives string
		tries            []try
	}{
		{"handle_path", "handle_path /dbx/* {\n" + gateway + "}\n" + gateway, []try{
			{"/dbx/api/2.0/fs/files/a", passes, "/api/2.0/fs/files/a"},
			{"/dbx/api/2.1/clusters/list", scope, ""},
			{"/DBX/api/2.1/clusters/list", scope, ""},
			{"/dbx/api/2.0/fs/files/a%2Fb", passes, "/api/2.0/fs/files/a%2Fb"},
			{"/dbx/api/2.0/fs/files/..%2f..%2f..%2f2.1/clusters/list", scope, ""},
			{"/dbx//api/2.1/clusters/list", scope, ""},
			{"/dbx/%2e%2e/api/2.1/clusters/list", malformed, ""},
			{"/dbx", scope, ""},
			{"/dbx/", scope, ""},
			{"/dbx/dbx/api/2.0/fs/files/a", scope, ""},
			{"/%64bx/api/2.1/clusters/list", scope, ""},
			{"/dbx%2fapi/2.1/clusters/list", scope, ""},
			{"/x/../dbx/api/2.1/clusters/list", scope, ""},
			{"/api/2.0/fs/files/../../../../dbx/api/2.1/clusters/list", scope, ""},
			{"/dbx?/api/2.0/fs/files/a", scope, ""},
		}},
		{"strip_prefix", "uri strip_prefix /api/2.0/fs/files\n" + gateway, []try{
			{"/api/2.0/fs/files/api/2.1/clusters/list", scope, ""},
			{"/api/2.0/fs/files/api/2.0/fs/files/a", passes, "/api/2.0/fs/files/a"},
			{"/api/2.0/fs/files", scope, ""},
			{"/api/2.0/fs/files%2fapi/2.1/clusters/list", scope, ""},
			{"/api/2.0/fs/%66iles/api/2.1/clusters/list", scope, ""},
			{"/api/2.0/fs/files//api/2.1/clusters/list", scope, ""},
			{"/api/2.0/fs/files/%2e%2e/api/2.1/clusters/list", scope, ""},
			{"/api/2.0/fs/filesapi/2.1/clusters/list", scope, ""},
		}},
		{"strip_suffix", "uri strip_suffix .csv\n" + gateway, []try{
			{"/api/2.1/clusters/list.csv", scope, ""},
			{"/api/2.0/fs/files/a.csv", passes, "/api/2.0/fs/files/a"},
			{"/api/2.1/clusters/list%2ecsv", scope, ""},
		}},
		{"replace", "uri replace /volumes/ /api/2.0/fs/files/\n" + gateway, []try{
			{"/volumes/a", passes, "/api/2.0/fs/files/a"},
			{"/volumes/a b", badRequest, ""},
			{"/volumes/a%20b", passes, "/api/2.0/fs/files/a%20b"},
			{"/volumes/a%252Fb", passes, "/api/2.0/fs/files/a%252Fb"},
			{"/volumes/../../../../api/2.1/clusters/list", scope, ""},
			{"/volumes/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fapi/2.1/clusters/list", malformed, ""},
		}},
		{"rewrite to a fixed path", "rewrite * /api/2.1/clusters/list\n" + gateway, []try{
			{"/api/2.0/fs/files/a", scope, ""},
			{"/oidc/x", scope, ""},
			{"/", scope, ""},
		}},
		{"rewrite into scope", "rewrite * /api/2.0/fs/files/a?o\n" + gateway, []try{
			{"/api/2.1/clusters/list", passes, "/api/2.0/fs/files/a"},
			{"/api/2.1/clusters/list?access_token={all}", passes, "/api/2.0/fs/files/a"},
		}},
		{"rewrite with the path", "rewrite * /api/2.0/fs/files{path}\n" + gateway, []try{
			{"/a", passes, "/api/2.0/fs/files/a"},
			{"/a%25b", "", ""},
			{"/../../../../2.1/clusters/list", malformed, ""},
			{"/%2e%2e/%2e%2e/%2e%2e/2.1/clusters/list", malformed, ""},
			{"/%252e%252e/%252e%252e/%252e%252e/2.1/clusters/list", malformed, ""},
			{"/..%2f..%2f..%2f2.1/clusters/list", malformed, ""},
			{`/..\..\..\2.1\clusters\list`, malformed, ""},
			{"/a%3fo=1", "", ""},
		}},
		{"rewrite with the uri", "rewrite * /api/2.0/fs/files{uri}\n" + gateway, []try{
			{"/a?o", passes, "/api/2.0/fs/files/a"},
			{"/..%2f..%2f..%2f2.1/clusters/list", malformed, ""},
			{"/%252e%252e/%252e%252e/%252e%252e/2.1/clusters/list", malformed, ""},
			{"/a?/../../../../../2.1/clusters/list", passes, "/api/2.0/fs/files/a"},
		}},
		{"rewrite by a query", "rewrite * {query.to}\n" + gateway, []try{
			{"/api/2.0/fs/files/a?to=/api/2.1/clusters/list", scope, ""},
			{"/api/2.0/fs/files/a?to=/api/2.0/fs/files/b", passes, "/api/2.0/fs/files/b"},
			{"/api/2.0/fs/files/a?to=/api/2.0/fs/files/%2e%2e/%2e%2e/%2e%2e/2.1/clusters/list", malformed, ""},
			{"/api/2.0/fs/files/a?to=//other.example/api/2.1/clusters/list", malformed, ""},
			{"/api/2.0/fs/files/a?to=http://other.example/api/2.1/clusters/list", "", ""},
			{"/api/2.0/fs/files/a?to=api/2.1/clusters/list", "", ""},
			{"/api/2.0/fs/files/a?to=/api/2.0/fs/files/%0d%0aX", "", ""},
		}},
		{"rewrite by a header", "rewrite * {header.X-Path}\n" + gateway, []try{
			{"/api/2.0/fs/files/a", "", ""},
		}},
		{"method", "method GET\n" + gateway, []try{
			{"/api/2.0/fs/files/a", passes, "/api/2.0/fs/files/a"},
			{"/api/2.1/clusters/list", scope, ""},
		}},
		{"headers", "request_header X-Original-URL /api/2.1/clusters/list\nrequest_header +Authorization \"Bearer x\"\n" + gateway, []try{
			{"/api/2.0/fs/files/a", ambiguous, ""},
		}},
		{"two gateways", "databricks_scopes {\nworkspace {workspace}\n{admin}" + hardeningCache + "}\n" + gateway, []try{
			{"/api/2.0/fs/files/a", passes, "/api/2.0/fs/files/a"},
			{"/api/2.1/clusters/list", scope, ""},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRigSite(t, "@warm header Warm-Up *\nroute @warm {\n"+gateway+"}\nroute {\n"+tt.directives+"}")
			for _, try := range tt.tries {
				text := request("GET", try.target, "files", "X-Path: /api/2.1/clusters/list")
				if try.want == "" {
					r.tryEither(t, text)
					continue
				}
				t.Run(try.target, func(t *testing.T) {
					for _, got := range r.try(t, text, try.want) {
						if got.Path != try.arrives {
							t.Errorf("arrived as %s, want %s", got.Path, try.arrives)
						}
					}
				})
			}
		})
	}
}
