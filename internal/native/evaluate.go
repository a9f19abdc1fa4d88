package native

import (
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/scopes"
)

// Verdict says what a policy does to an operation that a token was seen to call.
type Verdict struct {
	TokenID   string `json:"token_id"`
	Operation string `json:"operation"`
	Method    string `json:"method"`
	Template  string `json:"template"`
	Calls     uint64 `json:"calls"`
	// Works means that calls passed, so that a client may rely on it.
	Works     bool `json:"works"`
	Permitted bool `json:"permitted"`
	// Rules are the labels of the rules that decided; none if no rule matched.
	Rules []string `json:"rules"`
	// Doubt says why Databricks may see it otherwise.
	Doubt string `json:"doubt,omitempty"`
}

func verdictOf(policy *settings.CustomerFacingIngressNetworkPolicy, s *Subject, o *operation) Verdict {
	permitted, rules, doubt := Evaluate(policy, s.Owner, &o.Operation)
	if rules == nil {
		rules = []string{}
	}
	return Verdict{
		TokenID: s.Recommendation.TokenID, Operation: o.Name, Method: o.Method, Template: o.Template, Calls: o.calls,
		Works: o.works, Permitted: permitted, Rules: rules, Doubt: doubt,
	}
}

// anyScope stands for the scope of an operation that any scope permits: it is not known which
// scope Databricks takes it for.
const anyScope = ""

// Evaluate says whether a policy permits a principal to call an operation from the public
// internet, by which rules, and why Databricks may see it otherwise. Where several scopes are
// likely, all of them must be permitted. Rules for ranges of addresses count against the
// caller: allow rules do not match, and deny rules do.
func Evaluate(policy *settings.CustomerFacingIngressNetworkPolicy, who Principal, o *scopes.Operation) (permitted bool, rules []string, doubt string) {
	if policy == nil || policy.PublicAccess == nil || policy.PublicAccess.RestrictionMode == fullAccess {
		return true, nil, ""
	}
	access, read := policy.PublicAccess, isRead(o)
	alternatives := o.Strict()
	switch o.Access {
	case scopes.Public:
		return true, nil, "it needs no credential, and rules are for those who have one"
	case scopes.AccountOnly:
		return false, nil, ""
	case scopes.AnyScope:
		alternatives, doubt = []string{anyScope}, "any scope permits it, and Databricks does not say which one rules match it by"
	case scopes.ScopedAccess:
		if len(alternatives) == 0 {
			alternatives = []string{scopes.AllAPIs}
		}
	}
	var denied []string
	for _, alternative := range alternatives {
		var by []string
		all := true
		for scope := range strings.SplitSeq(alternative, scopes.And) {
			ok, label := permits(access, who, scope, read)
			all = all && ok
			if label != "" {
				by = append(by, label)
			}
		}
		if slices.Sort(by); all {
			return true, slices.Compact(by), doubt
		}
		denied = append(denied, by...)
	}
	slices.Sort(denied)
	return false, slices.Compact(denied), doubt
}

// permits says whether rules permit a scope, and the label of the rule that decided.
func permits(access *publicAccess, who Principal, scope string, read bool) (ok bool, label string) {
	for i := range access.DenyRules {
		if rule := &access.DenyRules[i]; matches(rule, who, scope, read, true) {
			return false, rule.Label
		}
	}
	for i := range access.AllowRules {
		if rule := &access.AllowRules[i]; matches(rule, who, scope, read, false) {
			return true, rule.Label
		}
	}
	return false, ""
}

// matches reports whether a request fits all attributes of a rule. Doubtful is what it answers
// where that depends on more than is known.
func matches(rule *publicRule, who Principal, scope string, read, doubtful bool) bool {
	if from := rule.Origin; from != nil && !from.AllIpRanges && !doubtful {
		return false
	}
	return isFor(rule.Authentication, who) && reaches(rule.Destination, scope, read)
}

// isFor reports whether a rule is for a principal.
func isFor(whom *authenticate, who Principal) bool {
	if whom == nil {
		return true
	}
	switch whom.IdentityType {
	case everyUser:
		return who.Type == User
	case everyOther:
		return who.Type == ServicePrincipal
	}
	return slices.ContainsFunc(whom.Identities, func(i identity) bool { return i.PrincipalId == who.ID && i.PrincipalType == who.Type })
}

// reaches reports whether a destination contains the operations of a scope of the workspace's
// API.
func reaches(to *destination, scope string, read bool) bool {
	switch {
	case to == nil || to.AllDestinations:
		return true
	case to.WorkspaceApi == nil:
		return false
	}
	api := to.WorkspaceApi
	switch {
	case api.ScopeQualifier == readOnly && !read:
		return false
	case len(api.ExcludedScopes) > 0:
		return scope != anyScope && !slices.Contains(api.ExcludedScopes, scope)
	case scope == anyScope:
		return len(api.Scopes) > 0
	}
	return slices.Contains(api.Scopes, scope) || slices.Contains(api.Scopes, scopes.AllAPIs)
}
