package scopes

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed catalog.tsv
var catalogTSV string

// unmapped is the operation of every path that is not in the catalogue.
var unmapped = &Operation{
	Method:   "*",
	Template: "/{path...}",
	AnyOf:    []string{AllAPIs},
	Evidence: Unmapped,
	Name:     "unmapped",
	Source:   "not in the catalogue; Databricks asks for all-apis on paths that it has not documented",
}

// Catalog is a compiled set of operations. It is immutable and safe for
// concurrent use.
type Catalog struct {
	rows    []Operation
	root    node
	version func() string
}

// Default returns the catalogue that ships with this package.
var Default = sync.OnceValue(func() *Catalog {
	rows, err := Parse(strings.NewReader(catalogTSV), "catalog.tsv")
	if err == nil {
		var c *Catalog
		if c, err = New(rows); err == nil {
			return c
		}
	}
	// The file is part of the program and a test compiles it.
	panic("scopes: compiling the embedded catalogue: " + err.Error())
})

// New compiles rows. Two rows of the same method and shape must ask for the
// same; the first is kept.
func New(rows []Operation) (*Catalog, error) {
	c := &Catalog{rows: make([]Operation, 0, len(rows))}
	seen := make(map[string]int, len(rows))
	templates := make([]Template, 0, len(rows))
	for i := range rows {
		o := &rows[i]
		t, err := o.check()
		if err != nil {
			return nil, fmt.Errorf("compiling %s %s: %w", o.Method, o.Template, err)
		}
		key := o.Method + " " + t.shape()
		if first, ok := seen[key]; ok {
			if p := &c.rows[first]; !p.agrees(o) {
				return nil, fmt.Errorf("compiling %s %s: %s asks for %s and %s for %s: keep one of them",
					o.Method, o.Template, p.Name, p.anyOf(), o.Name, o.anyOf())
			}
			continue
		}
		seen[key] = len(c.rows)
		row := *o
		row.AnyOf = slices.Clone(o.AnyOf)
		c.rows = append(c.rows, row)
		templates = append(templates, t)
	}
	c.build(templates)
	c.version = sync.OnceValue(func() string { return digest(c.rows) })
	return c, nil
}

// build fills the trie from c.rows and their templates.
func (c *Catalog) build(templates []Template) {
	// The rows must not move any more: the trie points at them.
	anyVersion := make(map[string][]int)
	var order []string
	for i := range c.rows {
		o, t := &c.rows[i], templates[i]
		c.root.insert(t.segs, o.Method, o)
		if t.versioned {
			rest := Template{segs: t.segs[2:]}
			key := o.Method + " " + rest.shape()
			if anyVersion[key] == nil {
				order = append(order, key)
			}
			anyVersion[key] = append(anyVersion[key], i)
		}
	}
	if len(order) == 0 {
		return
	}
	api := c.root.child("api")
	api.version = new(node)
	for _, key := range order {
		of := anyVersion[key]
		slices.SortFunc(of, func(a, b int) int {
			return compareVersions(templates[b].segs[1].text, templates[a].segs[1].text)
		})
		api.version.insert(templates[of[0]].segs[2:], c.rows[of[0]].Method, c.forUnknownVersion(of))
	}
}

// forUnknownVersion returns the operation that stands for an API version that
// has no row of its own, given the rows of the others, newest first.
func (c *Catalog) forUnknownVersion(of []int) *Operation {
	newest := &c.rows[of[0]]
	ops := make([]*Operation, len(of))
	agree := true
	for i, row := range of {
		ops[i] = &c.rows[row]
		agree = agree && ops[i].agrees(newest)
	}
	if agree {
		return newest
	}
	o := *newest
	o.Access, o.AnyOf = narrow(ops)
	o.Evidence = Inferred
	o.Source = "unknown API version; the known ones differ in their scopes, so only what all of them accept will do"
	return &o
}

// compareVersions orders API versions by number: 2.2 before 2.10.
func compareVersions(a, b string) int {
	aMajor, aMinor, _ := strings.Cut(a, ".")
	bMajor, bMinor, _ := strings.Cut(b, ".")
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	return cmp.Or(cmp.Compare(number(aMajor), number(bMajor)), cmp.Compare(number(aMinor), number(bMinor)))
}

// digest identifies a set of rows, whatever their order.
func digest(rows []Operation) string {
	h := sha256.New()
	for _, o := range slices.SortedFunc(slices.Values(rows), Compare) {
		o.write(h)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// With returns a catalogue with rows laid over c: a row replaces the one of the
// same method and shape, others are added.
func (c *Catalog) With(rows []Operation) (*Catalog, error) {
	over := make(map[string]bool, len(rows))
	for i := range rows {
		t, err := ParseTemplate(rows[i].Template)
		if err != nil {
			return nil, err
		}
		over[rows[i].Method+" "+t.shape()] = true
	}
	all := slices.Clone(rows)
	for i := range c.rows {
		t, err := ParseTemplate(c.rows[i].Template)
		if err != nil {
			return nil, err
		}
		if !over[c.rows[i].Method+" "+t.shape()] {
			all = append(all, c.rows[i])
		}
	}
	return New(all)
}

// Operations returns the rows, sorted as the catalogue file is.
func (c *Catalog) Operations() []Operation {
	return slices.SortedFunc(slices.Values(c.rows), Compare)
}

// Version identifies the rows of c: two catalogues of the same version judge
// alike. It is the beginning of a hash over the sorted rows.
func (c *Catalog) Version() string { return c.version() }

// find returns the operation that q names.
func (c *Catalog) find(q *query) *Operation {
	if op := c.root.walk(q, 0); op != nil {
		return op
	}
	return unmapped
}
