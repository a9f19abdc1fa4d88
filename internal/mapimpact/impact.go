// Package mapimpact tells what another map would do to the calls that a gateway has seen:
// which of them pass now and would be refused, and the reverse.
package mapimpact

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// MaxLines limits the lines of each list of an [Impact]. The counts are of all.
const MaxLines = 1000

// Impact is the difference that another map makes.
type Impact struct {
	// Catalog and Candidate are the versions of the map in force and of the other one.
	Catalog   string `json:"catalog"`
	Candidate string `json:"candidate"`
	// Refused are calls that pass now and would be refused, Permitted the reverse. Refusals
	// of what clients go on without, as telemetry, are left out.
	Refused   Change `json:"refused"`
	Permitted Change `json:"permitted"`
	// Notes say what could not be compared.
	Notes []string `json:"notes,omitempty"`
}

// Change is one direction of an [Impact].
type Change struct {
	// How many operations, tokens and calls there are.
	Operations int    `json:"operations"`
	Tokens     int    `json:"tokens"`
	Calls      uint64 `json:"calls"`
	// Lines are the first [MaxLines], by calls.
	Lines []Line `json:"lines"`
}

// Line is one operation that one token was seen to call.
type Line struct {
	TokenID   string `json:"token_id"`
	Owner     string `json:"owner"`
	Operation string `json:"operation"`
	Method    string `json:"method"`
	Template  string `json:"template"`
	// Now and Then are what the operation needs, in words.
	Now  string `json:"needs_now"`
	Then string `json:"needs_then"`
	// Reason is why it is refused, then or now, and Policy which policy refuses it.
	Reason policy.Reason `json:"reason"`
	Policy string        `json:"policy,omitempty"`
	Calls  uint64        `json:"calls"`
	Last   time.Time     `json:"last_seen"`
}

// Input is what an impact is worked out from.
type Input struct {
	// Before and After are the judges of all handlers of the workspace, in the same order,
	// with the map in force and with the other one. Without Before, the needs that usage
	// has recorded stand for it.
	Before, After []*judge.Judge
	// Usage is what was seen.
	Usage usage.State
	// Tokens are those of the workspace.
	Tokens []*tokens.Info
	// Owner completes a token's owner by its name, if that is known.
	Owner func(*tokens.Info) tokens.Principal
	Now   time.Time
}

// Compare works out an impact. Calls of tokens that the workspace no longer lists are left
// out.
func Compare(in Input) Impact {
	c := newComparison(in)
	c.findAdded()
	infos := make(map[string]*tokens.Info, len(in.Tokens))
	for _, info := range in.Tokens {
		infos[info.ID.String()] = info
	}
	var refused, permitted tally
	for i := range in.Usage.Tokens {
		seen := &in.Usage.Tokens[i]
		c.note(seen)
		info := infos[seen.ID]
		if info == nil {
			continue
		}
		for k := range seen.Uses {
			c.use(info, &seen.Uses[k], &refused, &permitted)
		}
	}
	out := Impact{Refused: refused.change(c.Owner), Permitted: permitted.change(c.Owner), Notes: c.notes.lines(len(c.Usage.Unread) > 0)}
	if len(in.Before) > 0 {
		out.Catalog = in.Before[0].Catalog.Version()
	}
	if len(in.After) > 0 {
		out.Candidate = in.After[0].Catalog.Version()
	}
	return out
}

// Touches reports whether the other map may make a difference to any operation that was
// called. Without that, there is no impact, whatever the tokens hold.
func Touches(in Input) bool {
	c := newComparison(in)
	if in.Before != nil && slices.ContainsFunc(in.After, beyondNeeds) {
		return true
	}
	done := make(map[string]bool)
	for i := range in.Usage.Tokens {
		for k := range in.Usage.Tokens[i].Uses {
			use := &in.Usage.Tokens[i].Uses[k]
			o := &use.Operation
			key := strings.Join([]string{o.Method, o.Template, o.Name, o.Access.String(), strings.Join(o.AnyOf, ","), string(o.Evidence)}, "\t")
			if done[key] || o.Unmapped() {
				continue
			}
			done[key] = true
			if c.differs(o) {
				return true
			}
		}
	}
	return false
}

// beyondNeeds reports whether a judge looks at more of a row than what it needs: a route of a
// policy covers what the rows in its path name, and what was learned holds for one row as it
// stands.
func beyondNeeds(j *judge.Judge) bool {
	return j.Rules.Learned != nil || slices.ContainsFunc(j.Rules.Policies, func(p policy.Policy) bool { return len(p.Allow)+len(p.Deny) > 0 })
}

// differs reports whether calls of an operation are read differently.
func (c *comparison) differs(o *scopes.Operation) bool {
	for _, method := range methodsOf(o) {
		now := c.readings(c.After[0].Catalog, method, o.Template)
		if c.Before == nil {
			if !slices.ContainsFunc(now, func(r scopes.Reading) bool { return sameNeeds(r.Operation, o) }) {
				return true
			}
		} else if !alike(c.readings(c.Before[0].Catalog, method, o.Template), now) {
			return true
		}
	}
	return false
}

// alike reports whether two maps read a path in the same way.
func alike(before, after []scopes.Reading) bool {
	return slices.EqualFunc(before, after, func(a, b scopes.Reading) bool {
		return a.Path == b.Path && a.Operation.Name == b.Operation.Name && sameNeeds(a.Operation, b.Operation)
	})
}

// sameNeeds reports whether two rows are satisfied by the same tokens.
func sameNeeds(a, b *scopes.Operation) bool {
	return a.Access == b.Access && a.Doubtful() == b.Doubtful() && slices.Equal(a.AnyOf, b.AnyOf)
}

