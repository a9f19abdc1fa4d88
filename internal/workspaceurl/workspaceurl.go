// Package workspaceurl reads the URLs of Databricks workspaces, and finds the one to
// use where none is named.
package workspaceurl

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
)

// Variable is the environment variable in which the Databricks SDKs look for the URL
// of the workspace.
const Variable = "DATABRICKS_HOST"

// ErrNone says that no workspace is named, and how a Caddyfile names one.
var ErrNone = errors.New("no workspace is set; write workspace https://<name>.cloud.databricks.com, or set the environment variable " + Variable)

// placeholder matches what documentation writes for a part of a name.
var placeholder = regexp.MustCompile(`(?i)(<|%3c)[a-z][a-z0-9 _-]*(>|%3e)|\[[a-z][a-z _-]*\]`)

// Parse reads the URL of a workspace. A bare host name means https. The host name must
// be in ASCII. Errors quote no password.
func Parse(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	switch {
	case placeholder.MatchString(s):
		return nil, fmt.Errorf("workspace %s is not a URL; write the name of your workspace in place of %[1]s, as in https://dbc-a1b2345c-d6e7.cloud.databricks.com", placeholder.FindString(s))
	case err != nil:
		// The cause would quote the URL, which may hold a password.
		return nil, errors.New("workspace is not a URL; write https://<name>.cloud.databricks.com")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("workspace %s: the scheme must be https (or http for a workspace on this machine), not %s", u.Redacted(), u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("workspace has no host name; write https://<name>.cloud.databricks.com")
	case u.User != nil:
		return nil, errors.New("workspace holds a user or password; credentials belong in the admin block")
	case !isASCII(u.Hostname()):
		return nil, errors.New(notASCII(u.Hostname()))
	case strings.Trim(u.Path, "/") != "":
		return nil, fmt.Errorf("workspace %s has a path; a workspace is served at the root of its host", u.Redacted())
	}
	u.Path, u.Fragment = "", ""
	return u, nil
}

// Host returns the host name in the URL of a workspace, without its port. It is empty
// for what is not a URL.
func Host(workspace string) string {
	u, err := url.Parse(workspace)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Find returns the URL of the workspace that is named or, where none is, of the host of
// a profile of the Databricks configuration file. Both may be empty; without a
// workspace the error is [ErrNone].
func Find(named, profile string) (string, error) {
	if named == "" && profile != "" {
		host, err := tokens.ProfileHost(profile)
		if err != nil {
			return "", fmt.Errorf("reading the workspace from profile %q: %w", profile, err)
		}
		named = host
	}
	if named == "" {
		return "", ErrNone
	}
	u, err := Parse(named)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}
