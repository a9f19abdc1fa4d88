// Package mapimpact tells what another map would do to the calls that a gateway has seen:
// which of them pass now and would be refused, and the reverse.
package mapimpact

import (
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// Impact is the difference that another map makes.
type Impact struct {
	// Catalog and Candidate are the versions of the map in force and of the other one.
	Catalog   string `json:"catalog"`
	Candidate string `json:"candidate"`
	// Refused are calls that pass now and would be refused, Permitted the reverse. Refusals
	// of what clients go on without, as telemetry, are left out.
	Refused   replay.Change `json:"refused"`
	Permitted replay.Change `json:"permitted"`
	// Notes say what could not be compared.
	Notes []string `json:"notes,omitempty"`
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
	for i := range in.Usage.Tokens {
		c.note(&in.Usage.Tokens[i])
	}
	changes := replay.Usage(replay.Input{
		Now: byRules(in.Before), Then: byRules(in.After), Today: c.today(), Usage: in.Usage, Tokens: in.Tokens, Owner: in.Owner, At: in.Now,
	})
	out := Impact{Refused: changes.Refused, Permitted: changes.Permitted, Notes: c.notes.lines(len(in.Usage.Unread) > 0)}
	if in.Before == nil {
		out.Permitted = replay.Change{Lines: []replay.Line{}} // what was refused then is not known
	}
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
	for _, method := range replay.Methods(o) {
		now := c.Readings(c.After[0].Catalog, method, o.Template)
		if c.Before == nil {
			if !slices.ContainsFunc(now, func(r scopes.Reading) bool { return sameNeeds(r.Operation, o) }) {
				return true
			}
		} else if !alike(c.Readings(c.Before[0].Catalog, method, o.Template), now) {
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

// byRules returns judges that enforce: what a map refuses is to be known in mode observe, too.
func byRules(judges []*judge.Judge) []*judge.Judge {
	enforcing := make([]*judge.Judge, 0, len(judges))
	for _, j := range judges {
		by := *j
		by.Observe = false
		enforcing = append(enforcing, &by)
	}
	return enforcing
}

// today returns what becomes of calls now by the needs that were recorded with them, nil if
// the map in force is known.
func (c *comparison) today() func(*tokens.Info, string, *usage.Use) (replay.Verdict, bool) {
	if c.Before != nil || len(c.After) == 0 {
		return nil
	}
	return func(info *tokens.Info, _ string, use *usage.Use) (replay.Verdict, bool) {
		// Which handler it was is not known: one that permits the most.
		passes := slices.ContainsFunc(c.After, func(j *judge.Judge) bool { return use.Operation.Permits(policy.Held(info, j.Rules)) })
		return replay.Verdict{Passes: passes, Needs: judge.Needs(&use.Operation)}, true
	}
}

// comparison is a comparison under way.
type comparison struct {
	Input
	replay.Reader
	added   []row           // of the other map
	covered map[string]*row // by method and template of what was called
	notes   notes
}

func newComparison(in Input) *comparison {
	return &comparison{Input: in, covered: make(map[string]*row)}
}
