package scopenames

import (
	"slices"

	"github.com/scopegate/scopegate/scopes"
)

// Comparison is how a workspace's own lists of scope names differ from what is known. All
// lists are sorted.
type Comparison struct {
	// Missing are names of the workspace that the catalog lacks. It permits them nothing.
	Missing []string `json:"missing"`
	// Dotted are those of the form that only OAuth access tokens carry.
	Dotted []string `json:"dotted"`
	// SignIn are names about signing in, which concern no operation.
	SignIn []string `json:"sign_in"`
	// Gone are known scopes of personal access tokens that no list has.
	Gone []string `json:"gone"`
}

// Compare compares the lists that a workspace gave with what is known. Without any there is
// nothing to compare, and all of it is empty.
func Compare(lists ...[]string) Comparison {
	all := slices.Concat(lists...)
	slices.Sort(all)
	all = slices.Compact(all)
	c := Comparison{Missing: []string{}, Dotted: []string{}, SignIn: []string{}, Gone: []string{}}
	for _, name := range all {
		switch {
		case scopes.IsSignIn(name):
			c.SignIn = append(c.SignIn, name)
		case Known(name), Fine(name, OnPAT): // also a part of a scope, such as clusters:read
		case scopes.IsDotted(name):
			c.Dotted = append(c.Dotted, name)
		default:
			c.Missing = append(c.Missing, name)
		}
	}
	if len(all) == 0 {
		return c
	}
	for _, name := range scopes.KnownScopes() {
		if _, there := slices.BinarySearch(all, name); !there && name != scopes.AllAPIs {
			c.Gone = append(c.Gone, name)
		}
	}
	return c
}
