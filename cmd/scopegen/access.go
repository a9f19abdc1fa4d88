package main

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

//go:embed access.tsv
var accessTSV string

// accessRule says whether the operations that its pattern matches only read.
type accessRule struct {
	line    int
	pattern string
	effect  scopes.Effect
	reason  string
	uses    int
}

type accessRules []*accessRule

func readAccess(text string) (accessRules, error) {
	var all accessRules
	err := readTSV("access.tsv", text, 3, func(line int, cols []string) error {
		r := &accessRule{line: line, pattern: cols[0], reason: cols[2]}
		switch cols[1] {
		case scopes.Read.String():
			r.effect = scopes.Read
		case scopes.Write.String():
			r.effect = scopes.Write
		default:
			return fmt.Errorf("access %q: write read or write", cols[1])
		}
		if strings.TrimSpace(r.reason) == "" {
			return errors.New("the reason is empty: say what the operation does")
		}
		all = append(all, r)
		return nil
	})
	return all, err
}

// find returns the first rule that matches a row, or nil.
func (rs accessRules) find(row *scopes.Operation) *accessRule {
	for _, r := range rs {
		subject := row.Name
		if strings.Contains(r.pattern, " ") {
			subject = row.Method + " " + row.Template
		}
		if glob(r.pattern, subject) {
			return r
		}
	}
	return nil
}

// classify says of each row whether it reads: by the first rule that matches it, or else by
// its method. A rule without a row is an error, and so is a GET that sounds like writing and
// has no rule.
func (rs accessRules) classify(rows []scopes.Operation) error {
	var problems []error
	for i := range rows {
		row := &rows[i]
		if row.Effect != scopes.Unclassed {
			problems = append(problems, fmt.Errorf("extra.tsv: %s %s has a column access: write it in access.tsv, with the reason", row.Method, row.Template))
			continue
		}
		byMethod := scopes.Write
		if row.Method == "GET" || row.Method == "HEAD" {
			byMethod = scopes.Read
		}
		r := rs.find(row)
		switch {
		case r != nil:
			r.uses++
			row.Effect, row.EffectReason = r.effect, r.reason
		case byMethod == scopes.Read && soundsLikeWriting.MatchString(row.Name):
			problems = append(problems, &missingLine{
				at:   row.Method + " " + row.Template,
				why:  fmt.Sprintf("%s reads by its method, and its name says otherwise", row.Name),
				file: "access.tsv",
				text: row.Name + "\twrite\t" + row.Name[strings.LastIndexByte(row.Name, '.')+1:] + " changes something",
				hint: "read or write, and what the operation does",
			})
		default:
			row.Effect = byMethod
		}
	}
	for _, r := range rs {
		if r.uses == 0 {
			problems = append(problems, fmt.Errorf("access.tsv:%d: no operation uses the line %q: remove it, or move it above the line that matches its operations", r.line, r.pattern))
		}
	}
	return errors.Join(problems...)
}

// soundsLikeWriting matches names of operations whose verb is one that changes something.
var soundsLikeWriting = regexp.MustCompile(`\.(Genie)?(Activate|Add|Apply|Approve|Cancel|Close|Create|Delete|Disable|Enable|Enforce|Exchange|Execute|Generate|Import|Install|Invoke|Migrate|Move|Patch|Publish|Put|Query|Refresh|Remove|Reset|Restore|Retrieve|Rotate|Run|Send|Set|Start|Stop|Submit|Sync|Trigger|Update|Upload)([A-Z]\w*)?$`)
