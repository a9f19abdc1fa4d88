package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/scopes"
)

//go:embed evidence.tsv
var evidenceTSV string

// fact is recorded evidence about one operation: a documentation page, or a refusal
// in which the server named the scopes.
type fact struct {
	line int
	row  scopes.Operation
}

func readEvidence(text string) ([]fact, error) {
	var all []fact
	err := readTSV("evidence.tsv", text, 5, func(line int, cols []string) error {
		row, err := parseAnyOf(cols[2], cols[3], cols[4])
		if err != nil {
			return err
		}
		row.Method, row.Template = cols[0], cols[1]
		all = append(all, fact{line, row})
		return nil
	})
	return all, err
}

// grade sets the evidence of the rows that facts are about. A fact that contradicts
// its row, or that has no row, is an error.
func grade(rows []scopes.Operation, facts []fact, from map[string]*rule) error {
	catalog, err := scopes.New(rows)
	if err != nil {
		return err
	}
	index := make(map[string]*scopes.Operation, len(rows))
	for i := range rows {
		index[rows[i].Method+" "+rows[i].Template] = &rows[i]
	}
	// Pages outrank refusals; among equals the first counts.
	slices.SortStableFunc(facts, func(a, b fact) int {
		return strings.Compare(string(a.row.Evidence), string(b.row.Evidence))
	})
	graded := make(map[*scopes.Operation]bool)
	var problems []error
	for _, f := range facts {
		readings, err := catalog.Read(f.row.Method, routesfile.Sample(f.row.Template), nil)
		if err != nil {
			problems = append(problems, fmt.Errorf("evidence.tsv:%d: %w", f.line, err))
			continue
		}
		found := readings[0].Operation
		row := index[found.Method+" "+found.Template]
		switch {
		case found.Unmapped() || row == nil:
			problems = append(problems, fmt.Errorf("evidence.tsv:%d: %s %s is not in the catalog", f.line, f.row.Method, f.row.Template))
			continue
		case row.Access == scopes.AccountOnly:
			// Pages list scopes for account-level operations too, because OAuth
			// tokens can call them.
		case row.Access != f.row.Access || !slices.Equal(row.AnyOf, f.row.AnyOf):
			problems = append(problems, fmt.Errorf("evidence.tsv:%d: %s %s needs %v, but the rules give %s %v: correct rules.tsv or extra.tsv", f.line, f.row.Method, f.row.Template, f.row.AnyOf, row.Access, row.AnyOf))
			continue
		}
		if r := from[row.Method+" "+row.Template]; r != nil {
			r.proven = true
		}
		if graded[row] {
			continue
		}
		graded[row] = true
		source := f.row.Source
		if row.Access == scopes.AccountOnly {
			source += " (scope " + strings.Join(f.row.AnyOf, ", ") + "; account-level)"
		}
		row.Evidence, row.Source = f.row.Evidence, source
	}
	return errors.Join(problems...)
}
