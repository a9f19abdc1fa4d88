package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
)

// Kinds are the properties of a token that a condition can test.
var Kinds = []string{"owner", "creator", "token", "comment", "scope"}

// Condition tests one property of a token. It matches if any of its values does.
type Condition struct {
	Kind   string
	Values []string

	patterns []*regexp.Regexp
}

// NewCondition returns a condition on one of [Kinds]. In a value, * matches any text
// and ? any single character; case is ignored.
func NewCondition(kind string, values ...string) (Condition, error) {
	if !slices.Contains(Kinds, kind) {
		return Condition{}, fmt.Errorf("unknown match %q; use one of %s", kind, strings.Join(Kinds, ", "))
	}
	if len(values) == 0 {
		return Condition{}, fmt.Errorf("match %s needs a value", kind)
	}
	c := Condition{Kind: kind, Values: values}
	for _, value := range values {
		if kind == "token" && !strings.ContainsAny(value, "*?") {
			if _, err := tokens.ParseID(value); err != nil {
				return Condition{}, fmt.Errorf("match token: %w", err)
			}
		}
		pattern := regexp.QuoteMeta(value)
		pattern = strings.ReplaceAll(pattern, `\*`, ".*")
		pattern = strings.ReplaceAll(pattern, `\?`, ".")
		c.patterns = append(c.patterns, regexp.MustCompile("(?is)^"+pattern+"$"))
	}
	return c, nil
}

// matches reports whether the condition matches a token that holds these scopes.
func (c *Condition) matches(s Subject, held []string) bool {
	switch c.Kind {
	case "owner":
		return s.OwnerName == "" && !c.numeric() || c.any(s.OwnerName) || c.any(number(s.Info.OwnerID))
	case "creator":
		return c.any(s.Info.CreatorName) || c.any(number(s.Info.CreatorID))
	case "token":
		return c.any(s.Info.ID.String())
	case "comment":
		return c.any(s.Info.Comment)
	case "scope":
		return slices.ContainsFunc(held, c.any)
	}
	return true // an unknown kind: narrowing too much is the safe mistake
}

func (c *Condition) any(value string) bool {
	return slices.ContainsFunc(c.patterns, func(p *regexp.Regexp) bool { return p.MatchString(value) })
}

// numeric reports whether all values are numeric ids, so that the owner's name is
// not needed.
func (c *Condition) numeric() bool {
	return !slices.ContainsFunc(c.Values, func(v string) bool {
		_, err := strconv.ParseInt(v, 10, 64)
		return err != nil
	})
}

// needsOwnerName reports whether the condition tests the owner's name.
func (c *Condition) needsOwnerName() bool { return c.Kind == "owner" && !c.numeric() }

func number(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
