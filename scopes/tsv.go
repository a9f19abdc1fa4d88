package scopes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// header names the columns of a catalog file.
const header = "# method\ttemplate\tany_of\tevidence\toperation\tsource\taccess\n"

// columns is how many there are, of which the first three are required.
const columns = 7

// maxProblems limits how many lines one error reports.
const maxProblems = 20

// Parse reads catalog rows from r, one per line, with these columns separated by
// tabs:
//
//	method  template  any_of  evidence  operation  source  access
//
// The method "*" means all methods. any_of is a comma-separated list of alternatives, or
// one of the words "*" (any scope is enough), "public" (no token is needed) and
// "account" (a personal access token can never call it). An alternative is a scope, or
// several that are needed together: "ai-gateway+unity-catalog". The word "optional" among
// the alternatives marks an operation that clients go on without; alone it means
// "all-apis,optional". access is "read" or "write", see [Effect], and the reason may follow:
// "read: it only searches". The last four columns may be left out. Empty lines and lines that
// start with # are skipped.
//
// file is the name to use in errors. Errors start with file and line, and say what
// to write instead; one error reports up to 20 lines.
func Parse(r io.Reader, file string) ([]Operation, error) {
	rows, _, err := parse(r, file)
	return rows, err
}

// parse is Parse with the compiled templates.
func parse(r io.Reader, file string) ([]Operation, []Template, error) {
	var rows []Operation
	var templates []Template
	var problems []error
	seen := make(map[string]int)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimSuffix(lines.Text(), "\r")
		if number == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		at := fmt.Sprintf("%s:%d", file, number)
		row, t, err := parseRow(line, at)
		if err == nil {
			key := row.Method + " " + t.shape()
			if first, ok := seen[key]; ok {
				err = fmt.Errorf("%s %s is already on line %d: keep one of them", row.Method, row.Template, first)
			}
			seen[key] = number
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", at, err))
			if len(problems) == maxProblems {
				break
			}
			continue
		}
		rows, templates = append(rows, row), append(templates, t)
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, fmt.Errorf("%s:%d: reading the line: %w", file, number+1, err))
	}
	if len(problems) > 0 {
		return nil, nil, errors.Join(problems...)
	}
	return rows, templates, nil
}

// errNoMethod quotes nothing: in a file that has no rows at all, it may be a secret. So may
// what is no template.
var errNoMethod = errors.New("the method is none: write an HTTP method in capital letters, or * for all")

// parseRow reads one line. at is the default for the source column.
func parseRow(line, at string) (Operation, Template, error) {
	cols := strings.Split(line, "\t")
	switch {
	case len(cols) == 1:
		return Operation{}, Template{}, errors.New("no tab found: separate the columns method, template, any_of, evidence, operation, source and access with tabs")
	case len(cols) < 3:
		return Operation{}, Template{}, errors.New("only two columns found: write method, template and any_of, separated by tabs")
	case !isMethod(cols[0]):
		return Operation{}, Template{}, errNoMethod
	case !strings.HasPrefix(cols[1], "/"):
		return Operation{}, Template{}, errors.New("the template does not begin with a slash")
	case len(cols) > columns:
		return Operation{}, Template{}, fmt.Errorf("%d columns found: write at most method, template, any_of, evidence, operation, source and access", len(cols))
	}
	cols = append(cols, make([]string, columns-len(cols))...)
	row := Operation{Method: cols[0], Template: cols[1], Evidence: Evidence(cols[3]), Name: cols[4], Source: cols[5]}
	if row.Evidence == "" {
		row.Evidence = Operator
	}
	if row.Name == "" {
		row.Name = row.Method + " " + row.Template
	}
	if row.Source == "" {
		row.Source = at
	}
	err := row.setAnyOf(cols[2])
	if err == nil {
		err = row.setAccess(cols[6])
	}
	if err != nil {
		return Operation{}, Template{}, err
	}
	t, err := row.check()
	return row, t, err
}

// setAnyOf sets Access and AnyOf from the any_of column.
func (o *Operation) setAnyOf(s string) error {
	switch s {
	case wordAnyScope:
		o.Access = AnyScope
	case wordPublic:
		o.Access = Public
	case wordAccountOnly:
		o.Access = AccountOnly
	case "":
		return errors.New(`any_of is empty: write scopes, or "*", "public" or "account"`)
	default:
		for s := range strings.SplitSeq(s, ",") {
			if s = strings.TrimSpace(s); s == wordOptional && !o.Optional {
				o.Optional = true
				continue
			}
			together := strings.Split(s, And)
			for i := range together {
				together[i] = strings.TrimSpace(together[i])
			}
			slices.Sort(together)
			o.AnyOf = append(o.AnyOf, strings.Join(together, And))
		}
		if len(o.AnyOf) == 0 {
			o.AnyOf = []string{AllAPIs}
		}
		slices.Sort(o.AnyOf)
	}
	return nil
}

// Needs returns what o needs as the any_of column says it, see [Parse].
func (o *Operation) Needs() string {
	switch {
	case o.Access != ScopedAccess:
		return o.Access.String()
	case o.Optional:
		return strings.Join(o.AnyOf, ",") + "," + wordOptional
	}
	return strings.Join(o.AnyOf, ",")
}

