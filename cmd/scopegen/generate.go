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

// tables are the texts of the files that people review.
type tables struct{ names, rules, evidence, extra string }

// shipped are the tables beside this source.
func shipped() tables { return tables{namesTSV, rulesTSV, evidenceTSV, extraTSV} }

// generate returns the rows of the catalogue, sorted.
func (t tables) generate(sdkDir string) ([]scopes.Operation, error) {
	names, err := readNames(t.names)
	if err != nil {
		return nil, err
	}
	rules, err := readRules(t.rules)
	if err != nil {
		return nil, err
	}
	witnesses, err := readEvidence(t.evidence)
	if err != nil {
		return nil, err
	}
	extra, err := scopes.Parse(strings.NewReader(t.extra), "extra.tsv")
	if err != nil {
		return nil, err
	}
	calls, err := readSDK(sdkDir, names)
	if err != nil {
		return nil, err
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
	if err := checkRows(rows); err != nil {
		return nil, err
	}
	if err := grade(rows, witnesses, from); err != nil {
		return nil, err
	}
	if err := rules.checkSiblings(); err != nil {
		return nil, err
	}
	slices.SortFunc(rows, scopes.Compare)
	return rows, nil
}

// twins are pairs of interfaces that share operations; the first one's name is
// kept. Any other two operations of one method and path mean that a resource
// name was taken for a plain parameter.
var twins = map[[2]string]bool{
	{"iam.Permissions", "workspace"}: true, // generic permissions of any object
	{"bundledeployments", "bundle"}:  true, // one service; no client has the latter
}

// merge leaves one call for each operation.
func merge(calls []call) ([]call, error) {
	// What is generated from the API specification comes before conveniences.
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
			problems = append(problems, fmt.Errorf("%s: %s and %s are both %s %s: give the formats of their names in names.tsv, or name them twins",
				c.at, first.name(), c.name(), c.verb, c.template))
		}
	}
	return all, errors.Join(problems...)
}

// service is the operation's name without the method.
func (c *call) service() string { return strings.TrimSuffix(c.name(), "."+c.method) }

// shape is the template without the names of its parameters.
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

// checkRows holds rows against what a person can get wrong in the tables.
func checkRows(rows []scopes.Operation) error {
	known := scopes.KnownScopes()
	var problems []error
	seen := make(map[string]string)
	named := make(map[string]string)
	for _, row := range rows {
		at := row.Method + " " + row.Template
		key := row.Method + " " + shape(row.Template)
		if other := seen[key]; other != "" {
			problems = append(problems, fmt.Errorf("%s: %s and %s are the same: remove the line from extra.tsv", at, other, row.Name))
		}
		seen[key] = row.Name
		if other := named[row.Name]; other != "" {
			problems = append(problems, fmt.Errorf("%s: %s has the name %s too: names must be unique", at, other, row.Name))
		}
		named[row.Name] = at
		for _, s := range row.AnyOf {
			if !slices.Contains(known, s) {
				problems = append(problems, fmt.Errorf("%s: %q is no known scope", at, s))
			}
		}
	}
	return errors.Join(problems...)
}
