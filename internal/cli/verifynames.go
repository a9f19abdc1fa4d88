package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/oauth"
	"github.com/scopegate/scopegate/internal/scopenames"
	"github.com/scopegate/scopegate/internal/tokens"
)

// namesTimeout bounds each request for a list of names.
const namesTimeout = 10 * time.Second

// nameList is one of the workspace's own lists of scope names.
type nameList struct {
	Names []string `json:"names"` // sorted; null if it could not be read
	Error string   `json:"error,omitempty"`
}

// namesReport is what a workspace says of scope names, and how that differs from what is
// known.
type namesReport struct {
	OAuthServer nameList `json:"oauth_server"` // scopes_supported
	Tokens      nameList `json:"tokens"`       // token-scopes
	scopenames.Comparison
}

// readNames reads both lists. If one cannot be had, the other does.
func readNames(ctx context.Context, workspace string, admin tokens.Admin) namesReport {
	read := func(names []string, err error) nameList {
		if err != nil {
			return nameList{Error: err.Error()}
		}
		return nameList{Names: names}
	}
	report := namesReport{
		OAuthServer: read(oauth.SupportedScopes(ctx, workspace, namesTimeout)),
		Tokens:      read(tokens.TokenScopes(ctx, workspace, admin, namesTimeout)),
	}
	report.Comparison = scopenames.Compare(report.OAuthServer.Names, report.Tokens.Names)
	return report
}

func printNames(out io.Writer, r *namesReport) {
	fmt.Fprintf(out, "scope names:\n")
	line := func(what, text string) { fmt.Fprintf(out, "  %-45s %s\n", what, text) }
	lists, read := []struct {
		what string
		list nameList
	}{{"in the OAuth server's list (scopes_supported)", r.OAuthServer}, {"in the list for tokens (token-scopes)", r.Tokens}}, 0
	for _, l := range lists {
		if l.list.Error != "" {
			line(l.what, "could not be read: "+l.list.Error)
			continue
		}
		read++
		line(l.what, fmt.Sprint(len(l.list.Names)))
	}
	if read == 0 {
		return
	}
	differ := func(what string, names []string) {
		if len(names) > 0 {
			line(what, strings.Join(names, ", "))
		}
	}
	differ("about signing in", r.SignIn)
	differ("which this version does not know", r.Missing)
	differ("dotted, which this version does not know", r.Dotted)
	gone := "known ones that no list has"
	if read < len(lists) {
		gone = "known ones that the one list does not have"
	}
	differ(gone, r.Gone)
	if len(r.Missing)+len(r.Dotted) > 0 {
		fmt.Fprintln(out, "A scope that this version does not know permits nothing. Update scopegate, or name its operations in a routes file.")
	}
	if len(r.Gone) > 0 && read == len(lists) {
		fmt.Fprintln(out, "A scope that no list has may not exist in this workspace. Do not give it to tokens.")
	}
}
