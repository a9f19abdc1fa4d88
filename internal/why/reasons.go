package why

import "github.com/scopegate/scopegate/internal/policy"

// meanings are the reason codes in a sentence.
var meanings = map[policy.Reason]string{
	policy.Permitted:     "the token may call the operation",
	policy.PublicRoute:   "the operation needs no token",
	policy.PassedOAuth:   "OAuth tokens pass without a check, as configured (oauth pass)",
	policy.CORSPreflight: "a browser's preflight of an allowed origin passes without a check",

	policy.MissingCredential:     "the request carries no credential",
	policy.UnsupportedCredential: "the gateway does not accept this kind of credential",
	policy.UnknownToken:          "the workspace has no such token",
	policy.TokenExpired:          "the token has expired",
	policy.WrongWorkspace:        "the request, or its token, is for another workspace",
	policy.MissingScope:          "the token lacks the scope that the operation needs",
	policy.AccountLevelOperation: "the operation is of an account API, which no personal access token can call",
	policy.PolicyDenied:          "a policy of the gateway does not permit the operation",
	policy.PolicyLifetime:        "the token's lifetime exceeds the limit of a policy of the gateway",
	policy.AmbiguousRequest:      "the request can be understood in more than one way",
	policy.MalformedPath:         "the path cannot be read, or servers could read it as different operations",
	policy.MisdirectedRequest:    "the request is for a host or a path that the gateway does not serve",
	policy.CORSNotAllowed:        "a browser's preflight of an origin that the gateway does not allow",
	policy.DirectoryUnavailable:  "the token could not be looked up",
	policy.GatewayMisconfigured:  "the gateway, or a proxy that asks it, cannot judge requests until its operator has fixed something",
	policy.AuditUnavailable:      "the decision could not be recorded, and the gateway lets nothing pass without a record",
}

func meaning(reason policy.Reason) string {
	if known, ok := meanings[reason]; ok {
		return known
	}
	return "this version does not know the reason; it may be of a later one"
}
