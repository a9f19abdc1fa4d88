package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

//go:embed rules.tsv
var rulesTSV string

// rule assigns scopes to the operations that its pattern matches.
type rule struct {
	line int
	// pattern matches the operation's name or, if it contains a space, "METHOD
	// template".
	pattern string
	row     scopes.Operation
	uses    int
	// proven is set if one of the rule's operations has its own evidence.
	proven bool
}

type rules []*rule

func readRules(text string) (rules, error) {
	var all rules
	err := readTSV("rules.tsv", text, 4, func(line int, cols []string) error {
		row, err := parseAnyOf(cols[1], cols[2], cols[3])
		if err != nil {
			return err
		}
		all = append(all, &rule{line: line, pattern: cols[0], row: row})
		return nil
	})
	return all, err
}

// parseAnyOf reads the columns that rules.tsv shares with the catalog.
func parseAnyOf(anyOf, evidence, source string) (scopes.Operation, error) {
	line := strings.Join([]string{"GET", "/x", anyOf, evidence, "x", source}, "\t")
	rows, err := scopes.Parse(strings.NewReader(line), "row")
	if err != nil {
		return scopes.Operation{}, errors.New(strings.TrimPrefix(err.Error(), "row:1: "))
	}
	return rows[0], nil
}

// find returns the first rule that matches c, or nil.
func (rs rules) find(c *call) *rule {
	for _, r := range rs {
		subject := c.name()
		if strings.Contains(r.pattern, " ") {
			subject = c.verb + " " + c.template
		}
		if glob(r.pattern, subject) {
			return r
		}
	}
	return nil
}

// apply returns the rows of calls, and the rule of each. A call without a rule and a
// rule without a call are errors.
func (rs rules) apply(calls []call) ([]scopes.Operation, map[string]*rule, error) {
	var rows []scopes.Operation
	problems := rs.uncovered(calls)
	from := make(map[string]*rule)
	for i := range calls {
		c := &calls[i]
		r := rs.find(c)
		if r == nil {
			continue
		}
		r.uses++
		row := r.row
		row.Method, row.Template, row.Name = c.verb, c.template, c.name()
		row.AnyOf = slices.Clone(row.AnyOf)
		if c.account != (row.Access == scopes.AccountOnly) {
			problems = append(problems, fmt.Errorf("%s: %s %s: rules.tsv:%d and the path disagree on whether it is account-level", c.at, c.verb, c.template, r.line))
		}
		rows = append(rows, row)
		from[row.Method+" "+row.Template] = r
	}
	for _, r := range rs {
		if r.uses == 0 {
			problems = append(problems, fmt.Errorf("rules.tsv:%d: no operation uses the rule %q: remove it, or move it above the rule that matches its operations", r.line, r.pattern))
		}
	}
	return rows, from, errors.Join(problems...)
}

// uncovered reports the calls that no rule covers.
func (rs rules) uncovered(calls []call) []error {
	var problems []error
	for i := range calls {
		c := &calls[i]
		if rs.find(c) != nil {
			continue
		}
		problems = append(problems, &missingLine{
			at:   c.at,
			why:  fmt.Sprintf("no rule covers %s, %s %s", c.name(), c.verb, c.template),
			file: "rules.tsv",
			text: c.service() + ".*\t" + scopes.AllAPIs + "\tinferred\tnothing recorded",
			hint: "the scopes, as far as they are known, and how; the first rule that matches applies",
		})
	}
	return problems
}

// checkSiblings checks that each rule with the evidence "sibling" has at least one
// operation that is documented or observed.
func (rs rules) checkSiblings() error {
	var problems []error
	for _, r := range rs {
		if r.row.Evidence == scopes.Sibling && !r.proven {
			problems = append(problems, fmt.Errorf("rules.tsv:%d: %q says sibling, but none of its operations is documented or observed: write inferred", r.line, r.pattern))
		}
	}
	return errors.Join(problems...)
}
