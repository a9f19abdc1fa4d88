package judge

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

// Explanation is the answer to "may this token make this request, and what would it
// take?", as scopes explain and the admin API print it.
type Explanation struct {
	Answer
	Details
}

// Answer is what programs need of it, as scopes explain --batch prints it.
type Answer struct {
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Operation string          `json:"operation"`
	Template  string          `json:"template"`
	AnyOf     []string        `json:"any_of"`
	Evidence  scopes.Evidence `json:"evidence"`
	Decision  Decision        `json:"decision"`
	Reason    policy.Reason   `json:"reason"`
}

// Details are what a person wants to know beside the answer.
type Details struct {
	Enforced bool   `json:"enforced"` // false if a denial is only recorded
	Source   string `json:"source"`
	// Access is read or write, as policies take the operation, and the reason where it is not
	// the method.
	Access       string `json:"access,omitempty"`
	AccessReason string `json:"access_reason,omitempty"`
	// UnderPolicy are the alternatives of which a policy must list one to permit an
	// operation of which it is not known which scope it needs. A token needs less, see AnyOf.
	UnderPolicy []string `json:"under_policy,omitempty"`
	// Optional means that clients go on without the operation.
	Optional bool     `json:"optional,omitempty"`
	Policy   string   `json:"policy,omitempty"`   // that refused
	Readings []string `json:"readings,omitempty"` // where there is more than one
	Change   string   `json:"change,omitempty"`   // that would permit it
	// Aliases say which scopes of an OAuth token stand for others here, and how that is
	// known.
	Aliases []string `json:"aliases,omitempty"`

	// Observe is the mode of the gateway.
	Observe bool `json:"-"`
	// Problem says what is wrong with a path that cannot be judged.
	Problem string `json:"-"`
	// Row is the catalog row that decided; nil where the path cannot be judged.
	Row *scopes.Operation `json:"-"`
}

// Explain judges a request for a token of which everything is known. The target is a
// path with an optional query, as clients send it.
func (j *Judge) Explain(method, target string, subject policy.Subject) (Explanation, error) {
	switch {
	case method == "":
		return Explanation{}, errors.New("the request has no method")
	case !strings.HasPrefix(target, "/"):
		return Explanation{}, errors.New("the path must begin with a slash; leave out scheme and host")
	}
	method = strings.ToUpper(method)
	path, _, _ := strings.Cut(target, "?")
	answer := Explanation{Answer: Answer{Method: method, Path: target, AnyOf: []string{}, Decision: Deny}, Details: Details{Enforced: !j.Observe}}

	readings, err := j.Catalog.Read(method, path, nil)
	malformed, isMalformed := errors.AsType[*scopes.PathError](err)
	switch {
	case isMalformed:
		answer.Reason, answer.Problem = policy.MalformedPath, malformed.Reason
		answer.tellReadings(malformed.Readings)
		answer.Change = plainForm
		return answer, nil
	case err != nil:
		return Explanation{}, err
	case method == http.MethodConnect:
		answer.Reason = policy.MalformedPath
		return answer, nil
	}
	var judged Judgement
	j.decideKnown(method, readings, subject, j.Now(), &judged)
	answer.describe(&judged)
	if judged.Operation.Unmapped() && answer.Row != nil {
		answer.tellMethods(j.Catalog, path)
	}
	answer.Observe = j.Observe
	answer.Enforced = (judged.Decision != Deny || judged.Enforced) && !j.Observe
	return answer, nil
}

const plainForm = "send the path in its plain form"

// describe fills in what was judged.
func (e *Explanation) describe(j *Judgement) {
	e.Row = j.Operation
	e.Operation, e.Template = j.Operation.Name, j.Operation.Template
	e.AnyOf = append(e.AnyOf, RequiredScopes(j.Operation)...)
	e.Evidence, e.Source = j.Operation.Evidence, j.Operation.Source
	e.Optional = j.Operation.Optional
	e.Access, e.AccessReason = policy.Access(j.Operation)
	if strict := j.Operation.Strict(); !slices.Equal(strict, j.Operation.AnyOf) {
		e.UnderPolicy = strict
	}
	e.Decision, e.Reason, e.Policy = j.Decision, j.Reason, j.Policy
	if j.Decision != Public {
		e.tellReadings(j.Readings)
	}
	e.Aliases = j.aliases()
	if j.Reason == policy.MalformedPath {
		e.Problem = scopes.Malformed(j.Readings)
		e.Row, e.Operation, e.Template, e.AnyOf, e.Evidence, e.Source = nil, "", "", []string{}, "", ""
		e.UnderPolicy, e.Optional, e.Aliases, e.Access, e.AccessReason = nil, false, nil, "", ""
	}
	e.Change = j.Change()
}

