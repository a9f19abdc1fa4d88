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

// unmapped is the operation of every path that is not in the catalog.
var unmapped = &Operation{
	Method:   "*",
	Template: "/{path...}",
	AnyOf:    []string{AllAPIs},
	Evidence: Unmapped,
	Name:     "unmapped",
	Source:   "not in the catalog; Databricks requires all-apis for paths it has not documented",

	Effect:       Write,
	EffectReason: "not in the catalog, so nothing is known of it",
}

// Catalog is a compiled set of operations. It is immutable and safe for
// concurrent use.
type Catalog struct {
	rows      []Operation
	templates []Template // of rows
	wide      []bool     // which of rows isWide is true for
	// index finds the row that an operation is, or stands for in unknown versions.
	index map[*Operation]int
	// normals are the shapes of the templates' normal forms. byName and byNormal are the
	// rows by name and by normals.
	normals          []string
	byName, byNormal map[string][]int
	root             node
	// normal holds the rows by the normal forms of their templates.
	normal node
	// spellings are the operations that identify made.
	spellings sync.Map // spelling → *Operation
	version   func() string
}

// Default returns the catalog that ships with this package. The first call
// compiles it, which takes about twenty milliseconds; later calls return the same
// catalog at no cost.
func Default() *Catalog { return compileDefault() }

var compileDefault = sync.OnceValue(func() *Catalog {
	rows, templates, err := parse(strings.NewReader(catalogTSV), "catalog.tsv")
	if err == nil {
		var c *Catalog
		if c, err = compile(rows, templates); err == nil {
			return c
		}
	}
	// The file is embedded, and a test compiles it.
	panic("scopes: compiling the embedded catalog: " + err.Error())
})

// New compiles rows into a catalog. Two rows with the same method and the same
// template, apart from parameter names, are an error unless they need the same
// scopes; then New keeps the first.
func New(rows []Operation) (*Catalog, error) {
	templates := make([]Template, len(rows))
	for i := range rows {
		var err error
		if templates[i], err = rows[i].check(); err != nil {
			return nil, fmt.Errorf("compiling %s %s: %w", rows[i].Method, rows[i].Template, err)
		}
	}
	return compile(rows, templates)
}

// compile is New for valid rows, whose templates are parsed.
func compile(rows []Operation, templates []Template) (*Catalog, error) {
	c := &Catalog{rows: make([]Operation, 0, len(rows)), templates: make([]Template, 0, len(rows))}
	seen := make(map[string]int, len(rows))
	for i := range rows {
		o := &rows[i]
		key := o.Method + " " + templates[i].shape()
		if first, ok := seen[key]; ok {
			if p := &c.rows[first]; !p.agrees(o) {
				return nil, fmt.Errorf("compiling %s %s: %s needs %s and %s needs %s: keep one of them",
					o.Method, o.Template, p.Name, p.Needs(), o.Name, o.Needs())
			}
			c.rows[first].classAs([]*Operation{o})
			continue
		}
		seen[key] = len(c.rows)
		row := *o
		row.AnyOf = slices.Clone(o.AnyOf)
		if row.Doubtful() {
			row.strict = row.Strict() // so that no request makes it
		}
		c.rows = append(c.rows, row)
		c.templates = append(c.templates, templates[i])
	}
	c.build()
	c.version = sync.OnceValue(func() string { return digest(c.rows) })
	return c, nil
}

// build fills the tries from c.rows.
func (c *Catalog) build() {
	// The tries point into c.rows, which must not be reallocated after this.
	c.index = make(map[*Operation]int, len(c.rows))
	c.normals = make([]string, len(c.rows))
	c.byName, c.byNormal = make(map[string][]int), make(map[string][]int)
	for i := range c.rows {
		row := &c.rows[i]
		c.normals[i] = normalShape(&c.templates[i])
		c.index[row] = i
		c.byName[row.Name] = append(c.byName[row.Name], i)
		c.byNormal[c.normals[i]] = append(c.byNormal[c.normals[i]], i)
		if t := &c.templates[i]; len(t.normal) > 0 && !t.isPreviewOf() {
			c.normal.insert(t.normal, methodEdge{method: row.Method, op: row})
		}
	}
	c.wide = make([]bool, len(c.rows))
	anyVersion := make(map[string][]int)
	var order []string
	for i := range c.rows {
		o, t := &c.rows[i], &c.templates[i]
		c.wide[i] = c.isWide(i)
		c.root.insert(t.segs, methodEdge{o.Method, o, c.wide[i]})
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
			return compareVersions(c.templates[b].segs[1].text, c.templates[a].segs[1].text)
		})
		newest, o := of[0], c.forUnknownVersion(of)
		c.index[o] = newest
		api.version.insert(c.templates[newest].segs[2:], methodEdge{o.Method, o, c.wide[newest]})
	}
}

