// Package native writes what Databricks' own mechanisms would take for what tokens were seen
// to use: the scopes of personal access tokens, and a context-based ingress network policy. It
// evaluates the policy over the recorded operations, and says what it cannot express.
//
// Files: native.go (what comes in and out), operation.go (what a token uses), policy.go (the
// rules), evaluate.go (what the rules permit), notes.go, hcl.go and terraform.go (output).
package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// PrincipalType is the SDK's, under a name that fits on a line.
type PrincipalType = settings.CustomerFacingIngressNetworkPolicyAuthenticationIdentityPrincipalType

// The kinds of owners of tokens.
const (
	User             PrincipalType = settings.CustomerFacingIngressNetworkPolicyAuthenticationIdentityPrincipalTypePrincipalTypeUser
	ServicePrincipal PrincipalType = settings.CustomerFacingIngressNetworkPolicyAuthenticationIdentityPrincipalTypePrincipalTypeServicePrincipal
)

// Principal is the owner of a token. Ingress policies know principals, and not tokens.
type Principal struct {
	ID   int64         `json:"id"`
	Type PrincipalType `json:"type"`
	Name string        `json:"name,omitempty"`
}

// Subject is a token, and what it was seen to use.
type Subject struct {
	Recommendation *usage.Recommendation
	// Seen lists all operations of the token; nil if they are not known.
	Seen  []usage.Use
	Owner Principal
}

// Options say what kind of policy to write. The zero value is one that only logs.
type Options struct {
	// Enforce writes a policy that refuses requests, and not one that only logs.
	Enforce bool
	// AllowOthers confines the owners of the tokens by deny rules, and lets everyone else
	// pass. Otherwise allow rules list what may pass, and everything else is refused.
	AllowOthers bool
}

// Document is what Databricks' own mechanisms would take.
type Document struct {
	Workspace string `json:"workspace"`
	Mode      string `json:"mode"`
	// Notes say what to know before applying this, and what cannot be expressed.
	Notes  []string `json:"notes"`
	Tokens []Token  `json:"tokens"`
	// Policy creates the network policy. It refuses nothing before it is attached to a
	// workspace.
	Policy Request `json:"network_policy"`
	// Verdicts say what the policy does to each operation that was seen.
	Verdicts []Verdict `json:"verdicts"`

	policy settings.AccountNetworkPolicy
}

// Token is a token's part.
type Token struct {
	ID     string    `json:"token_id"`
	Owner  Principal `json:"owner"`
	Scopes []string  `json:"scopes"`
	// Change sets the scopes; nil if the token has them already.
	Change *usage.Change `json:"change,omitempty"`
}

// Request is a request to the account's API.
type Request struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
}

// Modes of a document.
const (
	modeDryRun  = "dry_run"
	modeEnforce = "enforce"
)

// Build writes one document for tokens of one workspace, whose network policy it would be.
func Build(subjects []Subject, options Options) (*Document, error) {
	if err := check(subjects); err != nil {
		return nil, err
	}
	d := &Document{Workspace: subjects[0].Recommendation.Workspace, Mode: modeDryRun, Tokens: []Token{}, Verdicts: []Verdict{}}
	if options.Enforce {
		d.Mode = modeEnforce
	}
	for _, s := range subjects {
		r := s.Recommendation
		d.Tokens = append(d.Tokens, Token{ID: r.TokenID, Owner: s.Owner, Scopes: r.Scopes, Change: r.Change})
	}
	people := byPrincipal(subjects)
	access := accessOf(people, options.AllowOthers)
	ingress := &settings.CustomerFacingIngressNetworkPolicy{PublicAccess: access}
	d.policy = settings.AccountNetworkPolicy{NetworkPolicyId: policyID(subjects)}
	if options.Enforce {
		d.policy.Ingress = ingress
	} else {
		d.policy.IngressDryRun = ingress
	}
	body, err := json.Marshal(d.policy)
	if err != nil {
		return nil, fmt.Errorf("writing the network policy: %w", err)
	}
	d.Policy = Request{Method: http.MethodPost, Path: "/api/2.0/accounts/{account_id}/network-policies", Body: body}
	for _, s := range subjects {
		for _, o := range operationsOf(&s) {
			d.Verdicts = append(d.Verdicts, verdictOf(ingress, &s, &o))
		}
	}
	d.Notes = notesOf(subjects, people, d.Verdicts, options)
	return d, nil
}

// Refused returns the verdicts on operations that work today and that the policy refuses.
func (d *Document) Refused() (refused []Verdict) {
	for _, v := range d.Verdicts {
		if v.Works && !v.Permitted {
			refused = append(refused, v)
		}
	}
	return refused
}

// check reports why nothing can be written.
func check(subjects []Subject) error {
	if len(subjects) == 0 {
		return errors.New("there is no token to write rules for")
	}
	for i := range subjects {
		s := &subjects[i]
		r := s.Recommendation
		switch {
		case r.Workspace != subjects[0].Recommendation.Workspace:
			return fmt.Errorf("the tokens are of %s and %s; a workspace has a network policy of its own: ask for the tokens of one", subjects[0].Recommendation.Workspace, r.Workspace)
		case s.Owner.ID == 0:
			return fmt.Errorf("token %.8s: the id of its owner is not known, and rules without one hold for everyone; try again when the gateway reaches the workspace", r.TokenID)
		case s.Owner.Type != User && s.Owner.Type != ServicePrincipal:
			return fmt.Errorf("token %.8s: it is not known whether its owner is a user or a service principal; say so with --owner-type user or --owner-type service-principal", r.TokenID)
		case !slices.ContainsFunc(operationsOf(s), func(o operation) bool { return o.works && o.Access != scopes.Public }):
			return fmt.Errorf("token %.8s: no call that passed was seen, so every rule would be a guess; let it work through the gateway first, with mode observe", r.TokenID)
		}
	}
	return nil
}

// policyID names the policy after its tokens. Databricks allows 32 characters.
func policyID(subjects []Subject) string {
	id := fmt.Sprintf("scopegate-%.8s", subjects[0].Recommendation.TokenID)
	if n := len(subjects) - 1; n > 0 {
		id += fmt.Sprintf("-and-%d", n)
	}
	return id
}

// TypeOf tells users from service principals by the name that the workspace gives an owner: an
// application id, or an address.
func TypeOf(name string) PrincipalType {
	switch {
	case isUUID(name):
		return ServicePrincipal
	case strings.Contains(name, "@"):
		return User
	}
	return ""
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}
