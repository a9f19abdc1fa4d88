package native

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/few"
	"github.com/scopegate/scopegate/scopes"
)

// notesOf says what to know before applying a document, the most important first, and what
// Databricks' mechanisms cannot express.
func notesOf(subjects []Subject, people []*person, verdicts []Verdict, options Options) []string {
	n := &notes{}
	n.aboutPolicy(options)
	for i := range subjects {
		n.aboutEvidence(&subjects[i])
	}
	n.aboutVerdicts(verdicts)
	for _, p := range people {
		n.aboutPerson(p, options)
	}
	n.aboutTokens(subjects, people)
	n.say("rules and scopes know no paths, queries, bodies or hours, and rules no single tokens: what policies of the gateway say about those, only the gateway enforces")
	n.say("the rules are for the public internet: if clients come over private connectivity, add them to private_access, and if they come from other workspaces, to cross_workspace_access")
	return n.lines
}

type notes struct{ lines []string }

func (n *notes) say(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

// aboutPolicy says whom the policy affects, and how it is put in place.
func (n *notes) aboutPolicy(options Options) {
	switch {
	case options.AllowOthers:
		n.say("the policy confines the owners of these tokens; everyone else passes")
	case options.Enforce:
		n.say("once attached to a workspace, the policy refuses everyone and everything that no rule allows, other users and the user interface too: add rules for them first, or use --allow-others")
	default:
		n.say("the policy only logs; enforced, it would refuse everyone and everything that no rule allows, other users and the user interface too: add rules for them first, or use --allow-others")
	}
	n.say("a policy does nothing before a workspace is attached to it, and a workspace has one policy: if yours has one, add these rules to it, and keep its egress, because an update replaces the whole policy")
}

func (n *notes) aboutEvidence(s *Subject) {
	r := s.Recommendation
	if !r.Evidence.Enough {
		n.say("token %.8s: not enough evidence yet (%s); what was not seen is refused", r.TokenID, r.Evidence.Missing)
	}
	for _, note := range r.Notes {
		if !strings.HasPrefix(note, "not enough evidence") {
			n.say("token %.8s: %s", r.TokenID, note)
		}
	}
	if r.Change == nil {
		n.say("token %.8s: its scopes need no change", r.TokenID)
	}
}

// aboutVerdicts says which operations the policy refuses, or may refuse.
func (n *notes) aboutVerdicts(verdicts []Verdict) {
	var refused, doubtful []string
	for _, v := range verdicts {
		name := strings.TrimSpace(v.Method + " " + v.Template)
		switch {
		case v.Works && !v.Permitted:
			refused = append(refused, name)
		case v.Works && v.Doubt != "":
			doubtful = append(doubtful, name)
		}
	}
	if len(refused) > 0 {
		n.say("the policy refuses calls that work today: %s", few.Names(refused))
	}
	if len(doubtful) > 0 {
		n.say("Databricks does not say which scope rules match these by, because any permits them; look for them in the log of a dry run: %s", few.Names(doubtful))
	}
}

// aboutPerson says what the rules of a principal cannot express.
func (n *notes) aboutPerson(p *person, options Options) {
	who := p.Name
	if who == "" {
		who = fmt.Sprintf("principal %d", p.ID)
	}
	if p.everything() {
		if options.AllowOthers {
			n.say("%s calls paths that only all-apis permits, so no rule confines it", who)
		} else {
			n.say("%s calls paths that only all-apis permits, and rules know no paths: its rule allows the whole API", who)
		}
		return
	}
	if len(p.read) > 0 {
		reads := strings.Join(p.read, ", ")
		if options.AllowOthers {
			n.say("%s only reads %s, which deny rules cannot express: it may write there as well", who, reads)
		} else {
			n.say("%s only reads %s: GET and HEAD. Tokens can be narrowed in the same way, by a modifier: %s:read", who, reads, p.read[0])
		}
	}
	var unknown []string
	for _, scope := range p.all() {
		if !slices.Contains(scopes.KnownScopes(), scope) {
			unknown = append(unknown, scope)
		}
	}
	if len(unknown) > 0 {
		n.say("%s is in no list of scopes that Databricks has published; it may not accept a rule with it", strings.Join(unknown, ", "))
	}
}

// aboutTokens says what a rule means for the other tokens of a principal.
func (n *notes) aboutTokens(subjects []Subject, people []*person) {
	for _, p := range people {
		count := 0
		for i := range subjects {
			if subjects[i].Owner.ID == p.ID {
				count++
			}
		}
		name := p.Name
		if name == "" {
			name = fmt.Sprintf("principal %d", p.ID)
		}
		tokens := "this token"
		if count > 1 {
			tokens = fmt.Sprintf("these %d tokens together", count)
		}
		n.say("rules for %s are for %s and for all else that %s does with the API: other tokens, OAuth, scripts in notebooks; ask for its other tokens in the same command", name, tokens, name)
	}
}
