package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed names.tsv
var namesTSV string

// resourceNames knows the formats of resource names that have several segments, such
// as "projects/{project_id}/branches/{branch_id}". The SDK has one field for such a
// name. Most formats are in its comments, and names.tsv has the others.
type resourceNames struct {
	byOperation map[string]string
	line        map[string]int
	used        map[string]bool
	// named has the path prefixes, with their package, that precede a resource name.
	// plain has the operations with a plain parameter at such a prefix.
	named map[string]bool
	plain map[string][]*call
}

func readNames(text string) (*resourceNames, error) {
	n := &resourceNames{
		byOperation: make(map[string]string),
		line:        make(map[string]int),
		used:        make(map[string]bool),
		named:       make(map[string]bool),
		plain:       make(map[string][]*call),
	}
	err := readTSV("names.tsv", text, 3, func(line int, cols []string) error {
		if n.line[cols[0]] != 0 {
			return fmt.Errorf("%s is already on line %d", cols[0], n.line[cols[0]])
		}
		n.byOperation[cols[0]], n.line[cols[0]] = cols[1], line
		return nil
	})
	return n, err
}

var (
	// quotedName matches the format of a resource name in a comment.
	quotedName = regexp.MustCompile(`[a-z][a-z0-9_-]*/\{[a-z0-9_]+\}[a-z0-9_{}./-]*`)
	// dottedName matches {catalog}.{schema}.{table}.
	dottedName = regexp.MustCompile(`(?:\{[a-z0-9_]+\}\.)+(\{[a-z0-9_]+\})`)
	// mentionsName matches comments that should have a format.
	mentionsName = regexp.MustCompile(`(?i)resource name|full resource|resource path|format|fully qualified`)
)

// pattern returns the segments of the parameter, or "" if it is a plain one; before
// is the path in front of it. A comment that mentions a resource name without its
// format is an error, because a person must decide.
func (n *resourceNames) pattern(c *call, before, param, doc string) (string, error) {
	if pattern, ok := n.byOperation[c.name()]; ok && (param == "name" || param == "parent") {
		n.used[c.name()] = true
		if pattern == "-" {
			return "", nil
		}
		return pattern, nil
	}
	prefix := c.pkg + " " + before
	if pattern := quotedName.FindString(doc); pattern != "" {
		n.named[prefix] = true
		// A dotted name is one segment, and becomes one parameter: only the server
		// knows which of its dots belong to a quoted part.
		return dottedName.ReplaceAllString(strings.TrimRight(pattern, "./-"), "$1"), nil
	}
	if param == "parent" || param == "name" && mentionsName.MatchString(doc) {
		return "", fmt.Errorf("parameter %s may be a resource name of several segments: add its format, or - for a plain name, to names.tsv. Its comment: %q", param, doc)
	}
	n.plain[prefix] = append(n.plain[prefix], c)
	return "", nil
}

// check reports lines of names.tsv that no operation needs, and operations with a
// plain parameter at a prefix where others have resource names.
func (n *resourceNames) check() []error {
	var problems []error
	for name, line := range n.line {
		if !n.used[name] {
			problems = append(problems, fmt.Errorf("names.tsv:%d: %s is not an operation with a name or parent parameter: remove the line", line, name))
		}
	}
	for prefix := range n.named {
		for _, c := range n.plain[prefix] {
			problems = append(problems, fmt.Errorf("%s: the parameter of %s has the same prefix as resource names of several segments: add its format, or - for a plain name, to names.tsv", c.at, c.name()))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}
