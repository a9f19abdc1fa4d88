package policy

// Reason is a reason code (fixed list): why a request was decided as it was. Reason
// codes appear in records, metrics, refusals and the error.type of spans.
type Reason string

const (
	// Permitted: the token may call the operation.
	Permitted Reason = "permitted"
	// PublicRoute: the operation needs no token.
	PublicRoute Reason = "public_route"
	// PassedOAuth: an OAuth token was passed on without a check, as configured.
	PassedOAuth Reason = "oauth_passed"
	// CORSPreflight: a browser's preflight of an origin that is allowed was passed on
	// without a check.
	CORSPreflight Reason = "cors_preflight"

	// MissingCredential: the request carries no credential.
	MissingCredential Reason = "missing_credential"
	// UnsupportedCredential: the credential is of a kind that the gateway rejects.
	UnsupportedCredential Reason = "unsupported_credential"
	// UnknownToken: the workspace has no such token.
	UnknownToken Reason = "unknown_token"
	// TokenExpired: the token has expired.
	TokenExpired Reason = "token_expired"
	// WrongWorkspace: the request names a workspace that the token does not belong to.
	WrongWorkspace Reason = "wrong_workspace"
	// MissingScope: the token holds none of the scopes that would permit the operation.
	MissingScope Reason = "missing_scope"
	// AccountLevelOperation: the operation belongs to an account API, which no personal
	// access token can call.
	AccountLevelOperation Reason = "account_level_operation"
	// PolicyDenied: a policy does not permit the operation.
	PolicyDenied Reason = "policy_denied"
	// PolicyLifetime: the token's lifetime exceeds a policy's limit.
	PolicyLifetime Reason = "policy_lifetime"
	// AmbiguousRequest: the request could be understood in more than one way.
	AmbiguousRequest Reason = "ambiguous_request"
	// MalformedPath: the path cannot be parsed, or servers could read it as different
	// operations.
	MalformedPath Reason = "malformed_path"
	// MisdirectedRequest: the request is for a host that no site serves, or for a path
	// that its site does not pass to the workspace.
	MisdirectedRequest Reason = "misdirected_request"
	// CORSNotAllowed: the request is a browser's preflight of an origin that is not allowed.
	CORSNotAllowed Reason = "cors_not_allowed"
	// DirectoryUnavailable: the token could not be looked up.
	DirectoryUnavailable Reason = "directory_unavailable"
	// GatewayMisconfigured: tokens cannot be looked up until the operator of the gateway
	// has fixed something, such as its admin credential.
	GatewayMisconfigured Reason = "gateway_misconfigured"
	// AuditUnavailable: there was no room for the audit record, and the operator wants
	// no access without a record.
	AuditUnavailable Reason = "audit_unavailable"
)
