package routesfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/scopenames"
	"github.com/scopegate/scopegate/scopes"
)

// check looks for what is wrong with the rows of a file once they are over a catalog: what
// the generator of the built-in catalog looks for, as far as it concerns an operator.
type check struct {
	routes *Routes
	lines  []int
}

// at names a row.
func (c *check) at(i int) string {
	row := &c.routes.Rows[i]
	text := row.Method + " " + row.Template
	if i < len(c.lines) {
		text = fmt.Sprintf("line %d: %s", c.lines[i], text)
	}
	return text
}

// maxDetail limits a detail of a warning, in bytes.
const maxDetail = 1 << 10

// warn adds a warning, if there is anything to warn of.
func (c *check) warn(text string, details []string) {
	if len(details) == 0 {
		return
	}
	shown := details[:min(len(details), MaxDetails)]
	for i := range shown {
		shown[i] = sanitize.String(shown[i], maxDetail)
	}
	c.routes.Warnings = append(c.routes.Warnings, Warning{text, shown, len(details)})
}

// warnings warns of all that is valid and most likely a mistake.
func (c *check) warnings() {
	c.opened()
	c.unknownScopes()
	c.unmatched()
}

// names refuses rows of one name with different needs, and returns the rows whose name is that
// of an operation of the catalog below with other needs. Policies, records and usage speak
// of operations by name: a policy that allows the one would allow the other.
func (c *check) names() (taken map[int]string, err error) {
	ours := make(map[string]int) // rows of the file, by method and template
	for i := range c.routes.Rows {
		ours[c.routes.Rows[i].Method+" "+c.routes.Rows[i].Template] = i
	}
	rows := c.routes.Catalog.Operations() // with the names that the catalog below gives them
	first := make(map[string]*scopes.Operation)
	var problems []error
	for i := range rows {
		o := &rows[i]
		k, isOurs := ours[o.Method+" "+o.Template]
		if !isOurs || !narrows(o) {
			continue
		}
		other := first[o.Name]
		if other == nil {
			first[o.Name] = o
		} else if other.Needs() != o.Needs() && len(problems) < MaxDetails {
			problems = append(problems, fmt.Errorf("%s needs %s, but %s, which has the operation name %s too, needs %s: rows of one name are one operation; give one of them another name, or both the same scopes",
				c.at(k), o.Needs(), c.at(ours[other.Method+" "+other.Template]), o.Name, other.Needs()))
		}
	}
	taken = make(map[int]string)
	byName := make(map[string][]int)
	for k := range c.routes.Rows {
		byName[c.routes.Rows[k].Name] = append(byName[c.routes.Rows[k].Name], k)
	}
	for i := range rows {
		o := &rows[i]
		if _, isOurs := ours[o.Method+" "+o.Template]; isOurs || !narrows(o) {
			continue
		}
		if own := first[o.Name]; own != nil && own.Needs() != o.Needs() {
			for _, k := range byName[o.Name] {
				taken[k] = fmt.Sprintf("%s: %s is the name of %s %s, which needs %s", c.at(k), o.Name, o.Method, o.Template, o.Needs())
			}
		}
	}
	return taken, errors.Join(problems...)
}

// narrows reports whether a row says what an operation needs on all of its paths. What opens
// one path does not open others.
func narrows(o *scopes.Operation) bool {
	return o.Access == scopes.ScopedAccess || o.Access == scopes.AccountOnly
}

// rename gives rows whose name is taken names of their own, and warns of it.
func (c *check) rename(taken map[int]string) (renamed []scopes.Operation) {
	renamed = slices.Clone(c.routes.Rows)
	var details []string
	for _, i := range slices.Sorted(maps.Keys(taken)) {
		renamed[i].Name = renamed[i].Method + " " + renamed[i].Template
		details = append(details, taken[i])
	}
	c.warn("rows have the name of an operation that needs other scopes, and go by their path instead; give them names of their own, or the scopes of that operation", details)
	return renamed
}

// opened warns of rows that need less than any scope in particular.
func (c *check) opened() {
	opened := make(map[string]bool, len(c.routes.Opened))
	for i := range c.routes.Opened {
		opened[c.routes.Opened[i].Method+" "+c.routes.Opened[i].Template] = true
	}
	var details []string
	for i := range c.routes.Rows {
		if row := &c.routes.Rows[i]; opened[row.Method+" "+row.Template] {
			details = append(details, c.at(i))
		}
	}
	c.warn("rows need no scope, or no token at all", details)
}

// unknownScopes warns of scopes that no token carries as far as is known. They may be new,
// or misspelled.
func (c *check) unknownScopes() {
	told := make(map[string]bool)
	var details []string
	for i := range c.routes.Rows {
		for _, scope := range c.routes.Rows[i].Scopes() {
			if problem := scopenames.Problem(scope, scopenames.InRoutes); problem != "" && !told[scope] {
				told[scope] = true
				details = append(details, c.at(i)+": "+problem)
			}
		}
	}
	c.warn("rows name unknown scopes; they may be misspelled", details)
}

// methods are those with which unmatched tries rows for all methods. The last one has no
// rows of its own.
var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"}

// unmatched warns of rows that no request reaches, because another row has all of their
// paths or because requests with such a path are refused.
func (c *check) unmatched() {
	var details []string
	for i := range c.routes.Rows {
		row := &c.routes.Rows[i]
		if by, reached := c.reached(row); !reached {
			details = append(details, c.at(i)+by)
		}
	}
	c.warn("rows can never match a request; remove them, or correct their paths", details)
}

// reached reports whether a request for a row's template reaches the row, and what it
// reaches instead.
func (c *check) reached(row *scopes.Operation) (instead string, reached bool) {
	try := methods
	if row.Method != "*" {
		try = []string{row.Method}
	}
	if row.Method == "CONNECT" {
		return ": requests with this method are refused", false
	}
	path := escaped(Sample(row.Template))
	for _, method := range try {
		readings, err := c.routes.Catalog.Read(method, path, nil)
		if malformed, ok := errors.AsType[*scopes.PathError](err); ok {
			instead = ": " + malformed.Reason + ", so requests with it are refused"
			continue
		}
		for k := range readings {
			o := readings[k].Operation
			if o.Method == row.Method && o.Template == row.Template {
				return "", true
			}
			instead = fmt.Sprintf(": %s %s has its paths", o.Method, o.Template)
			if o.Unmapped() {
				instead = ": no request has such a path"
			}
		}
	}
	return instead, false
}

// sampleValue is what parameters are in samples. No row has it as a literal.
const sampleValue = "q7q7"

// Sample returns a path that a template matches.
func Sample(template string) string {
	segments := strings.Split(template, "/")
	for i, segment := range segments {
		if segment == "*" || strings.HasSuffix(segment, "...}") {
			segments[i] = sampleValue + "/" + sampleValue
			continue
		}
		for {
			before, rest, found := strings.Cut(segment, "{")
			if !found {
				break
			}
			_, after, _ := strings.Cut(rest, "}")
			segment = before + sampleValue + after
		}
		segments[i] = segment
	}
	return strings.Join(segments, "/")
}

// escaped returns a path as clients and servers of Go send it.
func escaped(path string) string {
	u := url.URL{Path: path, RawPath: path}
	return u.EscapedPath()
}

// lineNumbers returns the numbers of the lines that have rows, as [scopes.Parse] reads them.
func lineNumbers(content []byte) (lines []int) {
	number := 0
	for line := range bytes.Lines(content) {
		number++
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(line)) > 0 && line[0] != '#' {
			lines = append(lines, number)
		}
	}
	return lines
}
