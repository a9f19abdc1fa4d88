// Package routesfile loads an operator's rows over the built-in catalog. The file decides
// what is refused, so it is read strictly, and within bounds: a mistake is an error that
// keeps the running configuration, and never a gateway that hangs or runs out of memory.
package routesfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/scopes"
)

// The limits. The built-in catalog has 250 KB and fewer than 2,000 rows of at most 600
// bytes.
const (
	maxSize  = 16 << 20
	maxRows  = 50_000
	maxBytes = 8 << 10 // of a line
	maxError = 4 << 10 // bytes
)

// Routes is the built-in catalog with the rows of a file over it.
type Routes struct {
	Catalog *scopes.Catalog
	// Opened are rows of the file after which requests need no scope, or no token at
	// all, and which the built-in catalog does not have like that.
	Opened []scopes.Operation
	// Unknown are scopes in rows of the file that no published operation needs. They may be
	// new, or misspelled.
	Unknown []string
}

// Load reads a file, unless the path is empty. Errors name the file, and the line where
// there is one.
func Load(path string) (*Routes, error) {
	if path == "" {
		return &Routes{Catalog: scopes.Default()}, nil
	}
	content, err := regularfile.Read(path, maxSize)
	if err != nil {
		return nil, err
	}
	return parse(content, path)
}

func parse(content []byte, path string) (*Routes, error) {
	if err := checkText(content, path); err != nil {
		return nil, err
	}
	rows, err := scopes.Parse(bytes.NewReader(content), path)
	if err != nil {
		if text := err.Error(); len(text) > maxError {
			err = errors.New(strings.ToValidUTF8(text[:maxError], "") + "…")
		}
		return nil, err
	}
	routes, known := new(Routes), scopes.KnownScopes()
	for i := range rows {
		if err := routes.open(&rows[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, scope := range rows[i].Scopes() {
			if !slices.Contains(known, scope) && !slices.Contains(routes.Unknown, scope) {
				routes.Unknown = append(routes.Unknown, scope)
			}
		}
	}
	if routes.Catalog, err = scopes.Default().With(rows); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return routes, nil
}

// open notes a row that needs less than any scope in particular.
func (r *Routes) open(row *scopes.Operation) error {
	if row.Access != scopes.Public && row.Access != scopes.AnyScope {
		return nil
	}
	if row.Access == scopes.Public && !named(row.Template) {
		return fmt.Errorf("%s %s is public: it would let everything pass that has no row of its own, without a token; name the paths that need none", row.Method, row.Template)
	}
	if !builtIn()[row.Method+" "+row.Template+" "+row.Access.String()] {
		r.Opened = append(r.Opened, *row)
	}
	return nil
}

var builtIn = sync.OnceValue(func() map[string]bool {
	rows := make(map[string]bool)
	for _, o := range scopes.Default().Operations() {
		rows[o.Method+" "+o.Template+" "+o.Access.String()] = true
	}
	return rows
})

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
