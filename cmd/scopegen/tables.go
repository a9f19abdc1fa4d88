package main

import (
	"errors"
	"fmt"
	"strings"
)

// readTSV calls row for each line of a table with n columns. It skips empty lines and
// lines that start with #.
func readTSV(file, text string, n int, row func(line int, cols []string) error) error {
	var problems []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cols := strings.Split(line, "\t")
		var err error
		if len(cols) != n {
			err = fmt.Errorf("%d columns found, want %d", len(cols), n)
		} else {
			err = row(number, cols)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", file, number, err))
		}
	}
	return errors.Join(problems...)
}

// glob reports whether pattern matches s; * matches any text.
func glob(pattern, s string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for i := range len(rest) + 1 {
		if glob(tail, rest[i:]) {
			return true
		}
	}
	return false
}
