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

// resourceNames knows which parameters are resource names of several segments,
// such as "projects/{project_id}/branches/{branch_id}", and what they look
// like. The SDK's source has them as one field; its comments mostly say the
// format, and names.tsv says the others.
type resourceNames struct {
	byOperation map[string]string
	line        map[string]int
	used        map[string]bool
	// places are the prefixes of a package's paths where names have several
	// segments, and plain the operations with a plain parameter at one.
	places map[string]bool
	plain  map[string][]*call
}

func readNames(text string) (*resourceNames, error) {
	n := &resourceNames{
		byOperation: make(map[string]string),
		line:        make(map[string]int),
		used:        make(map[string]bool),
		places:      make(map[string]bool),
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
	// quotedName is the format of a resource name as comments give it.
	quotedName = regexp.MustCompile(`[a-z][a-z0-9_-]*/\{[a-z0-9_]+\}[a-z0-9_{}./-]*`)
	// dottedName is {catalog}.{schema}.{table}.
	dottedName = regexp.MustCompile(`(?:\{[a-z0-9_]+\}\.)+(\{[a-z0-9_]+\})`)
	// speaksOfName finds comments that should give one.
	speaksOfName = regexp.MustCompile(`(?i)resource name|full resource|resource path|format|fully qualified`)
)

// pattern returns the segments that the parameter stands for, or "" if it is a
// plain one; before is the path up to it. A comment that speaks of a resource
// name without giving its format is an error: somebody has to look.
func (n *resourceNames) pattern(c *call, before, param, doc string) (string, error) {
	if pattern, ok := n.byOperation[c.name()]; ok && (param == "name" || param == "parent") {
		n.used[c.name()] = true
		if pattern == "-" {
			return "", nil
		}
		return pattern, nil
	}
	place := c.pkg + " " + before
	if pattern := quotedName.FindString(doc); pattern != "" {
		n.places[place] = true
		// A name of three parts is one segment, and one parameter will do: which
		// of its dots are part of a quoted name is for the server to say.
		return dottedName.ReplaceAllString(strings.TrimRight(pattern, "./-"), "$1"), nil
	}
	if param == "parent" || param == "name" && speaksOfName.MatchString(doc) {
		return "", fmt.Errorf("parameter %s may be a resource name of several segments: give its format, or - for a plain name, in names.tsv. Its comment: %q", param, doc)
	}
	n.plain[place] = append(n.plain[place], c)
	return "", nil
}

// check reports lines of names.tsv that no operation needs, and operations
// whose parameter looks plain but stands where others have resource names.
func (n *resourceNames) check() []error {
	var problems []error
	for name, line := range n.line {
		if !n.used[name] {
			problems = append(problems, fmt.Errorf("names.tsv:%d: %s is no operation with a name or parent: remove the line", line, name))
		}
	}
	for place := range n.places {
		for _, c := range n.plain[place] {
			problems = append(problems, fmt.Errorf("%s: the parameter of %s stands where others have resource names of several segments: give its format, or - for a plain name, in names.tsv", c.at, c.name()))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}
