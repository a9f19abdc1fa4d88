package native

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/scopes"
)

// The SDK's types, under names that fit on a line.
type (
	publicAccess = settings.CustomerFacingIngressNetworkPolicyPublicAccess
	publicRule   = settings.CustomerFacingIngressNetworkPolicyPublicIngressRule
	publicOrigin = settings.CustomerFacingIngressNetworkPolicyPublicRequestOrigin
	destination  = settings.CustomerFacingIngressNetworkPolicyRequestDestination
	workspaceAPI = settings.CustomerFacingIngressNetworkPolicyWorkspaceApiDestination
	authenticate = settings.CustomerFacingIngressNetworkPolicyAuthentication
	identity     = settings.CustomerFacingIngressNetworkPolicyAuthenticationIdentity
)

const (
	restricted = settings.CustomerFacingIngressNetworkPolicyPublicAccessRestrictionModeRestrictedAccess
	fullAccess = settings.CustomerFacingIngressNetworkPolicyPublicAccessRestrictionModeFullAccess
	readOnly   = settings.CustomerFacingIngressNetworkPolicyApiScopeQualifierApiScopeQualifierRead
	selected   = settings.CustomerFacingIngressNetworkPolicyAuthenticationIdentityTypeIdentityTypeSelectedIdentities
	everyUser  = settings.CustomerFacingIngressNetworkPolicyAuthenticationIdentityTypeIdentityTypeAllUsers
	everyOther = settings.CustomerFacingIngressNetworkPolicyAuthenticationIdentityTypeIdentityTypeAllServicePrincipals
)

// person is a principal with what all of its tokens use.
type person struct {
	Principal
	token string // the id of the first
	// write and read are the scopes of its rules, sorted. Of read, only reads were seen. If
	// all-apis is needed, it is the only one.
	write, read []string
}

// all returns the scopes of both kinds, sorted.
func (p *person) all() []string { return slices.Sorted(slices.Values(slices.Concat(p.write, p.read))) }

// everything reports whether all-apis is needed.
func (p *person) everything() bool { return slices.Contains(p.write, scopes.AllAPIs) }

// byPrincipal joins the tokens of each principal, because rules do not know tokens.
func byPrincipal(subjects []Subject) (people []*person) {
	reads := make(map[int64]map[string]bool)
	for i := range subjects {
		s := &subjects[i]
		if reads[s.Owner.ID] == nil {
			reads[s.Owner.ID] = make(map[string]bool)
			people = append(people, &person{Principal: s.Owner, token: s.Recommendation.TokenID})
		}
		collect(s, reads[s.Owner.ID])
	}
	for _, p := range people {
		if _, ok := reads[p.ID][scopes.AllAPIs]; ok {
			p.write = []string{scopes.AllAPIs}
			continue
		}
		for scope, read := range reads[p.ID] {
			if read {
				p.read = append(p.read, scope)
			} else {
				p.write = append(p.write, scope)
			}
		}
		slices.Sort(p.read)
		slices.Sort(p.write)
	}
	return people
}

// collect adds the scopes of a token's operations, and whether only reads need them.
func collect(s *Subject, reads map[string]bool) {
	chosen := recommended(s)
	use := func(scope string, read bool) {
		before, ok := reads[scope]
		reads[scope] = read && (before || !ok)
	}
	var anyRead, anyWrite bool // of operations for which any scope will do
	for _, o := range operationsOf(s) {
		switch {
		case !o.works:
		case o.Access == scopes.AnyScope:
			anyRead, anyWrite = anyRead || isRead(&o.Operation), anyWrite || !isRead(&o.Operation)
		case o.Access == scopes.ScopedAccess:
			for _, scope := range scopesFor(&o.Operation, chosen) {
				use(scope, isRead(&o.Operation))
			}
		}
	}
	names := slices.Sorted(maps.Keys(reads))
	if len(names) == 0 {
		names = chosen
	}
	hasWrite := slices.ContainsFunc(names, func(scope string) bool { read, ok := reads[scope]; return ok && !read })
	if anyWrite && !hasWrite || anyRead && len(reads) == 0 {
		use(names[0], !anyWrite)
	}
}

// recommended returns the scopes of a recommendation, the ones that are to be preferred. There
// is at least one.
func recommended(s *Subject) (chosen []string) {
	r := s.Recommendation
	chosen = slices.Clone(r.Scopes)
	for _, need := range r.Add {
		chosen = append(chosen, need.Scope)
	}
	if r.AllAPIs != nil {
		chosen = append(slices.Clone(r.AllAPIs.Otherwise), chosen...)
	}
	if len(chosen) == 0 {
		chosen = []string{scopes.AllAPIs}
	}
	return chosen
}

// scopesFor returns the scopes that permit an operation beyond doubt: it is not known by which
// one Databricks matches it, so all that are in doubt are.
func scopesFor(o *scopes.Operation, chosen []string) []string {
	alternatives := o.Strict()
	for _, alternative := range alternatives {
		together := strings.Split(alternative, scopes.And)
		if !slices.ContainsFunc(together, func(s string) bool { return !slices.Contains(chosen, s) }) {
			return together
		}
	}
	if len(alternatives) == 0 {
		return []string{scopes.AllAPIs}
	}
	return strings.Split(alternatives[0], scopes.And)
}

// accessOf returns the rules for principals.
func accessOf(people []*person, allowOthers bool) *publicAccess {
	access := &publicAccess{RestrictionMode: restricted}
	for _, p := range people {
		who := &authenticate{IdentityType: selected, Identities: []identity{{PrincipalId: p.ID, PrincipalType: p.Type}}}
		rule := func(kind string, api workspaceAPI) publicRule {
			return publicRule{
				Label:          fmt.Sprintf("scopegate-%.8s-%s", p.token, kind),
				Authentication: who, Origin: &publicOrigin{AllIpRanges: true}, Destination: &destination{WorkspaceApi: &api},
			}
		}
		if allowOthers {
			if !p.everything() {
				access.DenyRules = append(access.DenyRules, rule("others", workspaceAPI{ExcludedScopes: p.all()}))
			}
			continue
		}
		if len(p.write) > 0 {
			access.AllowRules = append(access.AllowRules, rule("all", workspaceAPI{Scopes: p.write}))
		}
		if len(p.read) > 0 {
			access.AllowRules = append(access.AllowRules, rule("read", workspaceAPI{Scopes: p.read, ScopeQualifier: readOnly}))
		}
	}
	if allowOthers {
		access.AllowRules = append(access.AllowRules, publicRule{
			Label: "scopegate-everyone", Origin: &publicOrigin{AllIpRanges: true}, Destination: &destination{AllDestinations: true},
		})
	}
	return access
}
