package hardening

import (
	"fmt"
	"strings"
	"testing"
)

// spellings returns variants of a header name that some servers treat as the same name.
func spellings(name string) []string {
	var all []string
	for _, with := range []string{"-", "_", ".", "~", "!", "^", "`", "|"} {
		all = append(all, strings.ReplaceAll(name, "-", with))
	}
	return append(all, strings.ToUpper(name), strings.ToLower(name), name+"_", "_"+name, name+".", "~"+name,
		strings.Replace(name, "-", "_", 1), strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
}

// TestOverrides: headers that override the method or the path never arrive, in any
// spelling. [rig.clean] lists them.
func TestOverrides(t *testing.T) {
	r := startRig(t, "")
	for name, value := range map[string]string{
		"X-HTTP-Method-Override": "DELETE",
		"X-HTTP-Method":          "DELETE",
		"X-Method-Override":      "DELETE",
		"X-Original-Method":      "DELETE",
		"X-Forwarded-Method":     "DELETE",
		"X-Original-URL":         "/api/2.1/clusters/list",
		"X-Original-URI":         "/api/2.1/clusters/list",
		"X-Rewrite-URL":          "/api/2.1/clusters/list",
		"X-Override-URL":         "/api/2.1/clusters/list",
		"X-Forwarded-URI":        "/api/2.1/clusters/list",
		"X-Forwarded-Path":       "/api/2.1/clusters/list",
		"X-Forwarded-Prefix":     "/api/2.1/clusters",
		"X-Envoy-Original-Path":  "/api/2.1/clusters/list",
		"Proxy-Authorization":    "Bearer {all}",
	} {
		t.Run(name, func(t *testing.T) {
			for _, spelling := range spellings(name) {
				r.try(t, request("GET", "/api/2.0/fs/files/a", "files", spelling+": "+value), passes)
				r.try(t, request("GET", "/api/2.1/clusters/list", "files", spelling+": /api/2.0/fs/files/a"), scope)
			}
			r.try(t, request("GET", "/api/2.0/fs/files/a", "files", name+": x", name+": "+value), passes)
			r.try(t, request("GET", "/api/2.0/fs/files/a", "files", name+":", " "+value), passes)
			r.try(t, with("/oidc/x", name+": "+value), passes)
			r.try(t, request("GET", "/api/2.0/fs/files/a", "files", name+" : "+value), badRequest)
			r.try(t, request("GET", "/api/2.0/fs/files/a", "files", name+"\x00: "+value), badRequest)
		})
	}
}

// TestOtherOverrides: less common override headers do not arrive either.
func TestOtherOverrides(t *testing.T) {
	r := startRig(t, "")
	for _, header := range []string{
		"X-HTTP-Verb-Override: DELETE", "X-Method: DELETE", "X-Envoy-Original-Method: DELETE",
		"X-Original-Path: /api/2.1/clusters/list", "X-Request-URI: /api/2.1/clusters/list",
		"X-Rewrite-URI: /api/2.1/clusters/list", "X-Rewritten-URL: /api/2.1/clusters/list",
		"X-Forwarded-URL: /api/2.1/clusters/list", "X-Replaced-Path: /api/2.1/clusters/list",
		"X-Proxy-URL: /api/2.1/clusters/list", "Request-URI: /api/2.1/clusters/list",
		"X-Original-Authorization: Bearer {all}", "X-Forwarded-Authorization: Bearer {all}", "X-Api-Key: {all}",
	} {
		name, _, _ := strings.Cut(header, ":")
		for _, got := range r.try(t, request("GET", "/api/2.0/fs/files/a", "files", header), passes) {
			if got.Header.Get(name) != "" {
				t.Errorf("%s arrived", name)
			}
		}
	}
}

// TestWorkspaces: the workspace that a request names is checked, in every form that names
// one.
func TestWorkspaces(t *testing.T) {
	r := startRig(t, "")
	ours, other := fmt.Sprint(r.Workspace.WorkspaceID()), fmt.Sprint(r.Workspace.WorkspaceID()+1)
	const file, wrong = "/api/2.0/fs/files/a", "wrong_workspace"
	for _, tt := range []struct{ name, target, headers, want string }{
		{"ours", file, "X-Databricks-Org-Id: " + ours, passes},
		{"other", file, "X-Databricks-Org-Id: " + other, wrong},
		{"other, new name", file, "X-Databricks-Workspace-Id: " + other, wrong},
		{"other, lower case", file, "x-databricks-org-id: " + other, wrong},
		{"other, spaces", file, "X-Databricks-Org-Id: \t" + other + " ", wrong},
		{"other, plus", file, "X-Databricks-Org-Id: +" + other, wrong},
		{"other, zeros", file, "X-Databricks-Org-Id: 000" + other, wrong},
		{"ours, then other", file, "X-Databricks-Org-Id: " + ours + "\r\nX-Databricks-Org-Id: " + other, ambiguous},
		{"one each", file, "X-Databricks-Org-Id: " + ours + "\r\nX-Databricks-Workspace-Id: " + other, ambiguous},
		{"header and query", file + "?o=" + other, "X-Databricks-Org-Id: " + ours, ambiguous},
		{"query", file + "?o=" + other, "X: y", wrong},
		{"query, new name", file + "?w=" + other, "X: y", wrong},
		{"query, escaped", file + "?%6f=" + other, "X: y", wrong},
		{"query, twice", file + "?o=" + ours + "&o=" + other, "X: y", ambiguous},
		{"query, escaped digits", file + "?o=%3" + other[:1] + other[1:], "X: y", wrong},
		{"hop by hop", file, "X-Databricks-Org-Id: " + ours + "\r\nConnection: X-Databricks-Org-Id", ambiguous},
		{"underscores", file, "X_Databricks_Org_Id: " + other, passes}, // Caddy drops it
		{"query after a semicolon", file + "?a=b;o=" + other, "X: y", wrong},
		{"query before a semicolon", file + "?o=" + other + ";a=b", "X: y", wrong},
		{"tildes", file, "X-Databricks-Org~Id: " + other, passes},
		{"list", file, "X-Databricks-Org-Id: " + ours + ", " + other, ambiguous},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The request must not have another Connection header.
			r.try(t, "GET "+tt.target+" HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\n"+tt.headers+"\r\n\r\n", tt.want)
		})
	}
}
