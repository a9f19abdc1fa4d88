package usage

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Recommendation says which scopes a token needs for what it was seen to do. All
// lists of scopes are sorted.
type Recommendation struct {
	// Workspace, Owner and Comment identify the token. [Recommend] leaves them to its
	// caller.
	Workspace string     `json:"workspace,omitempty"`
	TokenID   string     `json:"token_id"`
	Owner     string     `json:"owner,omitempty"`
	Comment   string     `json:"comment,omitempty"`
	Facts     TokenFacts `json:"facts"`
	// Evidence says how much data this rests on. If it is not enough, Scopes are what
	// was needed so far, and more may be needed.
	Evidence Evidence `json:"evidence"`
	// Scopes is the smallest set for all calls that passed and that the token's own
	// scopes permit. It never exceeds what the token holds now. An empty set means
	// that there is nothing to recommend: Databricks treats it as everything.
	Scopes []string `json:"scopes"`
	// Needs lists Scopes with the operations that need each; for all-apis see AllAPIs.
	// An operation that several of them permit is listed with the first, unless it needs
	// several together, or it is not known which of them it needs. Operations that
	// were dropped are listed as one of no calls, named "dropped".
	Needs []Need `json:"needs"`
	// Keep lists those of Scopes that the token holds by name, Drop what else it
	// holds, and Instead what replaces all-apis.
	Keep    []string `json:"keep"`
	Drop    []string `json:"drop"`
	Instead []string `json:"instead"`
	// Add lists scopes that the token does not hold but that calls needed which passed
	// because their refusal was only rehearsed. They widen the token, so they are not
	// in Scopes. All-apis is never among them, see AllAPIs.
	Add []Need `json:"add"`
	// AllAPIs says why all-apis cannot be avoided; nil if it can. It is not
	// recommended for a token that does not hold it: its calls passed in rehearsal only.
	AllAPIs *AllAPIs `json:"all_apis,omitempty"`
	// Optional lists operations that clients go on without, such as telemetry. They need no
	// scope, and are in none of the other lists.
	Optional []Use `json:"optional"`
	// Refused lists operations that never passed, and RefusedNeed the further scopes
	// that would permit those that were refused for lack of a scope.
	Refused     []Use    `json:"refused"`
	RefusedNeed []string `json:"refused_need"`
	// Window is the start of the period that counts; zero for all time. Older lists
	// operations that were used before it only, which do not count.
	Window time.Time `json:"used_since,omitzero"`
	Older  []Use     `json:"older"`
	// WouldBreak lists operations that passed only because their refusal was
	// rehearsed: by a policy, or for lack of a scope that the token still lacks.
	WouldBreak []Use `json:"would_break"`
	// Inferred and Backfill compare Scopes and Add with what Databricks saw; nil if it
	// reports nothing.
	Inferred *Agreement `json:"inferred,omitempty"`
	Backfill *Agreement `json:"backfill,omitempty"`
	// Forecast says what breaks when autoscope completes; nil if it is not running.
	Forecast *Forecast `json:"forecast,omitempty"`
	// Change applies Scopes; nil if there is nothing to change. ChangeWithAdd applies
	// Scopes and Add; nil if there is nothing to add.
	Change        *Change `json:"change,omitempty"`
	ChangeWithAdd *Change `json:"change_with_add,omitempty"`
	// Notes are warnings to read before applying this.
	Notes []string `json:"notes"`

	learned []Use // operations that work by what the workspace said, and not by the map
}

// Need is a scope and the operations that need it.
type Need struct {
	Scope      string `json:"scope"`
	Operations []Use  `json:"operations"`
}

// AllAPIs says which operations need all-apis, and which scopes the others need.
type AllAPIs struct {
	Because   []Use    `json:"because"`
	Otherwise []string `json:"otherwise"`
}

// recommend says which scopes a token needs for what it was seen to do. Calls that
// passed count, even if their refusal was rehearsed; operations that were always
// refused are listed only.
// Scopes that dropped operations needed count as well. Doubt says what else is missing,
// see [State.doubt].
func recommend(seen Token, facts TokenFacts, now time.Time, doubt string) Recommendation {
	r := Recommendation{TokenID: seen.ID, Facts: facts, Evidence: evidenceOf(seen, doubt)}
	r.Facts.Scopes = list(facts.Scopes)
	held := without(facts.Scopes, scopes.AllAPIs)
	works, beyond := r.classify(&seen)
	r.choose(works, beyond, held)
	r.needs(works)
	r.Keep = intersect(r.Scopes, facts.Scopes)
	if len(r.Scopes) > 0 {
		r.Drop = without(facts.Scopes, r.Scopes...)
		r.Instead = without(r.Scopes, facts.Scopes...)
	}
	r.refused()
	passed := slices.Concat(works, beyond)
	ours := without(slices.Concat(r.Scopes, r.addNames()))
	r.Inferred = agreement(facts.InferredScopes, ours, passed)
	r.Backfill = agreement(facts.BackfillScopes, ours, passed)
	if facts.autoscope() == "running" {
		r.Forecast = &Forecast{Scopes: without(facts.InferredScopes), Known: len(facts.InferredScopes) > 0}
		if r.Forecast.Known {
			r.Forecast.Breaks = beyondOf(facts.InferredScopes, works)
		}
		r.Forecast.Breaks = list(r.Forecast.Breaks)
	}
	r.change(now)
	r.note(now)
	r.Scopes, r.Keep, r.Drop, r.Instead, r.RefusedNeed = list(r.Scopes), list(r.Keep), list(r.Drop), list(r.Instead), list(r.RefusedNeed)
	r.Needs, r.Add, r.Refused, r.WouldBreak, r.Notes = list(r.Needs), list(r.Add), list(r.Refused), list(r.WouldBreak), list(r.Notes)
	r.Older, r.Optional = list(r.Older), list(r.Optional)
	return r
}