// check returns the compiled template of o, or an error if o is not a valid row.
func (o *Operation) check() (Template, error) {
	t, err := ParseTemplate(o.Template)
	if err == nil {
		err = o.checkColumns()
	}
	return t, err
}

// checkColumns checks all columns except the template.
func (o *Operation) checkColumns() error {
	if !isMethod(o.Method) {
		return errNoMethod
	}
	if o.Access > AccountOnly {
		return fmt.Errorf("unknown access %d", o.Access)
	}
	if err := o.checkNeeds(); err != nil {
		return err
	}
	if !slices.Contains(grades, o.Evidence) {
		return fmt.Errorf("evidence %q: write documented, observed, sibling, inferred or operator", o.Evidence)
	}
	if o.Name == "" || strings.TrimSpace(o.Name) != o.Name || hasControl(o.Name) {
		return fmt.Errorf("operation %q: write a name without tabs or surrounding spaces", o.Name)
	}
	if o.Source == "" || hasControl(o.Source) {
		return fmt.Errorf("source %q: say in one line how the scopes are known", o.Source)
	}
	return o.checkEffect()
}

// checkNeeds checks Access, AnyOf and Optional.
func (o *Operation) checkNeeds() error {
	switch {
	case o.Access == ScopedAccess && len(o.AnyOf) == 0:
		return errors.New(`any_of is empty: write scopes, or "*", "public" or "account"`)
	case o.Access != ScopedAccess && len(o.AnyOf) > 0:
		return fmt.Errorf("any_of lists scopes for access %q: remove them", o.Access)
	case o.Access != ScopedAccess && o.Optional:
		return fmt.Errorf("optional does not go with access %q: remove it", o.Access)
	}
	for i, alternative := range o.AnyOf {
		if err := checkAlternative(alternative); err != nil {
			return err
		}
		if i > 0 && o.AnyOf[i-1] > alternative {
			return fmt.Errorf("any_of is not sorted: %q comes before %q", alternative, o.AnyOf[i-1])
		}
		for k, other := range o.AnyOf {
			switch {
			case k == i:
			case other == alternative:
				return fmt.Errorf("any_of has %q twice: write it once", alternative)
			case implies(alternative, other):
				return fmt.Errorf("any_of has %q beside %q, which is enough: remove the former", alternative, other)
			}
		}
	}
	return nil
}

// maxTogether limits the scopes of one alternative.
const maxTogether = 8

// checkAlternative checks one element of AnyOf.
func checkAlternative(alternative string) error {
	together := strings.Split(alternative, And)
	if len(together) > maxTogether {
		return fmt.Errorf("any_of joins %d scopes by +: write at most %d", len(together), maxTogether)
	}
	for i, s := range together {
		switch {
		case s == wordPublic || s == wordAccountOnly || s == wordAnyScope:
			return fmt.Errorf("any_of has %q among scopes: it must stand alone", s)
		case s == wordOptional:
			return fmt.Errorf("any_of has %q joined to a scope or twice: write it once, between commas", s)
		case !IsScope(s):
			return fmt.Errorf("any_of has %q: use lower-case letters, digits and -.:_ in scopes", s)
		case s == AllAPIs && len(together) > 1:
			return fmt.Errorf("any_of joins all-apis to other scopes: it permits everything, so write it alone")
		case i > 0 && together[i-1] == s:
			return fmt.Errorf("any_of has %q twice in %q: write it once", s, alternative)
		case i > 0 && together[i-1] > s:
			return fmt.Errorf("any_of is not sorted: %q comes before %q", s, together[i-1])
		}
	}
	return nil
}

func isMethod(s string) bool {
	if s == "*" {
		return true
	}
	for i := range len(s) {
		if c := s[i]; !('A' <= c && c <= 'Z' || c == '-' && i > 0) {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// IsScope reports whether s has the form of a scope: at most 128 lower-case letters, digits
// and, after the first, -.:_.
func IsScope(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '-' || c == '.' || c == ':' || c == '_'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// hasControl reports whether s contains a byte or character that a column cannot.
func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\ufeff' }) >= 0
}

// Format writes rows in the format of [Parse], in the given order, after a line
// with the column names. It returns an error, and writes nothing, if Parse would
// not accept a row.
func Format(w io.Writer, rows []Operation) error {
	var b bytes.Buffer
	b.WriteString(header)
	for i := range rows {
		o := &rows[i]
		if _, err := o.check(); err != nil {
			return fmt.Errorf("formatting row %d, %s %s: %w", i+1, o.Method, o.Template, err)
		}
		o.write(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// write writes o as one line. A row that nobody has classed has no last column, as before
// there was one: the version of a catalog of such rows stays the same.
func (o *Operation) write(w io.Writer) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s", o.Method, o.Template, o.Needs(), o.Evidence, o.Name, o.Source)
	if o.Effect != Unclassed {
		fmt.Fprintf(w, "\t%s", o.access())
	}
	_, _ = io.WriteString(w, "\n")
}
