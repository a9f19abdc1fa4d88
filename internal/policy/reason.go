package policy

// Reason is the closed set of words that say why a request was decided as it was.
// They appear in records, metrics, refusals and in error.type of spans.
type Reason string

const (
	// Permitted: the token may call the operation.
	Permitted Reason = "permitted"
	// PublicRoute: the operation needs no token.
	PublicRoute Reason = "public_route"
	// PassedOAuth: an OAuth token was passed on unjudged, by the operator's choice.
	PassedOAuth Reason = "oauth_passed"

	// MissingCredential: the request carries no credential.
	MissingCredential Reason = "missing_credential"
	// UnsupportedCredential: it carries one that is not accepted here.
	UnsupportedCredential Reason = "unsupported_credential"
	// UnknownToken: the workspace has no such token.
	UnknownToken Reason = "unknown_token"
	// TokenExpired: it has expired.
	TokenExpired Reason = "token_expired"
	// WrongWorkspace: it belongs to another workspace than the request names.
	WrongWorkspace Reason = "wrong_workspace"
	// MissingScope: it does not hold a scope that the operation asks for.
	MissingScope Reason = "missing_scope"
	// PolicyDenied: a policy of the operator's does not permit the operation.
	PolicyDenied Reason = "policy_denied"
	// PolicyLifetime: a policy does not permit tokens that live for so long.
	PolicyLifetime Reason = "policy_lifetime"
	// AmbiguousRequest: the request could be understood in more than one way.
	AmbiguousRequest Reason = "ambiguous_request"
	// MalformedPath: its path cannot be understood at all.
	MalformedPath Reason = "malformed_path"
	// DirectoryUnavailable: what is known about the token could not be had.
	DirectoryUnavailable Reason = "directory_unavailable"
	// AuditUnavailable: the request could not have been recorded, and the operator
	// wants no access without a record.
	AuditUnavailable Reason = "audit_unavailable"
)