// classify splits what passed into what the token's scopes permit, and what they do not.
// It fills Refused and WouldBreak.
func (r *Recommendation) classify(seen *Token) (works, beyond []Use) {
	facts := &r.Facts
	for _, u := range seen.Uses {
		if u.Operation.Optional {
			r.Optional = append(r.Optional, u)
			continue
		}
		// Usage does not keep the method of calls to rows for all methods: what refused one is
		// not taken to be gone.
		enough := u.Operation.Permits(u.Operation.HeldFor(http.MethodPost, facts.Scopes))
		if u.WouldDeny > 0 && !(u.Reason == missingScope && len(facts.Scopes) > 0 && enough) {
			r.WouldBreak = append(r.WouldBreak, u)
		}
		learned, ok := u.byLearned(facts)
		switch {
		case !u.Passed():
			r.Refused = append(r.Refused, u)
		case ok:
			works = append(works, learned)
			r.learned = append(r.learned, learned)
		case facts.permits(&u.Operation):
			works = append(works, u)
		case u.Operation.Access == scopes.AccountOnly:
			r.Refused = append(r.Refused, u) // it passed here, and Databricks refused it
		default:
			beyond = append(beyond, u)
		}
	}
	for _, o := range seen.Cut.operations() {
		u := Use{Operation: o, First: seen.Cut.First, Last: seen.Cut.Last}
		if facts.permits(&o) {
			works = append(works, u)
		} else {
			beyond = append(beyond, u)
		}
	}
	return works, beyond
}

// requiredOf returns those of the chosen scopes that an operation is permitted by: the
// first, or those that it needs together, or all that may be the right one.
func requiredOf(o *scopes.Operation, chosen []string) []string {
	if o.Doubtful() {
		return intersect(o.Scopes(), chosen)
	}
	for _, scope := range chosen {
		if slices.Contains(o.AnyOf, scope) {
			return []string{scope}
		}
	}
	for _, alternative := range o.AnyOf {
		if together := strings.Split(alternative, scopes.And); len(intersect(together, chosen)) == len(together) {
			return together
		}
	}
	return nil
}

// missingScope is policy.MissingScope.
const missingScope = "missing_scope"

// needs fills Needs.
func (r *Recommendation) needs(works []Use) {
	for _, scope := range r.Scopes {
		if scope != scopes.AllAPIs {
			r.Needs = append(r.Needs, Need{Scope: scope, Operations: []Use{}})
		}
	}
	for _, u := range works {
		if u.Operation.Access != scopes.ScopedAccess {
			continue // any scope permits it
		}
		required := requiredOf(&u.Operation, r.Scopes)
		for i := range r.Needs {
			if slices.Contains(required, r.Needs[i].Scope) {
				r.Needs[i].Operations = append(r.Needs[i].Operations, u)
			}
		}
	}
}

// choose fills Scopes, Add and AllAPIs.
func (r *Recommendation) choose(works, beyond []Use, held []string) {
	candidates := choice{Held: held, Only: held, Strict: true}
	if r.Facts.Unscoped() {
		// The token may do everything, so any scope may be chosen. If it holds none by
		// name, what Databricks saw decides between equals.
		candidates.Only = nil
		if len(held) == 0 {
			candidates.Held = slices.Concat(r.Facts.InferredScopes, r.Facts.BackfillScopes)
		}
	}
	cover := coverOf(operationsOf(works), candidates)
	r.Scopes = cover.Scopes
	r.because(cover, works)
	if len(beyond) == 0 {
		return
	}
	// Which scopes are needed in addition?
	cover = coverOf(operationsOf(beyond), choice{Held: held})
	r.because(cover, beyond)
	add := cover.Scopes
	if cover.AllAPIs() {
		// The workspace refuses these anyway. Don't offer a command that gives
		// all-apis to a token that was narrowed.
		add = cover.Otherwise
	}
	// Of scopes that are needed together, those that the token holds stay.
	r.Scopes = without(slices.Concat(r.Scopes, intersect(add, held)))
	for _, scope := range without(add, held...) {
		need := Need{Scope: scope}
		for _, u := range beyond {
			if slices.Contains(requiredOf(&u.Operation, slices.Concat(held, add)), scope) {
				need.Operations = append(need.Operations, u)
			}
		}
		r.Add = append(r.Add, need)
	}
}

