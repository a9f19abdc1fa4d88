package replay

import (
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// Input is what [Usage] judges, and by which rules.
type Input struct {
	// Now are the judges in force, of all handlers of the workspace.
	Now []*judge.Judge
	// Today, unless nil, takes the place of Now: it returns what becomes of a call now, and
	// false where requests cannot name the operation.
	Today func(info *tokens.Info, method string, use *usage.Use) (Verdict, bool)
	// Then are the judges to judge by. If there are as many as in Now, they are compared in
	// pairs; otherwise a call passes now if any of Now lets it pass. The judges need no
	// Tokens.
	Then []*judge.Judge
	// AsEnforced judges as if Then enforced its rules, and every policy for all tokens, even
	// if its mode is observe or its policies are rehearsed. The report then has Rehearsals.
	AsEnforced bool
	// Usage is what was seen.
	Usage usage.State
	// Tokens are those of the workspace.
	Tokens []*tokens.Info
	// Owner completes a token's owner by its name, if that is known. Nil stands for
	// [tokens.Info.Owner].
	Owner func(*tokens.Info) tokens.Principal
	// At is the time at which tokens may have expired.
	At time.Time
	Filter
	// Lines limits the lines of each list: 0 stands for [MaxLines], and a negative number
	// for no limit.
	Lines int

	hidden   map[tokens.ID]bool // tokens whose comments are not known
	versions []string           // of the maps in force, beside those of Now
}

// Report is what other rules change.
type Report struct {
	// Judged is what was judged.
	Judged Count `json:"judged"`
	// Refused are calls that pass now and would be refused, Permitted the reverse. Refusals
	// of what clients go on without, as telemetry, are left out.
	Refused   Change `json:"refused"`
	Permitted Change `json:"permitted"`
	// Rehearsals tell of each policy that is rehearsed what it would refuse if it were
	// enforced, see [Input.AsEnforced].
	Rehearsals []Rehearsal `json:"rehearsals,omitempty"`
	// Unjudged is what could not be judged, and why.
	Unjudged []Unjudged `json:"unjudged,omitempty"`
	// Notes say what else to know.
	Notes []string `json:"notes,omitempty"`
}

// Count counts what was judged.
type Count struct {
	Tokens     int    `json:"tokens"`
	Operations int    `json:"operations"`
	Calls      uint64 `json:"calls"`
}

// Unjudged is what could not be judged for one reason.
type Unjudged struct {
	// Why completes the sentence "… could not be judged: ".
	Why    string `json:"why"`
	Tokens int    `json:"tokens,omitempty"`
	Calls  uint64 `json:"calls"`
}

// Reasons for which use cannot be judged.
const (
	whyUnlisted = "the workspace no longer lists the token, so its scopes are not known"
	whyUnmapped = "the path is outside the map, and usage does not keep paths, which matter by these rules; replay audit logs to judge it"
	whyUnread   = "no request can name the operation"
	whyDropped  = "the operations were dropped to stay within limits"
	whySingle   = "a policy has a route for single paths of the operation, and usage does not keep paths; replay audit logs to judge it"
)

// Usage judges what tokens were seen to call. Which handler judged a call, and with which of
// the methods that a row stands for it was sent, is not recorded: one way in which a call that
// passes now would be refused is enough, even if others would pass that are refused now.
//
// It takes about a microsecond for each operation of each token and each policy.
func Usage(in Input) Report {
	c := comparison{Input: in, operations: make(map[string]bool), inBoth: make(map[[2]string]string)}
	if in.AsEnforced {
		c.enforce()
	}
	c.names = in.Filter.Owner != "" || slices.ContainsFunc(slices.Concat(c.Now, c.Then), func(j *judge.Judge) bool { return j.Rules.NeedOwnerName() })
	for _, by := range c.Now {
		c.versions = append(c.versions, by.Catalog.Version())
	}
	infos := make(map[string]*tokens.Info, len(in.Tokens))
	for _, info := range in.Tokens {
		infos[info.ID.String()] = info
	}
	for i := range in.Usage.Tokens {
		seen := &in.Usage.Tokens[i]
		c.token(infos[seen.ID], seen)
	}
	report := Report{
		Judged: c.judged, Refused: c.refused.change(in.Lines), Permitted: c.permitted.change(in.Lines),
		Rehearsals: rehearsalsOf(c.alone), Unjudged: c.unjudged.list(),
	}
	report.Judged.Operations = len(c.operations)
	if len(in.Usage.Unread) > 0 {
		report.Notes = append(report.Notes, "some saved usage could not be read")
	}
	if in.Usage.Cut.Entries > 0 {
		report.Notes = append(report.Notes, "some tokens were dropped from the saved usage to stay within limits")
	}
	return report
}

// comparison is a comparison under way.
type comparison struct {
	Input
	Reader
	names              bool         // of owners are needed
	alone              []*rehearsed // policies that are rehearsed
	judged             Count
	operations         map[string]bool
	refused, permitted tally
	unjudged           unjudged
	inBoth             map[[2]string]string
}

// token judges what one token was seen to call. The facts are nil if the workspace no longer
// lists it.
func (c *comparison) token(info *tokens.Info, seen *usage.Token) {
	if info == nil {
		if c.Filter.token(seen.ID, "", seen.OwnerID) {
			c.unjudged.add(whyUnlisted, seen.ID, seen.Calls)
		}
		return
	}
	subject := policy.Subject{Info: info, Owner: info.Owner, CommentUnknown: c.hidden[info.ID]}
	if c.names {
		subject.Owner = c.owner(info)
	}
	name, _ := subject.Owner.Name()
	number, _ := subject.Owner.ID()
	if !c.Filter.token(seen.ID, name, number) {
		return
	}
	if seen.Evicted || seen.Cut.Entries > 0 {
		c.unjudged.add(whyDropped, seen.ID, seen.Cut.Calls)
	}
	judged := false
	for i := range seen.Uses {
		judged = c.use(subject, &seen.Uses[i]) || judged
	}
	if judged {
		c.judged.Tokens++
	}
}

// owner completes a token's owner by its name. That may make a gateway look the name up, so it
// is asked only for what is needed.
func (c *comparison) owner(info *tokens.Info) tokens.Principal {
	if c.Input.Owner == nil {
		return info.Owner
	}
	return c.Input.Owner(info)
}

// use compares one operation of one token. It is false if it cannot be judged.
func (c *comparison) use(subject policy.Subject, use *usage.Use) (judged bool) {
	id := subject.Info.ID.String()
	o := &use.Operation
	if o.Unmapped() && !c.anyPath(subject, use) {
		c.unjudged.add(whyUnmapped, id, use.Calls)
		return false
	}
	passed := use.Calls - min(use.Denied, use.Calls)
	var gain *Line
	refuses, single := false, false
	c.rehearse(subject, use, passed)
	for _, method := range Methods(o) {
		for i, by := range c.Then {
			now, known := c.now(i, subject, method, use)
			then, ok := c.Judge(by, subject, method, o, c.At)
			if !known || !ok {
				continue
			}
			judged = true
			single = single || c.dependsOnPath(by, subject, method, o, then)
			switch {
			case refuses:
			case now.Passes && !then.Passes && !then.Optional && passed > 0:
				refuses = true
				c.add(&c.refused, by, subject, lineOf(id, o, now, then, passed, use.Last))
			case !now.Passes && then.Passes && gain == nil:
				line := lineOf(id, o, now, then, use.Calls, use.Last)
				gain = &line
			}
		}
	}
	switch {
	case !judged:
		c.unjudged.add(whyUnread, id, use.Calls)
		return false
	case gain != nil && !refuses:
		c.add(&c.permitted, nil, subject, *gain)
	case single && !refuses:
		c.unjudged.add(whySingle, id, use.Calls)
	}
	c.judged.Calls += use.Calls
	c.operations[o.Name] = true
	return true
}

// add adds a line if the filter selects its policy.
func (c *comparison) add(to *tally, by *judge.Judge, subject policy.Subject, line Line) {
	if !c.Filter.policy(line.Policy) {
		return
	}
	line.Owner = c.owner(subject.Info).String()
	if line.Policy != "" && by != nil && c.AsEnforced {
		line.EnforcedFrom = c.enforcedFrom(line.Policy, subject)
	}
	to.add(line)
}

// now decides a call as one handler does now.
func (c *comparison) now(handler int, subject policy.Subject, method string, use *usage.Use) (Verdict, bool) {
	switch {
	case c.Today != nil:
		return c.Today(subject.Info, method, use)
	case len(c.Now) == len(c.Then):
		return c.Judge(c.Now[handler], subject, method, &use.Operation, c.At)
	}
	return c.anyOf(subject, method, use)
}

// anyOf decides a call as the handler does now that lets it pass, if there is one.
func (c *comparison) anyOf(subject policy.Subject, method string, use *usage.Use) (now Verdict, known bool) {
	for _, by := range c.Now {
		one, ok := c.Judge(by, subject, method, &use.Operation, c.At)
		if ok && (!known || one.Passes && !now.Passes) {
			now, known = one, true
		}
	}
	return now, known
}

// dependsOnPath reports whether a route of a policy may decide otherwise for some paths of an
// operation.
func (c *comparison) dependsOnPath(by *judge.Judge, subject policy.Subject, method string, o *scopes.Operation, then Verdict) bool {
	for i := range by.Rules.Policies {
		p := &by.Rules.Policies[i]
		for _, routes := range [][]policy.Route{p.Allow, p.Deny} {
			for k := range routes {
				path := c.both(o.Template, routes[k].Template.String())
				if path == "" {
					continue
				}
				readings := ReadingsOf(by.Catalog, method, path)
				if len(readings) > 0 && readings[0].Row().Name == o.Name && verdictOf(by, subject, method, readings, c.At).Passes != then.Passes {
					return true
				}
			}
		}
	}
	return false
}

// anyPath reports whether all paths outside the map are judged alike for a token: the map is the
// same one, so that it has none of them, and no route of a policy covers any, or the token may
// not call them anyway.
func (c *comparison) anyPath(subject policy.Subject, use *usage.Use) bool {
	for _, by := range c.Then {
		if len(c.versions) == 0 || slices.ContainsFunc(c.versions, func(version string) bool { return version != by.Catalog.Version() }) {
			return false
		}
		if !slices.ContainsFunc(by.Rules.Policies, func(p policy.Policy) bool { return len(p.Allow)+len(p.Deny) > 0 }) {
			continue
		}
		then, ok := c.Judge(by, subject, Methods(&use.Operation)[0], &use.Operation, c.At)
		if !ok || then.Reason != policy.MissingScope {
			return false
		}
	}
	return true
}
