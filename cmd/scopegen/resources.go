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
	// named has the formats of resource names by the path in front of them, with the
	// package. plain has the parameters without a format by the same key.
	named map[string][]string
	plain map[string][]plainParam
}

// plainParam is a parameter that was taken for a single segment, because neither its
// comment nor names.tsv has a format.
type plainParam struct {
	*call
	before, param, doc string
}

func readNames(text string) (*resourceNames, error) {
	n := &resourceNames{
		byOperation: make(map[string]string),
		line:        make(map[string]int),
		used:        make(map[string]bool),
		named:       make(map[string][]string),
		plain:       make(map[string][]plainParam),
	}
	err := readTSV("names.tsv", text, 3, func(line int, cols []string) error {
		if n.line[cols[0]] != 0 {
			return fmt.Errorf("%s is already on line %d", cols[0], n.line[cols[0]])
		}
		if cols[1] != "-" && !validFormat.MatchString(cols[1]) {
			return fmt.Errorf("the format %q is neither segments such as zoos/{zoo_id} nor -", cols[1])
		}
		n.byOperation[cols[0]], n.line[cols[0]] = cols[1], line
		return nil
	})
	return n, err
}

var (
	// validFormat matches the formats that names.tsv may have.
	validFormat = regexp.MustCompile(`^([a-z0-9_-]+|\{[a-z0-9_]+\})(/([a-z0-9_-]+|\{[a-z0-9_]+\}))*$`)
	// quotedName matches the format of a resource name in a comment.
	quotedName = regexp.MustCompile(`[a-z][a-z0-9_-]*/\{[a-z0-9_]+\}[a-z0-9_{}./-]*`)
	// dottedName matches {catalog}.{schema}.{table}.
	dottedName = regexp.MustCompile(`(?:\{[a-z0-9_]+\}\.)+(\{[a-z0-9_]+\})`)
	// mentionsName matches comments that should have a format.
	mentionsName = regexp.MustCompile(`(?i)resource name|full resource|resource path|format|fully qualified`)
	// namesResource matches parameters that may be the name of a resource.
	namesResource = regexp.MustCompile(`(^|_)(name|parent|resource)$`)
	// servicePrefix matches the part of a path that belongs to a whole service: an API
	// version, and at most one segment before or after it.
	servicePrefix = regexp.MustCompile(`^/(api/)?([a-z-]+/v[0-9]+|[0-9.]+)/([^/{}]+/)?$`)
)

// pattern returns the segments of the parameter, or "" if it is a plain one; before
// is the path in front of it. A comment that mentions a resource name without its
// format is an error, because a person must decide; check finds other doubtful ones.
func (n *resourceNames) pattern(c *call, before, param, doc string) (string, error) {
	if pattern, ok := n.byOperation[c.name()]; ok && mayName(before, param) {
		n.used[c.name()] = true
		if pattern == "-" {
			return "", nil
		}
		return pattern, nil
	}
	prefix := c.pkg + " " + before
	if pattern := quotedName.FindString(doc); pattern != "" {
		// A dotted name is one segment, and becomes one parameter: only the server
		// knows which of its dots belong to a quoted part.
		pattern = dottedName.ReplaceAllString(strings.TrimRight(pattern, "./-"), "$1")
		n.named[prefix] = append(n.named[prefix], pattern)
		return pattern, nil
	}
	p := plainParam{c, before, param, doc}
	if param == "parent" || param == "name" && mentionsName.MatchString(doc) {
		return "", p.undecided("its comment speaks of a resource name")
	}
	n.plain[prefix] = append(n.plain[prefix], p)
	return "", nil
}

// mayName reports whether a parameter may be the name of a resource, with several
// segments: one that is called name or parent, and one with a longer name that
// directly follows the path of a service.
func mayName(before, param string) bool {
	return param == "name" || param == "parent" || servicePrefix.MatchString(before) && namesResource.MatchString(param)
}

// undecided is the error for a parameter of which a person must decide whether it is
// a plain name; formats are those of similar parameters.
func (p plainParam) undecided(why string, formats ...string) error {
	format := "?"
	if len(formats) > 0 {
		formats = slices.Compact(slices.Sorted(slices.Values(formats)))
		why += " such as " + strings.Join(formats, ", ")
		format = formats[0]
	}
	return &missingLine{
		at:   p.at,
		why:  fmt.Sprintf("parameter %s of %s at %s{%s} may be a resource name of several segments: %s; its comment: %q", p.param, p.name(), p.before, p.param, why, p.doc),
		file: "names.tsv",
		text: p.name() + "\t" + format + "\thow you know",
		hint: "the format of the name, or - if it is one plain segment",
	}
}

// check reports lines of names.tsv that no operation needs, and parameters that were
// taken for plain ones and may be resource names: at a prefix where others have
// resource names, and wherever the path in front of a name is not a collection, that
// is, not itself the path of an operation. That is so after the prefix of a service:
// /api/2.0/zoo/{name} stands for /api/2.0/zoo/animals/{animal_id} unless there is an
// operation /api/2.0/zoo, which lists or creates what {name} names.
func (n *resourceNames) check(calls []call) []error {
	var problems []error
	for name, line := range n.line {
		if !n.used[name] {
			problems = append(problems, fmt.Errorf("names.tsv:%d: %s is not an operation with a name or parent parameter: remove the line", line, name))
		}
	}
	paths := make(map[string]bool)
	for i := range calls {
		paths[shape(calls[i].template)] = true
	}
	for prefix, params := range n.plain {
		for _, p := range params {
			switch {
			case len(n.named[prefix]) > 0:
				problems = append(problems, p.undecided("it has the same prefix as resource names", n.named[prefix]...))
			case mayName(p.before, p.param) && !paths[shape(strings.TrimSuffix(p.before, "/"))]:
				problems = append(problems, p.undecided("no operation has the path in front of it, so that may be the prefix of a service rather than a collection"))
			}
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}
