package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

//go:embed evidence.tsv
var evidenceTSV string

// witness is a recorded fact about one operation: a documentation page, or a
// refusal in which the server named the scopes.
type witness struct {
	line int
	row  scopes.Operation
}

func readEvidence(text string) ([]witness, error) {
	var all []witness
	err := readTSV("evidence.tsv", text, 5, func(line int, cols []string) error {
		row, err := parseAnyOf(cols[2], cols[3], cols[4])
		if err != nil {
			return err
		}
		row.Method, row.Template = cols[0], cols[1]
		all = append(all, witness{line, row})
		return nil
	})
	return all, err
}

// grade writes the evidence into the rows that it is about. Evidence that
// contradicts a row, or that is about no row, is an error.
func grade(rows []scopes.Operation, witnesses []witness, from map[string]*rule) error {
	catalog, err := scopes.New(rows)
	if err != nil {
		return err
	}
	index := make(map[string]*scopes.Operation, len(rows))
	for i := range rows {
		index[rows[i].Method+" "+rows[i].Template] = &rows[i]
	}
	// Pages outrank refusals, and among equals the first counts.
	slices.SortStableFunc(witnesses, func(a, b witness) int {
		return strings.Compare(string(a.row.Evidence), string(b.row.Evidence))
	})
	graded := make(map[*scopes.Operation]bool)
	var problems []error
	for _, w := range witnesses {
		readings, err := catalog.Read(w.row.Method, sample(w.row.Template), nil)
		if err != nil {
			problems = append(problems, fmt.Errorf("evidence.tsv:%d: %w", w.line, err))
			continue
		}
		found := readings[0].Operation
		row := index[found.Method+" "+found.Template]
		switch {
		case found.Unmapped() || row == nil:
			problems = append(problems, fmt.Errorf("evidence.tsv:%d: %s %s is not in the catalogue", w.line, w.row.Method, w.row.Template))
			continue
		case row.Access == scopes.AccountOnly:
			// Pages give scopes for account-level operations too, for the OAuth
			// tokens that may call them.
		case row.Access != w.row.Access || !slices.Equal(row.AnyOf, w.row.AnyOf):
			problems = append(problems, fmt.Errorf("evidence.tsv:%d: %s %s asks for %v, but the rules give %s %v", w.line, w.row.Method, w.row.Template, w.row.AnyOf, row.Access, row.AnyOf))
			continue
		}
		if r := from[row.Method+" "+row.Template]; r != nil {
			r.proven = true
		}
		if graded[row] {
			continue
		}
		graded[row] = true
		source := w.row.Source
		if row.Access == scopes.AccountOnly {
			source += " (scope " + strings.Join(w.row.AnyOf, ", ") + "; account-level)"
		}
		row.Evidence, row.Source = w.row.Evidence, source
	}
	return errors.Join(problems...)
}

// sample returns a path that the template matches.
func sample(template string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString("x" + strings.TrimSuffix(name, "..."))
		template = after
	}
}
