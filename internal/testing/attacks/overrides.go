package attacks

import (
	"fmt"
	"strings"
)

// Spellings returns variants of a header name that some servers treat as the same name.
func Spellings(name string) []string {
	var all []string
	for _, with := range []string{"-", "_", ".", "~", "!", "^", "`", "|"} {
		all = append(all, strings.ReplaceAll(name, "-", with))
	}
	return append(all, strings.ToUpper(name), strings.ToLower(name), name+"_", "_"+name, name+".", "~"+name,
		strings.Replace(name, "-", "_", 1), strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
}

// Override is a header that makes some servers see another method, path or credential.
type Override struct{ Name, Value string }

// Overrides are the common ones, which [Override.Cases] tries in every spelling.
var Overrides = []Override{
	{"X-HTTP-Method-Override", "DELETE"},
	{"X-HTTP-Method", "DELETE"},
	{"X-Method-Override", "DELETE"},
	{"X-Original-Method", "DELETE"},
	{"X-Forwarded-Method", "DELETE"},
	{"X-Original-URL", "/api/2.1/clusters/list"},
	{"X-Original-URI", "/api/2.1/clusters/list"},
	{"X-Rewrite-URL", "/api/2.1/clusters/list"},
	{"X-Override-URL", "/api/2.1/clusters/list"},
	{"X-Forwarded-URI", "/api/2.1/clusters/list"},
	{"X-Forwarded-Path", "/api/2.1/clusters/list"},
	{"X-Forwarded-Prefix", "/api/2.1/clusters"},
	{"X-Envoy-Original-Path", "/api/2.1/clusters/list"},
	{"Proxy-Authorization", "Bearer {all}"},
}

// Cases are requests with the header in every spelling. None may arrive with it.
func (o Override) Cases() []Case {
	const file, clusters = "/api/2.0/fs/files/a", "/api/2.1/clusters/list"
	var all []Case
	for _, spelling := range Spellings(o.Name) {
		all = append(all,
			one(spelling, Request("GET", file, "files", spelling+": "+o.Value), Passes),
			one(spelling+", out of scope", Request("GET", clusters, "files", spelling+": "+file), Scope))
	}
	return append(all,
		one("twice", Request("GET", file, "files", o.Name+": x", o.Name+": "+o.Value), Passes),
		one("folded", Request("GET", file, "files", o.Name+":", " "+o.Value), Passes),
		one("public", With("/oidc/x", o.Name+": "+o.Value), Passes),
		one("space", Request("GET", file, "files", o.Name+" : "+o.Value), BadRequest),
		one("NUL", Request("GET", file, "files", o.Name+"\x00: "+o.Value), BadRequest))
}

// OtherOverrides are less common ones.
func OtherOverrides() []Case {
	var all []Case
	for _, header := range []string{
		"X-HTTP-Verb-Override: DELETE", "X-Method: DELETE", "X-Envoy-Original-Method: DELETE",
		"X-Original-Path: /api/2.1/clusters/list", "X-Request-URI: /api/2.1/clusters/list",
		"X-Rewrite-URI: /api/2.1/clusters/list", "X-Rewritten-URL: /api/2.1/clusters/list",
		"X-Forwarded-URL: /api/2.1/clusters/list", "X-Replaced-Path: /api/2.1/clusters/list",
		"X-Proxy-URL: /api/2.1/clusters/list", "Request-URI: /api/2.1/clusters/list",
		"X-Original-Authorization: Bearer {all}", "X-Forwarded-Authorization: Bearer {all}", "X-Api-Key: {all}",
	} {
		name, _, _ := strings.Cut(header, ":")
		all = append(all, one(name, Request("GET", "/api/2.0/fs/files/a", "files", header), Passes))
	}
	return all
}

// Workspaces are requests that name a workspace, in every form that names one. Ours is the
// id of the one behind the gateway.
func Workspaces(id int64) []Case {
	ours, other := fmt.Sprint(id), fmt.Sprint(id+1)
	const file, wrong = "/api/2.0/fs/files/a", "wrong_workspace"
	var all []Case
	for _, c := range []struct{ name, target, headers, want string }{
		{"ours", file, "X-Databricks-Org-Id: " + ours, Passes},
		{"other", file, "X-Databricks-Org-Id: " + other, wrong},
		{"other, new name", file, "X-Databricks-Workspace-Id: " + other, wrong},
		{"other, lower case", file, "x-databricks-org-id: " + other, wrong},
		{"other, spaces", file, "X-Databricks-Org-Id: \t" + other + " ", wrong},
		{"other, plus", file, "X-Databricks-Org-Id: +" + other, wrong},
		{"other, zeros", file, "X-Databricks-Org-Id: 000" + other, wrong},
		{"ours, then other", file, "X-Databricks-Org-Id: " + ours + "\r\nX-Databricks-Org-Id: " + other, Ambiguous},
		{"one each", file, "X-Databricks-Org-Id: " + ours + "\r\nX-Databricks-Workspace-Id: " + other, Ambiguous},
		{"header and query", file + "?o=" + other, "X-Databricks-Org-Id: " + ours, Ambiguous},
		{"query", file + "?o=" + other, "X: y", wrong},
		{"query, new name", file + "?w=" + other, "X: y", wrong},
		{"query, escaped", file + "?%6f=" + other, "X: y", wrong},
		{"query, twice", file + "?o=" + ours + "&o=" + other, "X: y", Ambiguous},
		{"query, escaped digits", file + "?o=%3" + other[:1] + other[1:], "X: y", wrong},
		{"hop by hop", file, "X-Databricks-Org-Id: " + ours + "\r\nConnection: X-Databricks-Org-Id", Ambiguous},
		{"underscores", file, "X_Databricks_Org_Id: " + other, Passes}, // Caddy drops it
		{"query after a semicolon", file + "?a=b;o=" + other, "X: y", wrong},
		{"query before a semicolon", file + "?o=" + other + ";a=b", "X: y", wrong},
		{"tildes", file, "X-Databricks-Org~Id: " + other, Passes},
		{"list", file, "X-Databricks-Org-Id: " + ours + ", " + other, Ambiguous},
	} {
		// The request must not have another Connection header.
		all = append(all, one(c.name, "GET "+c.target+" HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\n"+c.headers+"\r\n\r\n", c.want))
	}
	return all
}
