package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// missingLine is the error for something that the SDK does not say, so that a person
// must write a line in one of the tables.
type missingLine struct {
	at, why string
	// file and text are the table and the line to write, with the part that the
	// person decides filled in as far as it can be guessed. Hint explains that part.
	file, text, hint string
}

func (m *missingLine) Error() string {
	return fmt.Sprintf("%s: %s: add a line to %s", m.at, m.why, m.file)
}

// linesToWrite describes the lines whose absence is among the errors that err joins,
// by table, or returns "".
func linesToWrite(err error) string {
	var order []string
	lines := make(map[string][]string)
	for _, m := range missingLines(err) {
		key := "cmd/scopegen/" + m.file + "  (" + m.hint + ")"
		if lines[key] == nil {
			order = append(order, key)
		}
		if !slices.Contains(lines[key], m.text) {
			lines[key] = append(lines[key], m.text)
		}
	}
	var b strings.Builder
	for _, key := range order {
		slices.Sort(lines[key])
		fmt.Fprintf(&b, "%s\n\t%s\n", key, strings.Join(lines[key], "\n\t"))
	}
	return b.String()
}

func missingLines(err error) []*missingLine {
	switch e := err.(type) { //nolint:errorlint // it descends into the errors by itself
	case *missingLine:
		return []*missingLine{e}
	case interface{ Unwrap() []error }:
		var all []*missingLine
		for _, inner := range e.Unwrap() {
			all = append(all, missingLines(inner)...)
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		return missingLines(inner)
	}
	return nil
}
