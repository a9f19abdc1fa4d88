package scopes

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed aliases.tsv
var aliasesTSV string

// Alias says that a scope name of OAuth access tokens opens one operation. There is no
// hierarchy of names: each alias is known on its own, for one method and one template.
type Alias struct {
	// Scope is the name on the token, such as "sql.statement-execution".
	Scope string
	// For is the scope that it stands for when it opens the operation: one that the
	// operation accepts.
	For string
	// Method, Template and Name are those of the operation's row. All are empty for a
	// scope that opens nothing that is known.
	Method, Template, Name string
	// Source says where the alias, or that there is none, is known from.
	Source string
}

// aliasTable is the parsed aliases.tsv.
type aliasTable struct {
	rows   []Alias
	byName map[string][]*Alias // of operations
	scopes []string            // sorted
	fors   map[string][]string // what a scope stands for; empty for one that opens nothing
}

var aliases = sync.OnceValue(func() aliasTable {
	rows, err := parseAliases(aliasesTSV)
	if err != nil {
		panic("scopes: aliases.tsv: " + err.Error()) // the file is embedded, and a test reads it
	}
	table := aliasTable{rows: rows, byName: make(map[string][]*Alias), fors: make(map[string][]string)}
	scopes := make(map[string]bool)
	for i := range rows {
		a := &rows[i]
		scopes[a.Scope] = true
		if a.For != "" && !slices.Contains(table.fors[a.Scope], a.For) {
			table.fors[a.Scope] = append(table.fors[a.Scope], a.For)
		}
		if a.Name != "" {
			table.byName[a.Name] = append(table.byName[a.Name], a)
		}
	}
	table.scopes = slices.Sorted(maps.Keys(scopes))
	return table
})

// parseAliases reads the lines of aliases.tsv.
func parseAliases(text string) (rows []Alias, err error) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		cols := strings.Split(line, "\t")
		if len(cols) != 6 || slices.Contains(cols, "") {
			return nil, fmt.Errorf("line %d: write scope, stands_for, method, template, name and source, separated by tabs", number)
		}
		if nothing := cols[4] == "-"; nothing {
			for i := 1; i < 5; i++ {
				if cols[i] != "-" {
					return nil, fmt.Errorf("line %d: a scope that opens nothing has dashes for stands_for, method, template and name", number)
				}
				cols[i] = ""
			}
		}
		rows = append(rows, Alias{cols[0], cols[1], cols[2], cols[3], cols[4], cols[5]})
	}
	return rows, nil
}

// Aliases returns what is known of the scope names that only OAuth access tokens carry,
// sorted by name. Names that open nothing are in the list too.
func Aliases() []Alias { return slices.Clone(aliases().rows) }

// OAuthScopes returns the known scope names that only OAuth access tokens carry, sorted.
func OAuthScopes() []string { return slices.Clone(aliases().scopes) }

// AliasedBy returns the scopes that a scope of an OAuth access token stands for, each for some
// operation, nil if it is no alias. The caller must not modify the list.
func AliasedBy(scope string) []string { return aliases().fors[scope] }

// PermitsOAuth is [Operation.Permits] for an OAuth access token: its scopes may also be
// aliases. Never use it for a personal access token, whose scopes match exactly.
func (o *Operation) PermitsOAuth(held []string) bool {
	if o.Permits(held) {
		return true
	}
	applied := o.AliasesIn(held)
	if len(applied) == 0 {
		return false
	}
	held = slices.Clone(held)
	for _, a := range applied {
		held = append(held, a.For)
	}
	return o.Permits(held)
}

// AliasesIn returns the aliases among the scopes of an OAuth access token that apply to o,
// in the order of [Aliases]. Whether they permit it is for [Operation.PermitsOAuth]: an
// operator's row may ask for another scope than the one they stand for.
func (o *Operation) AliasesIn(held []string) (applied []Alias) {
	for _, a := range aliases().byName[o.Name] {
		if a.Template == o.Template && a.Method == o.Method && slices.Contains(held, a.Scope) {
			applied = append(applied, *a)
		}
	}
	return applied
}
