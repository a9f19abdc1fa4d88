package workspaceurl

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/didyoumean"
)

// clouds are the domains of Databricks' clouds, the most common first. A workspace has a
// name below one of them.
var clouds = []string{
	"cloud.databricks.com", "azuredatabricks.net", "gcp.databricks.com",
	"cloud.databricks.us", "databricks.azure.us", "databricks.azure.cn", "cloud.databricks.mil",
	"databricks.com", // an account's own name, for several workspaces
}

// examples match first labels of names that stand in documentation for one's own.
var examples = regexp.MustCompile(`^(<.*|(my|your|some|example)?[-_]?(workspace|deployment|instance|company|databricks|account)([-_]?(name|url|host|id|instance))?|example|foo|bar|name|acme|` +
	`(dbc|adb)-?(x+[-x.]*|\.{3}|…|<.*|123|1234|12345|123456|12345678(-90ab)?|1234567890123456|a1b2345c-d6e7|a1b2c3d4-e5f6|abc123|example)?|1234567890123456|x+)$`)

// noWorkspace are names of Databricks that are no workspaces.
var noWorkspace = []string{"www", "docs", "login", "community", "help", "kb", "api", "status", "partners"}

// workspaceName matches the first label of a workspace's name as Databricks makes it.
var workspaceName = regexp.MustCompile(`^(dbc-[0-9a-f]{8}-[0-9a-f]{4}|dbc-.+|adb-?\d+|\d{10,})$`)

// Doubt says why a host can hardly be a workspace, and what may have been meant, or
// returns an empty string. It is a guess: names of private links and proxies are
// anybody's own, so it is for warnings.
func Doubt(workspace *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(workspace.Hostname()), ".")
	first, domain, dotted := strings.Cut(host, ".")
	switch {
	case !dotted && workspaceName.MatchString(first):
		return fmt.Sprintf("%s is only the first part of a workspace's host name; did you mean %s?", host, complete(first))
	case IsPrivate(host):
		return ""
	case slices.Contains(clouds, host):
		return fmt.Sprintf("%s is the domain of a cloud and no workspace; write the workspace's own host name, such as dbc-….%s", host, host)
	}
	cloud, ok := cloudOf(domain)
	switch {
	case isBelow(host, "databricksapps.com"), isBelow(host, "azure.databricksapps.com"):
		return host + " is a Databricks app; write the host name of the workspace that it runs in"
	case !ok:
		return "the host is in no cloud of Databricks" + meant(host)
	case first == "accounts" || strings.HasPrefix(first, "accounts-"):
		return host + " is the account console; write the host name of one workspace"
	case cloud == "databricks.com" && slices.Contains(noWorkspace, first):
		return host + " is no workspace; write the host name that the browser shows when you are in the workspace"
	case examples.MatchString(first):
		return host + " is an example; write the host name that the browser shows when you are in the workspace"
	}
	return ""
}

func isBelow(host, domain string) bool { return strings.HasSuffix(host, "."+domain) }

// cloudOf returns the cloud that a domain is, or is below.
func cloudOf(domain string) (cloud string, ok bool) {
	for _, cloud := range clouds {
		if domain == cloud || isBelow(domain, cloud) {
			return cloud, true
		}
	}
	return "", false
}

// complete completes the first part of a workspace's name.
func complete(first string) string {
	if strings.HasPrefix(first, "adb") || first[0] >= '0' && first[0] <= '9' {
		return first + ".<number>.azuredatabricks.net"
	}
	return first + ".cloud.databricks.com"
}

// meant suggests the cloud whose domain is close to the end of a host name.
func meant(host string) string {
	labels := strings.Split(host, ".")
	for _, cloud := range clouds {
		at := len(labels) - 1 - strings.Count(cloud, ".")
		if at < 0 || !misspells(strings.Join(labels[at:], "."), cloud) {
			continue
		}
		name := strings.Join(labels[:at], ".")
		if name == "" {
			name = "<name>"
		}
		return "; did you mean " + name + "." + cloud + "?"
	}
	return ", such as " + strings.Join(clouds[:3], ", ") + "; if it is a private link or a proxy of yours, ignore this"
}

// misspells reports whether a domain is close to another, whatever its last label is.
func misspells(domain, cloud string) bool {
	if _, ok := didyoumean.Nearest(domain, []string{cloud}); ok {
		return true
	}
	_, ok := didyoumean.Nearest(withoutLast(domain), []string{withoutLast(cloud)})
	return ok
}

func withoutLast(domain string) string { return domain[:strings.LastIndexByte(domain, '.')] }