// tally collects what changed in one direction.
type tally struct {
	lines      []found
	operations map[string]bool
	tokens     map[string]bool
	calls      uint64
}

type found struct {
	Line
	info *tokens.Info
}

func (t *tally) add(info *tokens.Info, use *usage.Use, calls uint64, before, after outcome) {
	if t.operations == nil {
		t.operations, t.tokens = make(map[string]bool), make(map[string]bool)
	}
	refusal := after
	if after.passes {
		refusal = before
	}
	o := &use.Operation
	id := info.ID.String()
	t.operations[o.Name], t.tokens[id] = true, true
	t.calls += calls
	t.lines = append(t.lines, found{Line{
		TokenID: id, Operation: o.Name, Method: o.Method, Template: o.Template,
		Now: before.needs, Then: after.needs, Reason: refusal.reason, Policy: refusal.policy, Calls: calls, Last: use.Last,
	}, info})
}

func (t *tally) change(owner func(*tokens.Info) tokens.Principal) Change {
	slices.SortFunc(t.lines, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Template, b.Template), cmp.Compare(a.Method, b.Method), cmp.Compare(a.TokenID, b.TokenID))
	})
	out := Change{Operations: len(t.operations), Tokens: len(t.tokens), Calls: t.calls, Lines: []Line{}}
	for _, f := range t.lines[:min(len(t.lines), MaxLines)] {
		f.Owner = owner(f.info).String()
		out.Lines = append(out.Lines, f.Line)
	}
	return out
}

// outcome is what becomes of a call.
type outcome struct {
	passes bool
	quiet  bool // clients go on without the operation
	needs  string
	reason policy.Reason
	policy string
}

// use compares one operation of one token. Which handler judged a call, and with which of the
// methods that a row stands for it was sent, is not recorded: one way in which a call that
// passes now would be refused is enough, even if others would pass that are refused now.
func (c *comparison) use(info *tokens.Info, use *usage.Use, refused, permitted *tally) {
	if use.Operation.Unmapped() {
		return
	}
	passed := use.Calls - min(use.Denied, use.Calls)
	var before, after outcome
	gains := false
	for _, method := range methodsOf(&use.Operation) {
		for i := range c.After {
			now, then, ok := c.both(i, info, method, use)
			switch {
			case !ok:
			case now.passes && !then.passes && !then.quiet && passed > 0:
				refused.add(info, use, passed, now, then)
				return
			case !now.passes && then.passes && c.Before != nil && !gains:
				gains, before, after = true, now, then
			}
		}
	}
	if gains {
		permitted.add(info, use, use.Calls, before, after)
	}
}

// both decides a call of an operation as one handler does now, and as it would. It is false
// where requests cannot name the operation.
func (c *comparison) both(handler int, info *tokens.Info, method string, use *usage.Use) (now, then outcome, ok bool) {
	if then, ok = c.judge(c.After[handler], info, method, &use.Operation); !ok {
		return now, then, false
	}
	if c.Before == nil {
		return recorded(c.After[handler], info, use), then, true
	}
	now, ok = c.judge(c.Before[handler], info, method, &use.Operation)
	return now, then, ok
}

// methodsOf returns the methods that a row stands for.
func methodsOf(o *scopes.Operation) []string {
	if o.Method == "*" {
		return []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	}
	return []string{o.Method}
}

// recorded is what became of a call by the needs that were recorded with it.
func recorded(j *judge.Judge, info *tokens.Info, use *usage.Use) outcome {
	return outcome{passes: use.Operation.Permits(policy.Held(info, j.Rules)), needs: judge.Needs(&use.Operation)}
}

// comparison is a comparison under way.
type comparison struct {
	Input
	read    map[readKey][]scopes.Reading
	added   []row           // of the other map
	covered map[string]*row // by method and template of what was called
	notes   notes
}

type readKey struct {
	catalog          *scopes.Catalog
	method, template string
}

func newComparison(in Input) *comparison {
	return &comparison{Input: in, read: make(map[readKey][]scopes.Reading), covered: make(map[string]*row)}
}

// judge decides a call of an operation. It is false where requests cannot name it.
func (c *comparison) judge(j *judge.Judge, info *tokens.Info, method string, o *scopes.Operation) (outcome, bool) {
	readings := c.readings(j.Catalog, method, o.Template)
	if len(readings) == 0 {
		return outcome{}, false
	}
	if policy.Public(readings) {
		return outcome{passes: true, needs: judge.Needs(readings[0].Operation)}, true
	}
	ruling := policy.Decide(j.Subject(info), policy.Request{Method: method, Readings: readings}, j.Rules, c.Now)
	return outcome{
		passes: ruling.Allowed || ruling.Rehearsed, quiet: ruling.Operation.Optional, needs: judge.Needs(ruling.Operation),
		reason: ruling.Reason, policy: ruling.Policy,
	}, true
}

// readings returns those of a path that a template matches, none if it cannot be read.
func (c *comparison) readings(catalog *scopes.Catalog, method, template string) []scopes.Reading {
	key := readKey{catalog, method, template}
	readings, known := c.read[key]
	if !known {
		readings = read(catalog, method, routesfile.Sample(template))
		c.read[key] = readings
	}
	return readings
}

// read returns the readings of a path, none if it cannot be read.
func read(catalog *scopes.Catalog, method, path string) []scopes.Reading {
	readings, err := catalog.Read(method, path, nil)
	if err != nil {
		return nil
	}
	return readings
}