// forUnknownVersion returns the operation for API versions that have no row of
// their own, given the rows of the known versions, newest first.
func (c *Catalog) forUnknownVersion(of []int) *Operation {
	newest := &c.rows[of[0]]
	ops := make([]*Operation, len(of))
	agree, sameEffect := true, true
	for i, row := range of {
		ops[i] = &c.rows[row]
		agree = agree && ops[i].agrees(newest)
		sameEffect = sameEffect && ops[i].Reads() == newest.Reads()
	}
	if agree && sameEffect {
		return newest
	}
	o := *newest
	o.classAs(ops)
	if agree {
		return &o
	}
	o.Evidence = Inferred
	o.narrow(ops)
	o.Source = "unknown API version; the known versions need different scopes, so only a scope that all of them accept is enough"
	return &o
}

// compareVersions compares API versions as numbers: 2.2 is less than 2.10.
func compareVersions(a, b string) int {
	aMajor, aMinor, _ := strings.Cut(a, ".")
	bMajor, bMinor, _ := strings.Cut(b, ".")
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	return cmp.Or(cmp.Compare(number(aMajor), number(bMajor)), cmp.Compare(number(aMinor), number(bMinor)))
}

// digest identifies a set of rows, regardless of their order.
func digest(rows []Operation) string {
	h := sha256.New()
	for _, o := range slices.SortedFunc(slices.Values(rows), Compare) {
		o.write(h)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// With returns a copy of c with rows added. A row replaces the one in c that has
// the same method and the same template, apart from parameter names. If it is a path of
// an operation of c, it keeps that operation's name, and the scopes that it needs hold for
// the operation's other paths too. A row for all methods holds for rows of single ones. If
// a row that replaces one does not say whether it reads, what c says of that stays; one that
// says that it writes says so for the operation's other paths too.
// Like [New], With returns an error for invalid or conflicting rows. c does not change.
func (c *Catalog) With(rows []Operation) (*Catalog, error) {
	added := make([]Operation, len(rows), len(rows)+len(c.rows))
	copy(added, rows)
	over := make(map[string]bool, len(rows))
	needs := make(map[string][]*Operation) // by operation of c
	all := make(map[string][]*Operation)   // rows for all methods, by normal form
	named := c.named()
	for i := range added {
		row := &added[i]
		t, err := ParseTemplate(row.Template)
		if err != nil {
			return nil, err
		}
		over[row.Method+" "+t.shape()] = true
		if row.Method == "*" && row.narrows() {
			all[normalShape(&t)] = append(all[normalShape(&t)], row)
		}
		if same := named(row.Method, &t); same != nil {
			row.Name = same.Name
			if row.Effect == Unclassed {
				row.Effect, row.EffectReason = same.Effect, same.EffectReason
			}
			if row.narrows() {
				needs[same.Name] = append(needs[same.Name], row)
			}
		}
	}
	for i := range c.rows {
		row := c.rows[i]
		if over[row.Method+" "+c.templates[i].shape()] {
			continue
		}
		by := needs[row.Name]
		if by == nil {
			by = all[c.normals[i]]
		}
		if by != nil {
			row.Evidence, row.Source = by[0].Evidence, by[0].Source
			row.narrow(by)
			row.writeAs(by)
		}
		added = append(added, row)
	}
	return New(added)
}

// named returns a function that finds the row of c whose operation a template names: the
// one with the same path or else, where its normal form is a row's, that row. It returns
// nil for other templates.
func (c *Catalog) named() func(method string, t *Template) *Operation {
	same := make(map[string]*Operation, len(c.rows))
	for i := range c.rows {
		same[c.rows[i].Method+" "+c.templates[i].shape()] = &c.rows[i]
	}
	return func(method string, t *Template) *Operation {
		if row := same[method+" "+t.shape()]; row != nil {
			return row
		}
		var alike *Operation
		for _, i := range c.byNormal[normalShape(t)] {
			row := &c.rows[i]
			if row.Method != method {
				continue
			}
			if strings.Contains(row.Template, preview) == strings.Contains(t.text, preview) {
				return row
			}
			alike = row
		}
		return alike
	}
}

// narrows reports whether a row says what an operation needs on all of its paths. What
// opens one path must not open others.
func (o *Operation) narrows() bool { return o.Access == ScopedAccess || o.Access == AccountOnly }

// Operations returns the rows in the order of [Compare]. The slice is the
// caller's to modify; the AnyOf lists in it are shared.
func (c *Catalog) Operations() []Operation {
	return slices.SortedFunc(slices.Values(c.rows), Compare)
}

// Version identifies the rows of c: two catalogs with the same version give the
// same answers. It is the first 12 hexadecimal digits of a SHA-256 hash over the
// sorted rows.
func (c *Catalog) Version() string { return c.version() }

// find returns the operation for q, never nil. It is the row that matches, or what identify
// makes of it.
func (c *Catalog) find(q *query) (o, row *Operation) {
	switch e := c.root.walk(q, 0); {
	case e == nil:
		return c.identify(q, unmapped)
	case e.wide:
		return c.identify(q, e.op)
	default:
		return e.op, nil
	}
}
