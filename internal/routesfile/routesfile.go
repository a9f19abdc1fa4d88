// Package routesfile loads an operator's rows over the built-in catalog. The file decides
// what is refused, so it is read strictly, and within bounds: a mistake is an error that
// keeps the running configuration, and never a gateway that hangs or runs out of memory.
package routesfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/scopes"
)

// Limits of a file. The built-in catalog has 250 KB and fewer than 2,000 rows of at most 600
// bytes.
const (
	maxSize  = 16 << 20
	maxRows  = 50_000
	maxBytes = 8 << 10 // of a line
	maxError = 4 << 10 // bytes
)

// Routes are the rows of a file, and a catalog with these rows over it.
type Routes struct {
	Catalog *scopes.Catalog
	// Rows are those of the file, as they are written there.
	Rows []scopes.Operation
	// Opened are rows of the file after which requests need no scope, or no token at
	// all, and which the catalog below does not have like that.
	Opened []scopes.Operation
	// Warnings say what is valid and most likely a mistake.
	Warnings []Warning
}

// Warning is something in a file that is valid and most likely a mistake.
type Warning struct {
	// Text is the kind of mistake, and what to do about it.
	Text string
	// Details are what it is about, such as "line 3: GET /api/2.0/x", at most [MaxDetails]
	// of Count.
	Details []string
	Count   int
}

// MaxDetails limits the details of a warning.
const MaxDetails = 10

// Load reads a file whose rows go over a catalog, unless the path is empty. Errors name the
// file, and the line where there is one.
func Load(path string, over *scopes.Catalog) (*Routes, error) {
	content, err := Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(content, path, over)
}

// Read returns the content of a file, nil if the path is empty.
func Read(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return regularfile.Read(path, maxSize)
}

// Parse reads the content of a file whose rows go over a catalog. Errors name the file.
func Parse(content []byte, path string, over *scopes.Catalog) (*Routes, error) {
	rows, err := parseRows(content, path)
	if err != nil {
		return nil, err
	}
	return Over(over, rows, lineNumbers(content), path)
}

// parseRows reads rows within the bounds of this package.
func parseRows(content []byte, path string) ([]scopes.Operation, error) {
	if err := checkText(content, path); err != nil {
		return nil, err
	}
	rows, err := scopes.Parse(bytes.NewReader(content), path)
	if err != nil {
		return nil, safe(err)
	}
	return rows, nil
}

// safe bounds the text of an error that quotes a file, which may be anything, and hides what
// looks like a secret.
func safe(err error) error { return errors.New(sanitize.Text(err.Error(), maxError)) }

// Over puts rows over a catalog. Lines are their numbers in the file, nil where there is
// none.
func Over(over *scopes.Catalog, rows []scopes.Operation, lines []int, path string) (*Routes, error) {
	routes := &Routes{Rows: rows, Catalog: over}
	if len(rows) == 0 {
		return routes, nil
	}
	err := routes.open(over)
	if err != nil {
		return nil, safe(fmt.Errorf("%s: %w", path, err))
	}
	if routes.Catalog, err = over.With(rows); err != nil {
		return nil, safe(fmt.Errorf("%s: %w", path, err))
	}
	check := check{routes: routes, lines: lines}
	taken, err := check.names()
	if err != nil {
		return nil, safe(fmt.Errorf("%s: %w", path, err))
	}
	if len(taken) > 0 {
		if routes.Catalog, err = over.With(check.rename(taken)); err != nil {
			return nil, safe(fmt.Errorf("%s: %w", path, err))
		}
	}
	check.warnings()
	return routes, nil
}

// ParseMap reads rows that take the place of the shipped map, and holds them to the same as
// rows over it. Errors name the file.
func ParseMap(content []byte, path string) (*Routes, error) {
	rows, err := parseRows(content, path)
	if err != nil {
		return nil, err
	}
	routes := &Routes{Rows: rows}
	check := check{routes: routes, lines: lineNumbers(content)}
	if routes.Catalog, err = scopes.New(rows); err == nil {
		err = routes.open(scopes.Default())
	}
	if err == nil {
		_, err = check.names() // none is taken: there is no catalog below
	}
	if err != nil {
		return nil, safe(fmt.Errorf("%s: %w", path, err))
	}
	check.warnings()
	return routes, nil
}

// open notes the rows that need less than any scope in particular, and that a catalog does
// not have like that.
func (r *Routes) open(known *scopes.Catalog) error {
	builtIn := rowsOf(known)
	for i := range r.Rows {
		row := &r.Rows[i]
		switch {
		case row.Access != scopes.Public && row.Access != scopes.AnyScope:
		case row.Access == scopes.Public && !named(row.Template):
			return fmt.Errorf("%s %s is public: it would let everything pass that has no row of its own, without a token; name the paths that need none", row.Method, row.Template)
		case !builtIn[row.Method+" "+row.Template+" "+row.Access.String()]:
			r.Opened = append(r.Opened, *row)
		}
	}
	return nil
}

// rowsOf returns the rows of a catalog with the kind of permission that they need.
func rowsOf(catalog *scopes.Catalog) map[string]bool {
	rows := make(map[string]bool)
	for _, o := range catalog.Operations() {
		rows[o.Method+" "+o.Template+" "+o.Access.String()] = true
	}
	return rows
}

// named reports whether a template has a literal segment besides where the API begins.
func named(template string) bool {
	for segment := range strings.SplitSeq(template, "/") {
		if segment != "" && !strings.Contains(segment, "{") && !root.MatchString(segment) {
			return true
		}
	}
	return false
}

var root = regexp.MustCompile(`^(?i:api|ajax-api|[0-9.]+)$`)

// checkText refuses what is no text with rows, before it is parsed: errors of the parser
// quote what they are about.
func checkText(content []byte, path string) error {
	if bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff")) {
		return fmt.Errorf("%s: it is UTF-16: save it as UTF-8", path)
	}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		var err error
		switch {
		case bytes.IndexByte(line, 0) >= 0:
			err = errors.New("it has a NUL byte, so this is no text in UTF-8: write rows of columns separated by tabs")
		case !utf8.Valid(line):
			err = errors.New("it is not valid UTF-8: save the file as UTF-8")
		case len(line) > maxBytes:
			err = fmt.Errorf("the line has %d bytes, and a row at most %d: is a line break missing?", len(line), maxBytes)
		case number > maxRows:
			err = fmt.Errorf("the file has more than %d lines: use templates such as /api/2.0/things/{id} instead of a row for each path", maxRows)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
	return nil
}
