package replay

import (
	"slices"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/usage"
)

// Rehearsal is what a policy that is rehearsed for some or all tokens would refuse of what
// passes now, if it were enforced. Other policies do not count.
type Rehearsal struct {
	Policy string `json:"policy"`
	// Percent is the share of tokens for which it is enforced already, 0 for none.
	Percent int `json:"percent"`
	// How many operations, tokens and calls it would refuse if it were enforced for all.
	Operations int    `json:"operations"`
	Tokens     int    `json:"tokens"`
	Calls      uint64 `json:"calls"`
	// Steps say the same for some percentages, in ascending order.
	Steps []Step `json:"steps"`
}

// Step is what a policy would refuse if it were enforced for a percentage of tokens. Each step
// includes those before it: the same tokens are always picked.
type Step struct {
	Percent int    `json:"percent"`
	Tokens  int    `json:"tokens"`
	Calls   uint64 `json:"calls"`
}

// percentages are those of [Rehearsal.Steps].
var percentages = []int{1, 5, 10, 25, 50, 75, 100}

// Enforced returns a judge that enforces its rules, and every policy for all tokens.
func Enforced(by *judge.Judge) *judge.Judge {
	enforced := *by
	enforced.Observe, enforced.Rules = false, by.Rules.Enforced()
	return &enforced
}

// rehearsed is a policy that handlers rehearse, with the judges that enforce it alone.
type rehearsed struct {
	policy.Policy
	by     map[int]*judge.Judge // by handler
	at     int                  // its place in the rules, of audit logs
	merged merged               // of audit logs
	tally  tally
	from   map[string]int // by token that it would refuse: from which percentage on
}

// enforce replaces the judges to judge by by those that enforce, and keeps what they rehearsed.
func (c *comparison) enforce() {
	then := c.Then
	c.Then = nil
	for i, by := range then {
		enforced := Enforced(by)
		c.Then = append(c.Then, enforced)
		for k := range by.Rules.Policies {
			if p := by.Rules.Policies[k]; p.Rehearsed() && c.Filter.policy(p.Name) {
				alone := *enforced
				alone.Rules.Policies = enforced.Rules.Policies[k : k+1]
				c.rehearsalOf(p).by[i] = &alone
			}
		}
	}
}

func (c *comparison) rehearsalOf(p policy.Policy) *rehearsed {
	for _, r := range c.alone {
		if r.Name == p.Name {
			return r
		}
	}
	r := &rehearsed{Policy: p, by: make(map[int]*judge.Judge), from: make(map[string]int)}
	c.alone = append(c.alone, r)
	return r
}

// rehearse notes which of the rehearsed policies would refuse calls that pass now.
func (c *comparison) rehearse(subject policy.Subject, use *usage.Use, passed uint64) {
	if passed == 0 {
		return
	}
	for _, r := range c.alone {
		if line := c.refusedBy(r, subject, use, passed); line != nil {
			r.from[line.TokenID] = r.EnforcedFrom(subject.Info.ID)
			r.tally.add(*line)
		}
	}
}

// refusedBy returns the line of calls that pass now and that a policy alone would refuse, or
// nil.
func (c *comparison) refusedBy(r *rehearsed, subject policy.Subject, use *usage.Use, passed uint64) *Line {
	for _, method := range Methods(&use.Operation) {
		for handler := range c.Then {
			by := r.by[handler]
			if by == nil {
				continue
			}
			then, ok := c.Judge(by, subject, method, &use.Operation, c.At)
			if !ok || then.Passes || then.Optional || then.Policy != r.Name {
				continue
			}
			if now, known := c.now(handler, subject, method, use); known && now.Passes {
				line := lineOf(subject.Info.ID.String(), &use.Operation, now, then, passed, use.Last)
				return &line
			}
		}
	}
	return nil
}

// enforcedFrom returns the percentage from which on a policy is enforced for a token, if it is
// rehearsed for some, and otherwise 0.
func (c *comparison) enforcedFrom(name string, subject policy.Subject) int {
	for _, r := range c.alone {
		if r.Name == name {
			return r.EnforcedFrom(subject.Info.ID)
		}
	}
	return 0
}

// rehearsalsOf returns what each of some policies would refuse.
func rehearsalsOf(policies []*rehearsed) (list []Rehearsal) {
	for _, r := range policies {
		all := r.tally.change(0)
		out := Rehearsal{Policy: r.Name, Percent: r.Percent, Operations: all.Operations, Tokens: all.Tokens, Calls: all.Calls}
		steps := percentages
		if r.Percent > 0 && !slices.Contains(steps, r.Percent) {
			steps = append(slices.Clone(steps), r.Percent)
			slices.Sort(steps)
		}
		for _, percent := range steps {
			step := Step{Percent: percent}
			for _, from := range r.from {
				if from <= percent {
					step.Tokens++
				}
			}
			for k := range r.tally.lines {
				if line := &r.tally.lines[k]; r.from[line.TokenID] <= percent {
					step.Calls += line.Calls
				}
			}
			out.Steps = append(out.Steps, step)
		}
		list = append(list, out)
	}
	return list
}
