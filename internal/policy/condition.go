package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Kinds are the properties of a token that a condition can test.
var Kinds = []string{"owner", "creator", "token", "comment", "scope"}

// Condition tests one property of a token. It matches if any of its values does, and if
// one of them tests something that is not known of the token.
type Condition struct {
	Kind   string
	Values []string

	patterns []pattern
}

// NewCondition returns a condition on one of [Kinds]. In a value, * matches any text
// and ? any single character; case is ignored, and so are the other differences that
// [tokens.NormalName] removes.
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
		p := newPattern(value)
		if (kind == "owner" || kind == "creator") && p.empty {
			return Condition{}, fmt.Errorf("match %s: a value is empty; give a user name, an application id or a numeric id", kind)
		}
		c.patterns = append(c.patterns, p)
	}
	return c, nil
}

// ScopeNames returns the names of scopes that the condition tests, in lower case, without
// those that have wildcards.
func (c *Condition) ScopeNames() (names []string) {
	if c.Kind != "scope" {
		return nil
	}
	for _, value := range c.Values {
		if !strings.ContainsAny(value, "*?") {
			names = append(names, strings.ToLower(value))
		}
	}
	return names
}

// matches reports whether the condition matches a token that holds these scopes.
func (c *Condition) matches(s Subject, held []string) bool {
	switch c.Kind {
	case "owner":
		return c.matchesPrincipal(s.Owner)
	case "creator":
		return c.matchesPrincipal(s.Info.Creator)
	case "token":
		return c.any(s.Info.ID.String())
	case "comment":
		if s.CommentUnknown {
			return true
		}
		// As it is and as people see it: what does not show evades no policy.
		return c.any(s.Info.Comment) || c.any(strings.TrimSpace(tokens.VisibleText(s.Info.Comment)))
	case "scope":
		if slices.ContainsFunc(held, c.any) {
			return true
		}
		// A token must not evade a policy by a part of a scope, or by an alias. Failing to
		// narrow is the unsafe mistake.
		if slices.ContainsFunc(held, func(name string) bool { scope, part := scopes.Unmodified(name); return part && c.any(scope) }) {
			return true
		}
		return s.Info.OAuth && slices.ContainsFunc(held, func(scope string) bool { return slices.ContainsFunc(scopes.AliasedBy(scope), c.any) })
	}
	return true // an unknown kind: narrowing too much is the safe mistake
}

func (c *Condition) any(value string) bool {
	return slices.ContainsFunc(c.patterns, func(p pattern) bool { return p.MatchString(value) })
}

// matchesPrincipal reports whether the condition matches an owner or creator, or tests
// what is not known of one.
func (c *Condition) matchesPrincipal(p tokens.Principal) bool {
	if p.None() {
		return false
	}
	name, named := p.NormalName()
	id, numbered := p.ID()
	for i := range c.patterns {
		pattern := &c.patterns[i]
		switch {
		case pattern.names && !named, pattern.numbers && !numbered:
			return true
		case named && pattern.MatchString(name), numbered && pattern.MatchString(strconv.FormatInt(id, 10)):
			return true
		}
	}
	return false
}

// needsOwnerName reports whether the condition tests the owner's name.
func (c *Condition) needsOwnerName() bool {
	return c.Kind == "owner" && slices.ContainsFunc(c.patterns, func(p pattern) bool { return p.names })
}

// pattern is one value of a condition.
type pattern struct {
	*regexp.Regexp
	// names and numbers say which of the two it tests. All but a plain number may match
	// a name; only digits and wildcards may match a number.
	names, numbers bool
	empty          bool
}

func newPattern(value string) pattern {
	value = strings.TrimSpace(tokens.VisibleText(value))
	p := pattern{names: true, numbers: strings.Trim(value, "-0123456789*?") == "", empty: value == ""}
	if id, err := strconv.ParseInt(value, 10, 64); err == nil {
		value = strconv.FormatInt(id, 10) // however it is written: +7 and 007 are 7
		p.names, p.numbers = false, true
	}
	expression := regexp.QuoteMeta(value)
	expression = strings.ReplaceAll(expression, `\*`, ".*")
	expression = strings.ReplaceAll(expression, `\?`, ".")
	p.Regexp = regexp.MustCompile("(?is)^" + expression + "$")
	return p
}
