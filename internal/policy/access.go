package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// AccessRead is the access of a policy that permits nothing but reads.
const AccessRead = "read"

// readSuffix follows a scope of which a policy permits nothing but reads.
const readSuffix = ":" + AccessRead

// onlyReads says what [Policy.ReadOnly] permits, and by which option, for the refusal.
const onlyReads = "permits only reads (access read)"

// ParseCeiling returns the Ceiling and ReadCeiling of a policy from names of scopes, some
// of which may be limited to reads: "sql:read". A name that only OAuth tokens carry, such as
// "sql.warehouses:read", is taken as it is, and permits nothing.
func ParseCeiling(names []string) (ceiling, ofReads []string, err error) {
	limited := false
	for _, name := range names {
		i := strings.IndexByte(name, ':')
		if i < 0 || slices.Contains(scopes.OAuthScopes(), name) {
			ceiling = append(ceiling, name)
			if !slices.Contains(ofReads, name) {
				ofReads = append(ofReads, name)
			}
			continue
		}
		scope, access := name[:i], name[i:]
		switch {
		case access == readSuffix && scopes.IsScope(scope):
			limited = true
			if !slices.Contains(ofReads, scope) {
				ofReads = append(ofReads, scope)
			}
		case access == readSuffix:
			return nil, nil, fmt.Errorf("scopes has %q, and no scope stands before %s; write a scope with it, such as sql%s, or access %s for all scopes", name, readSuffix, readSuffix, AccessRead)
		case scopes.IsScope(scope):
			return nil, nil, fmt.Errorf("scopes has %q, but only %s can follow a scope; write %s%s for its reads, or %s for its reads and writes", name, readSuffix, scope, readSuffix, scope)
		default:
			return nil, nil, fmt.Errorf("scopes has %q, which is no scope; write one such as sql, or sql%s for its reads", name, readSuffix)
		}
	}
	if !limited {
		return ceiling, nil, nil
	}
	return ceiling, ofReads, nil
}

// Scopes returns the scopes of the policy, those that are limited to reads among them, in
// the order of the configuration. The caller must not modify the list.
func (p *Policy) Scopes() []string {
	if len(p.ReadCeiling) > 0 {
		return p.ReadCeiling
	}
	return p.Ceiling
}

// LimitsToReads reports whether the policy permits something only where it reads.
func (p *Policy) LimitsToReads() bool { return p.ReadOnly || len(p.ReadCeiling) > 0 }

// PermitsRoute reports whether the policy can permit a route that it allows: with ReadOnly,
// it must cover one of the operations that only reads.
func (p *Policy) PermitsRoute(r Route, operations []scopes.Operation) bool {
	return !p.ReadOnly || r.permitsReads(operations)
}

// permitsAll reports whether the policy names nothing that it permits, and so permits
// everything as far as scopes and routes go.
func (p *Policy) permitsAll() bool {
	return len(p.Ceiling) == 0 && len(p.ReadCeiling) == 0 && len(p.Allow) == 0
}

// ceiling returns the scopes by which the policy permits an operation.
func (p *Policy) ceiling(operation *scopes.Operation) []string {
	if len(p.ReadCeiling) > 0 && operation.Reads() {
		return p.ReadCeiling
	}
	return p.Ceiling
}

// Access says how policies take an operation, in the words of the catalog, and why that is
// if it is not the method.
func Access(operation *scopes.Operation) (access, reason string) {
	if operation.Effect == scopes.Unclassed {
		return scopes.Write.String(), "the map does not say"
	}
	return operation.Effect.String(), operation.EffectReason
}

// writes says why an operation counts as a write.
func writes(operation *scopes.Operation) string {
	switch {
	case operation.Unmapped():
		return "the map does not have this path, so it counts as a write"
	case operation.Effect == scopes.Unclassed:
		return "the map does not say that this operation only reads, so it counts as a write"
	}
	return "this operation writes"
}