func (r *Recommendation) because(cover coverage, from []Use) {
	if !cover.AllAPIs() {
		return
	}
	r.AllAPIs = &AllAPIs{Otherwise: list(cover.Otherwise)}
	for _, u := range from {
		if slices.ContainsFunc(cover.Because, func(o scopes.Operation) bool { return handleOf(&o) == handleOf(&u.Operation) }) {
			r.AllAPIs.Because = append(r.AllAPIs.Because, u)
		}
	}
}

// refused fills RefusedNeed.
func (r *Recommendation) refused() {
	var missing []Use
	for _, u := range r.Refused {
		if u.Reason == missingScope && u.Operation.Access == scopes.ScopedAccess {
			missing = append(missing, u)
		}
	}
	cover := coverOf(operationsOf(missing), choice{Held: slices.Concat(r.Scopes, r.addNames(), r.Facts.Scopes)})
	r.RefusedNeed = without(cover.Scopes, r.Facts.Scopes...)
}

// doubtful returns the operations for which several scopes are recommended because it is not
// known which of them they need.
func (r *Recommendation) doubtful() (uses []Use) {
	for _, need := range r.Needs {
		for _, u := range need.Operations {
			again := slices.ContainsFunc(uses, func(v Use) bool { return handleOf(&v.Operation) == handleOf(&u.Operation) })
			if !again && u.Operation.Doubtful() && len(intersect(u.Operation.Scopes(), r.Scopes)) > 1 {
				uses = append(uses, u)
			}
		}
	}
	return uses
}

func (r *Recommendation) addNames() (names []string) {
	for _, need := range r.Add {
		names = append(names, need.Scope)
	}
	return names
}

// change fills Change and ChangeWithAdd.
func (r *Recommendation) change(now time.Time) {
	if r.Facts.Expired(now) || slices.ContainsFunc(r.Facts.Scopes, isPart) {
		return
	}
	if len(r.Scopes) > 0 && !slices.Equal(r.Scopes, without(r.Facts.Scopes)) && !(r.Facts.Unscoped() && slices.Contains(r.Scopes, scopes.AllAPIs)) {
		r.Change = NewChange(r.TokenID, r.Scopes)
	}
	if len(r.Add) > 0 {
		r.ChangeWithAdd = NewChange(r.TokenID, without(slices.Concat(r.Scopes, r.addNames())))
	}
}

// isPart reports whether a scope is a part of one, such as "clusters:read". The scopes that are
// recommended are whole ones, which would be more.
func isPart(name string) bool {
	_, ok := scopes.Unmodified(name)
	return ok
}

// note fills Notes.
func (r *Recommendation) note(now time.Time) {
	say := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	if r.Evidence.Days > 0 && !r.Evidence.Enough {
		say("not enough evidence yet: %s", r.Evidence.Missing)
	}
	if r.Evidence.Doubt != "" && r.Change != nil {
		say("evidence is missing, so the scopes may leave out some that the token needs: ask its owner first")
	}
	if r.Facts.Expired(now) {
		say("the token expired on %s", date(r.Facts.Expires))
	}
	if state := r.Facts.autoscope(); r.Change != nil && state == "running" {
		say("autoscope is running: changing the scopes by hand ends it permanently")
	}
	for _, u := range r.doubtful() {
		say("%s %s needs %s, and it is not known which of them: all are kept", u.Operation.Method, u.Operation.Template, strings.Join(intersect(u.Operation.Scopes(), r.Scopes), " or "))
	}
	for _, u := range r.learned {
		say("%s %s works with %s, as the workspace said when it refused others; the map does not say so: see scopegate scopes drift", u.Operation.Method, u.Operation.Template, join(u.Operation.Scopes()))
	}
	if r.AllAPIs != nil {
		say("all-apis is needed for paths that Databricks has not documented; rows in a routes file do not change what Databricks itself requires")
	}
	if len(r.Needs) == 1 && len(r.Scopes) == 1 && len(r.Needs[0].Operations) == 0 {
		say("no call needs a particular scope, but a token without scopes may do everything: %s is an example of a narrow scope", r.Scopes[0])
	}
	if slices.Contains(r.Scopes, "authentication") {
		say("authentication lets the token create tokens with any scope: keep it only if that is the token's purpose")
	}
	if slices.ContainsFunc(r.Facts.Scopes, isPart) {
		say("the token holds parts of scopes, and recommendations name whole ones, which would be more: keep what it holds")
	}
	if len(r.Add) > 0 {
		say("adding %s widens the token", strings.Join(r.addNames(), ", "))
	}
}

func operationsOf(uses []Use) []scopes.Operation {
	out := make([]scopes.Operation, len(uses))
	for i := range uses {
		out[i] = uses[i].Operation
	}
	return out
}

// intersect returns the members of a that are also in b, sorted.
func intersect(a, b []string) []string {
	return without(slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) }))
}
