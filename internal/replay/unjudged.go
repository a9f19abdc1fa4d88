package replay

import (
	"cmp"
	"slices"
)

// unjudged collects what could not be judged, by reason.
type unjudged map[string]*pending

type pending struct {
	tokens map[string]bool
	calls  uint64
}

func (u *unjudged) add(why, token string, calls uint64) {
	if *u == nil {
		*u = make(unjudged)
	}
	p := (*u)[why]
	if p == nil {
		p = &pending{tokens: make(map[string]bool)}
		(*u)[why] = p
	}
	p.calls += calls
	if token != "" {
		p.tokens[token] = true
	}
}

// list returns what was added, most calls first.
func (u unjudged) list() (list []Unjudged) {
	for why, p := range u {
		list = append(list, Unjudged{Why: why, Tokens: len(p.tokens), Calls: p.calls})
	}
	slices.SortFunc(list, func(a, b Unjudged) int { return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Why, b.Why)) })
	return list
}
