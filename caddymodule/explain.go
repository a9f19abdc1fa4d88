package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// question is a request that somebody asks about.
type question struct {
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Scopes []string `json:"scopes"`

	// subject is what else is known of the token.
	subject policy.Subject
}

// parseSubject reads what --as says of a token.
func parseSubject(properties []string) (policy.Subject, error) {
	subject := policy.Subject{Info: new(tokens.Info)}
	now := time.Now()
	for _, property := range properties {
		name, value, _ := strings.Cut(property, "=")
		var err error
		switch name {
		case "owner":
			subject.OwnerName = value
			if id, err := strconv.ParseInt(value, 10, 64); err == nil {
				subject.Info.OwnerID = id
			}
		case "creator":
			subject.Info.CreatorName = value
		case "comment":
			subject.Info.Comment = value
		case "token":
			subject.Info.ID, err = tokens.ParseID(value)
		case "lifetime":
			if value == "never" {
				subject.Info.NeverExpires = true
				break
			}
			var life time.Duration
			if life, err = caddy.ParseDuration(value); err == nil {
				subject.Info.Created, subject.Info.Expires = now, now.Add(life)
			}
		default:
			err = errors.New("write owner=, creator=, comment=, token= or lifetime=")
		}
		if err != nil {
			return policy.Subject{}, fmt.Errorf("--as %s: %w", name, err)
		}
	}
	return subject, nil
}

// explanation is the answer, in the form of the batch.
type explanation struct {
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Operation string          `json:"operation"`
	Template  string          `json:"template"`
	AnyOf     []string        `json:"any_of"`
	Evidence  scopes.Evidence `json:"evidence"`
	Decision  string          `json:"decision"`
	Reason    policy.Reason   `json:"reason"`
}

// detailed is the answer with what a person wants beside it.
type detailed struct {
	explanation
	Source   string   `json:"source"`
	Policy   string   `json:"policy,omitempty"`   // that refused
	Readings []string `json:"readings,omitempty"` // where there is more than one
	Change   string   `json:"change,omitempty"`   // that would permit it
	problem  string
	row      *scopes.Operation
}

// explainer judges requests without a gateway, by the gateway's own functions.
type explainer struct {
	catalog *scopes.Catalog
	rules   policy.Rules
	now     func() time.Time
}

func newExplainer(config, adapter string) (*explainer, error) {
	handler := new(Handler)
	if config != "" {
		var err error
		if handler, err = handlerOf(config, adapter); err != nil {
			return nil, err
		}
	}
	if err := handler.validate(); err != nil {
		return nil, err
	}
	catalog, err := loadCatalog(handler.Routes)
	if err != nil {
		return nil, err
	}
	rules, err := handler.policyRules(catalog)
	if err != nil {
		return nil, err
	}
	return &explainer{catalog: catalog, rules: rules, now: time.Now}, nil
}

func (x *explainer) explain(q question) (detailed, error) {
	q.subject.Info.Scopes = q.Scopes
	return x.judge(q.Method, q.Path, q.subject)
}

// judge answers for a token of which everything is known.
func (x *explainer) judge(method, target string, subject policy.Subject) (detailed, error) {
	switch {
	case method == "":
		return detailed{}, errors.New("the request has no method")
	case !strings.HasPrefix(target, "/"):
		return detailed{}, errors.New("the path must begin with a slash; leave out scheme and host")
	}
	method = strings.ToUpper(method)
	path, _, _ := strings.Cut(target, "?")
	answer := detailed{explanation: explanation{Method: method, Path: target, AnyOf: []string{}, Decision: "deny"}}

	readings, err := x.catalog.Read(method, path, nil)
	var malformed *scopes.PathError
	switch {
	case errors.As(err, &malformed):
		answer.Reason, answer.problem = policy.MalformedPath, malformed.Reason
		answer.Change = "send another path: " + malformed.Reason
		return answer, nil
	case err != nil:
		return detailed{}, err
	case method == http.MethodConnect:
		answer.Reason = policy.MalformedPath
		return answer, nil
	case policy.Public(readings):
		answer.Decision = "public"
		answer.describe(readings[0].Operation, policy.PublicRoute)
		return answer, nil
	}
	decision := policy.Decide(subject, policy.Request{Method: method, Readings: readings}, x.rules, x.now())
	answer.describe(decision.Operation, decision.Reason)
	if len(readings) > 1 {
		for _, reading := range readings {
			answer.Readings = append(answer.Readings, fmt.Sprintf("%s: %s (%s)", reading.Path, reading.Operation.Name, needs(reading.Operation)))
		}
	}
	if decision.Allowed {
		answer.Decision = "allow"
		return answer, nil
	}
	if decision.Reason == policy.MissingScope {
		answer.Change = smallestChange(readings, policy.Held(subject.Info, x.rules))
	}
	if decision.Policy != "" {
		answer.Policy = decision.Policy
		answer.Change = fmt.Sprintf("change policy %s, which %s", decision.Policy, decision.Requirement)
		if decision.Rehearsed {
			answer.Change += " (it is only rehearsed: the request passes)"
		}
	}
	return answer, nil
}

