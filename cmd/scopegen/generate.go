package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

//go:embed extra.tsv
var extraTSV string

// tables are the contents of the tables that people edit.
type tables struct{ names, rules, evidence, extra, access string }

// shipped returns the tables in this directory.
func shipped() tables { return tables{namesTSV, rulesTSV, evidenceTSV, extraTSV, accessTSV} }

// generate returns the rows of the catalog, sorted.
func (t tables) generate(sdkDir string) ([]scopes.Operation, error) {
	names, err := readNames(t.names)
	if err != nil {
		return nil, err
	}
	rules, err := readRules(t.rules)
	if err != nil {
		return nil, err
	}
	facts, err := readEvidence(t.evidence)
	if err != nil {
		return nil, err
	}
	access, err := readAccess(t.access)
	if err != nil {
		return nil, err
	}
	extra, err := scopes.Parse(strings.NewReader(t.extra), "extra.tsv")
	if err != nil {
		return nil, err
	}
	calls, err := readSDK(sdkDir, names)
	if err != nil {
		// Report missing rules in the same run. Duplicates may come from the names that
		// could not be read.
		calls, _ := merge(calls)
		return nil, errors.Join(append([]error{err}, rules.uncovered(calls)...)...)
	}
	calls, err = merge(calls)
	if err != nil {
		return nil, err
	}
	rows, from, err := rules.apply(calls)
	if err != nil {
		return nil, err
	}
	rows = append(rows, extra...)
	if err := errors.Join(access.classify(rows), checkRows(rows)); err != nil {
		return nil, err
	}
	if err := grade(rows, facts, from); err != nil {
		return nil, err
	}
	if err := rules.checkSiblings(); err != nil {
		return nil, err
	}
	slices.SortFunc(rows, scopes.Compare)
	return rows, nil
}

// twins are pairs of interfaces that share operations; merge keeps the first. Any
// other two operations with the same method and path mean that a resource name was
// mistaken for a plain parameter.
var twins = map[[2]string]bool{
	{"iam.Permissions", "workspace"}: true, // generic permissions of any object
	{"bundledeployments", "bundle"}:  true, // one service; no client has the latter
}

// merge returns one call for each operation.
func merge(calls []call) ([]call, error) {
	// Code generated from the API specification comes before hand-written helpers.
	slices.SortStableFunc(calls, func(a, b call) int {
		switch {
		case a.generated == b.generated:
			return strings.Compare(a.name(), b.name())
		case a.generated:
			return -1
		}
		return 1
	})
	kept := make(map[string]int)
	var all []call
	var problems []error
	for _, c := range calls {
		key := c.verb + " " + shape(c.template)
		i, found := kept[key]
		if !found {
			kept[key] = len(all)
			all = append(all, c)
			continue
		}
		first := &all[i]
		switch {
		case !c.generated || twins[[2]string{first.service(), c.service()}]:
		case twins[[2]string{c.service(), first.service()}]:
			*first = c
		default:
			problems = append(problems, fmt.Errorf("%s: %s and %s are both %s %s: add the formats of their resource names to names.tsv, or add the pair to twins",
				c.at, first.name(), c.name(), c.verb, c.template))
		}
	}
	return all, errors.Join(problems...)
}

// service returns the operation's name without the method.
func (c *call) service() string { return strings.TrimSuffix(c.name(), "."+c.method) }

// shape returns the template without parameter names.
func shape(template string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString("{}")
		if strings.HasSuffix(name, "...") {
			b.WriteString("...")
		}
		template = after
	}
}

// checkRows reports mistakes that the tables can contain: duplicate rows, names
// that stand for different needs, and unknown scopes.
func checkRows(rows []scopes.Operation) error {
	known := scopes.KnownScopes()
	var problems []error
	seen := make(map[string]string)
	named := make(map[string]scopes.Operation)
	for _, row := range rows {
		at := row.Method + " " + row.Template
		key := row.Method + " " + shape(row.Template)
		if other := seen[key]; other != "" {
			problems = append(problems, fmt.Errorf("%s: %s and %s are the same: remove the line from extra.tsv", at, other, row.Name))
		}
		seen[key] = row.Name
		if other, found := named[row.Name]; found && (other.Access != row.Access || other.Optional != row.Optional || !slices.Equal(other.AnyOf, row.AnyOf)) {
			problems = append(problems, fmt.Errorf("%s: %s %s has the name %s too: rows of one name are one operation and must need the same scopes", at, other.Method, other.Template, row.Name))
		}
		named[row.Name] = row
		for _, s := range row.Scopes() {
			if !slices.Contains(known, s) {
				problems = append(problems, fmt.Errorf("%s: unknown scope %q", at, s))
			}
		}
	}
	return errors.Join(problems...)
}
