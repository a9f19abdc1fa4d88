package cli

import (
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

const (
	only     = cobra.ShellCompDirectiveNoFileComp
	goesOn   = only | cobra.ShellCompDirectiveNoSpace
	sequence = only | cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveKeepOrder
)

// values complete flags of the commands, by name. A name means the same in all of them.
var values = map[string]cobra.CompletionFunc{
	"format":    cobra.FixedCompletions([]string{"table", "json", "csv"}, only),
	"adapter":   cobra.FixedCompletions([]string{"caddyfile", "json"}, only),
	"workspace": cobra.FixedCompletions([]string{"https://"}, goesOn),
	"sort":      cobra.FixedCompletions(orders, only),
	"scopes":    completeScopes,
	"where":     completeWhere,
	"used":      cobra.FixedCompletions([]string{"30d", "90d"}, only),
	"unused":    cobra.FixedCompletions([]string{"30d", "90d", "180d"}, only),
	"watch":     cobra.FixedCompletions([]string{"15m", "1h", "24h"}, only),
	"catalog":   cobra.FixedCompletions([]string{"current\tthe map of the draft", "recorded\tthe map of their time"}, only),
	"as":        cobra.FixedCompletions(subjects, sequence),
}

// orders are the values of --sort.
var orders = []string{
	string(usage.ByCalls), string(usage.ByDenials), string(usage.ByLast), string(usage.ByExpiry),
	string(usage.ByAge), string(usage.ByOwner), string(usage.ByUnmap),
}

// subjects begin the values of --as.
var subjects = []string{
	"kind=pat\ta personal access token", "kind=oauth\tan OAuth access token", "owner=\tname or id", "creator=\tname or id",
	"comment=\ttext", "token=\tid", "lifetime=\tduration or never",
}

// completeValues makes shells complete the flags of a command.
func completeValues(cmd *cobra.Command) {
	for name, complete := range values {
		if _, own := cmd.GetFlagCompletionFunc(name); own || cmd.Flags().Lookup(name) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
			panic(err) // the flag is there, and each is completed once
		}
	}
}

// completeWhere completes the last of filters that are separated by commas.
func completeWhere(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var terms []string
	for _, term := range bulk.Terms {
		if candidate := before + term; strings.HasPrefix(candidate, typed) && !strings.Contains(before, term) {
			terms = append(terms, candidate)
		}
	}
	return terms, goesOn
}

// completeScopes completes the last of scope names that are separated by commas.
func completeScopes(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	held := strings.Split(before, ",")
	var names []string
	for _, name := range scopes.KnownScopes() {
		if candidate := before + name; strings.HasPrefix(candidate, typed) && !slices.Contains(held, name) {
			names = append(names, candidate)
		}
	}
	return names, goesOn
}

// completeMethod completes the first argument of explain. The path may be any.
func completeMethod(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, only
	}
	return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions}, only
}