func (d *detailed) describe(operation *scopes.Operation, reason policy.Reason) {
	d.row = operation
	d.Operation, d.Template = operation.Name, operation.Template
	d.AnyOf = append(d.AnyOf, requiredScopes(operation)...)
	d.Evidence, d.Source = operation.Evidence, operation.Source
	d.Reason = reason
}

// smallestChange names the fewest scopes that would permit every reading.
func smallestChange(readings []scopes.Reading, held []string) string {
	var missing [][]string
	for _, reading := range readings {
		operation := reading.Operation
		switch {
		case operation.Permits(held):
		case operation.Access == scopes.AccountOnly:
			return "none: personal access tokens cannot call account-level APIs; use an OAuth token of an account user"
		case operation.Access == scopes.AnyScope:
			missing = append(missing, nil)
		default:
			missing = append(missing, operation.AnyOf)
		}
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
		return "add the scope " + common[0]
	case len(common) > 1:
		return "add one of the scopes " + strings.Join(common, ", ")
	case len(readings) > 1:
		return "send the path in its plain form, or give the token " + scopes.AllAPIs
	}
	return "give the token " + scopes.AllAPIs + ", or tell by a routes file which scope the path needs"
}

// needs tells in words what an operation asks for.
func needs(operation *scopes.Operation) string {
	switch operation.Access {
	case scopes.AnyScope:
		return "any scope"
	case scopes.Public:
		return "no token"
	case scopes.AccountOnly:
		return "an account-level token"
	}
	return strings.Join(operation.AnyOf, " or ")
}

// print writes the answer for a person.
func (d *detailed) print(out io.Writer) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-10s %s\n", name, value)
		}
	}
	line("request", d.Method+" "+d.Path)
	if d.row == nil {
		line("problem", d.problem)
	} else {
		line("operation", d.Operation)
		if !d.row.Unmapped() {
			line("row", d.row.Method+" "+d.Template)
		}
		line("needs", needs(d.row))
		line("evidence", string(d.Evidence))
		line("source", d.Source)
	}
	for i, reading := range d.Readings {
		name := "readings"
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(out, "%-10s %s\n", name, reading)
	}
	line("policy", d.Policy)
	line("verdict", fmt.Sprintf("%s (%s)", d.Decision, d.Reason))
	line("to permit", d.Change)
}

// handlerOf returns the databricks_scopes handler of a configuration file.
func handlerOf(path, adapter string) (*Handler, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if adapter == "" && filepath.Ext(path) != ".json" {
		adapter = "caddyfile"
	}
	if adapter != "" {
		a := caddyconfig.GetAdapter(adapter)
		if a == nil {
			return nil, fmt.Errorf("there is no configuration adapter %q", adapter)
		}
		if content, _, err = a.Adapt(content, map[string]any{"filename": path}); err != nil {
			return nil, fmt.Errorf("adapting %s: %w", path, err)
		}
	}
	var document any
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	found, err := findHandlers(document)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", path, err)
	case len(found) == 0:
		return nil, fmt.Errorf("%s has no databricks_scopes or databricks_gateway to judge by", path)
	}
	for _, other := range found[1:] {
		if !found[0].judgesAs(other) {
			return nil, fmt.Errorf("%s has %d databricks_scopes handlers with different rules; give a file with the one to judge by", path, len(found))
		}
	}
	return found[0], nil
}

// findHandlers looks for the handler wherever routes can be nested.
func findHandlers(node any) (found []*Handler, err error) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			more, err := findHandlers(child)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	case map[string]any:
		if node["handler"] == "databricks_scopes" {
			delete(node, "handler")
			encoded, err := json.Marshal(node)
			if err != nil {
				return nil, err
			}
			handler := new(Handler)
			if err := json.Unmarshal(encoded, handler); err != nil {
				return nil, err
			}
			return []*Handler{handler}, nil
		}
		for _, child := range node {
			more, err := findHandlers(child)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

// judgesAs reports whether two handlers give the same answers offline.
func (h *Handler) judgesAs(other *Handler) bool {
	return h.Routes == other.Routes && h.UnscopedTokens == other.UnscopedTokens && reflect.DeepEqual(h.Policies, other.Policies)
}