// Change says what would permit a request that is denied. It is empty where nothing in the
// configuration, the token or the path would.
func (j *Judgement) Change() string {
	switch {
	case j.Policy != "":
		return fmt.Sprintf("change policy %s, which %s", j.Policy, j.Requirement)
	case j.Reason == policy.MalformedPath:
		return plainForm
	case j.Reason == policy.UnsupportedCredential:
		return "set oauth verify in the gateway's configuration, or use a personal access token"
	case j.Reason == policy.AccountLevelOperation:
		return "none: personal access tokens cannot call account-level APIs; use an OAuth token of an account user"
	case j.SpellingOf != nil:
		return fmt.Sprintf("send %s %s, which needs %s", j.SpellingOf.Method, j.SpellingOf.Template, Needs(j.SpellingOf))
	case j.Reason != policy.MissingScope || j.Operation == nil || j.Facts.Info == nil:
		return ""
	case j.Operation.Optional:
		return "nothing: clients go on without it"
	}
	return j.smallestChange()
}

// tellMethods says so if the catalog has the path, and not with this method.
func (e *Explanation) tellMethods(catalog *scopes.Catalog, path string) {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		readings, err := catalog.Read(method, path, nil)
		if err == nil && !slices.ContainsFunc(readings, func(r scopes.Reading) bool { return r.Operation.Unmapped() }) {
			methods = append(methods, method)
		}
	}
	if len(methods) > 0 {
		e.Source = fmt.Sprintf("the catalog has this path with %s, but not with %s", strings.Join(methods, ", "), e.Method)
	}
}

// tellReadings lists readings, each with its operation and what that needs.
func (e *Explanation) tellReadings(readings []scopes.Reading) {
	for i := range readings {
		r := &readings[i]
		what := fmt.Sprintf("%s (%s)", r.Operation.Name, Needs(r.Operation))
		if r.InName {
			what = "nothing known, so part of the name"
		}
		e.Readings = append(e.Readings, r.Path+": "+what)
	}
}

// smallestChange names the fewest scopes that would permit every reading.
func (j *Judgement) smallestChange() string {
	readings := j.Readings
	if len(readings) == 0 {
		readings = []scopes.Reading{{Operation: j.Operation}}
	}
	var missing [][]string
	for _, reading := range readings {
		operation, held := reading.Operation, j.Held
		if operation == j.Operation { // which was refused, so a row for all methods was no read
			held = operation.HeldFor(http.MethodPost, held)
		}
		switch {
		case policy.Permits(operation, j.Facts.Info, held):
		case operation.Access == scopes.AnyScope:
			missing = append(missing, nil)
		default:
			missing = append(missing, operation.AnyOf)
		}
	}
	if len(missing) == 0 {
		return "" // as with a record that somebody has changed
	}
	// One scope that opens all of them, best not the one that opens everything.
	common := slices.Clone(missing[0])
	for _, anyOf := range missing[1:] {
		common = slices.DeleteFunc(common, func(s string) bool { return !slices.Contains(anyOf, s) })
	}
	switch {
	case len(missing) == 1 && missing[0] == nil:
		return "give the token any scope"
	case len(common) == 1 && common[0] != scopes.AllAPIs:
		return j.add(common[0])
	case len(common) > 1:
		return "add one of the scopes " + inWords(common, ", ")
	case len(readings) > 1:
		return "send the path in its plain form, or give the token " + scopes.AllAPIs
	}
	return "give the token " + scopes.AllAPIs + ", or say in a routes file which scope the path needs"
}

// add says which scopes of an alternative the token lacks.
func (j *Judgement) add(alternative string) string {
	missing := slices.DeleteFunc(strings.Split(alternative, scopes.And), func(s string) bool { return slices.Contains(j.Held, s) })
	if len(missing) == 1 {
		return "add the scope " + missing[0]
	}
	return "add the scopes " + strings.Join(missing, " and ")
}

// RequiredScopes lists the alternatives of which an operation needs one, as in
// [scopes.Operation.AnyOf]. An operation that any scope opens is named so: there is no
// list to show.
func RequiredScopes(operation *scopes.Operation) []string {
	if operation.Access == scopes.AnyScope {
		return []string{"any"}
	}
	return operation.AnyOf
}

// Needs says in words what an operation needs.
func Needs(operation *scopes.Operation) string {
	switch operation.Access {
	case scopes.AnyScope:
		return "any scope"
	case scopes.Public:
		return "no token"
	case scopes.AccountOnly:
		return "an account-level token"
	}
	return inWords(operation.AnyOf, " or ")
}

// inWords joins alternatives.
func inWords(anyOf []string, or string) string {
	return strings.ReplaceAll(strings.Join(anyOf, or), scopes.And, " and ")
}

// NeedsInWords says what an operation needs as Databricks' refusals do: one of a list.
func NeedsInWords(operation *scopes.Operation) string {
	return inWords(RequiredScopes(operation), ", ")
}
