package oauth

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

const (
	// leeway is how far this machine's clock may be behind the workspace's. It
	// applies to the start of a token's life, never to its end.
	leeway = 30 * time.Second

	// maxKeyID bounds the length of a key ID, since unknown IDs are cached.
	maxKeyID = 256

	// maxNumericDate is the end of the year 9999. Later dates are mistakes, and
	// overflow somewhere.
	maxNumericDate = 253402300799
)

// supportedAlgorithms may sign an access token: asymmetric algorithms only, so that
// a public key can never serve as a shared secret (RFC 8725, section 2.1), and
// never none. The workspace's metadata narrows the list further.
var supportedAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512,
}

// header is the part of a JWT header that we read. Key locations (jku, jwk, x5u,
// x5c) are ignored: keys come from the workspace only (RFC 8725, section 3.10).
type header struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Type      string          `json:"typ"`
	Critical  json.RawMessage `json:"crit"`
	Encoded   json.RawMessage `json:"b64"`
}

// claims are the claims that we read (RFC 7519, section 4.1; RFC 9068, section
// 2.2).
type claims struct {
	Issuer    string          `json:"iss"`
	Audience  json.RawMessage `json:"aud"`
	Subject   string          `json:"sub"`
	Expires   *float64        `json:"exp"`
	NotBefore *float64        `json:"nbf"`
	IssuedAt  *float64        `json:"iat"`
	Scope     *string         `json:"scope"`
	SCP       json.RawMessage `json:"scp"`
}

// token is a parsed access token whose signature has not been verified.
type token struct {
	header    header
	claims    claims
	algorithm jose.SignatureAlgorithm
	payload   []byte
	audience  []string
	scopes    []string
}

// parseToken parses a token (see [tokens.IsJWT]) and rejects what no signature
// could make acceptable. Its only error is [ErrInvalid].
func parseToken(raw string) (*token, error) {
	parts := strings.Split(raw, ".")
	var t token
	if len(parts) != 3 || !decodePart(parts[0], &t.header, nil) || !t.header.acceptable() {
		return nil, ErrInvalid
	}
	t.algorithm = jose.SignatureAlgorithm(t.header.Algorithm)
	if !decodePart(parts[1], &t.claims, &t.payload) || !t.claims.complete() {
		return nil, ErrInvalid
	}
	var ok bool
	if t.audience, ok = stringOrList(t.claims.Audience); !ok {
		return nil, ErrInvalid
	}
	if t.scopes = t.claims.scopes(); len(t.scopes) == 0 {
		return nil, ErrInvalid
	}
	// One signature must have one spelling; otherwise one token has many IDs.
	if _, err := strictBase64.DecodeString(parts[2]); err != nil {
		return nil, ErrInvalid
	}
	return &t, nil
}

// strictBase64 also rejects non-zero trailing padding bits (RFC 4648, section 3.5).
var strictBase64 = base64.RawURLEncoding.Strict()

// decodePart decodes one part of a token. It uses go-jose's JSON decoder, which
// compares names exactly and rejects duplicate names: the standard library would
// read {"scope":"sql","SCOPE":"all-apis"} as all-apis.
func decodePart(part string, into any, keep *[]byte) bool {
	decoded, err := strictBase64.DecodeString(part)
	// Decoders disagree on invalid UTF-8, and RFC 7519, section 7.2, forbids it.
	if err != nil || !utf8.Valid(decoded) || json.Unmarshal(decoded, into) != nil {
		return false
	}
	if keep != nil {
		*keep = decoded
	}
	return true
}

// acceptable reports whether a token with this header may be verified at all.
func (h *header) acceptable() bool {
	switch {
	case !slices.Contains(supportedAlgorithms, jose.SignatureAlgorithm(h.Algorithm)):
		return false
	case h.KeyID == "" || len(h.KeyID) > maxKeyID:
		return false // the workspace names its keys; trying all of them would be expensive
	case h.Critical != nil:
		return false // RFC 7515, section 4.1.11: we understand no extensions
	case h.Encoded != nil:
		return false // RFC 7797, section 7: a JWT's payload is always encoded
	}
	// RFC 9068, section 4, asks for at+jwt, which Databricks sends. Others often send
	// JWT or nothing. A token that declares another type, such as a logout token, is
	// not an access token (RFC 8725, section 3.11).
	switch strings.TrimPrefix(strings.ToLower(h.Type), "application/") {
	case "", "jwt", "at+jwt":
		return true
	}
	return false
}

// complete reports whether all required claims are present and all dates are valid.
func (c *claims) complete() bool {
	return c.Issuer != "" && c.Subject != "" && c.Expires != nil &&
		isNumericDate(c.Expires) && isNumericDate(c.NotBefore) && isNumericDate(c.IssuedAt)
}

func isNumericDate(n *float64) bool { return n == nil || *n > 0 && *n <= maxNumericDate }

// numericDate drops the fraction, so that no token lives longer than it says.
func numericDate(n *float64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return time.Unix(int64(*n), 0)
}

// validAt checks the dates (RFC 7519, sections 4.1.4 to 4.1.6).
func (c *claims) validAt(now time.Time) error {
	latest := now.Add(leeway)
	switch {
	case !now.Before(numericDate(c.Expires)):
		return ErrExpired
	case numericDate(c.NotBefore).After(latest), numericDate(c.IssuedAt).After(latest):
		return ErrInvalid
	}
	return nil
}

// scopes returns the API scopes, or nil if the claims name none or are ambiguous.
// Databricks sends scope, a string (RFC 9068, section 2.2.3); other servers send
// scp. If both are present they must agree.
func (c *claims) scopes() []string {
	var scope, scp []string
	ok := true
	if c.Scope != nil {
		scope, ok = apiScopes(strings.Split(*c.Scope, " "))
	}
	if c.SCP != nil && ok {
		var list []string
		if list, ok = stringOrList(c.SCP); ok {
			if isString(c.SCP) {
				list = strings.Split(list[0], " ")
			}
			scp, ok = apiScopes(list)
		}
	}
	switch {
	case !ok:
		return nil
	case c.SCP == nil:
		return scope
	case c.Scope == nil || slices.Equal(scope, scp):
		return scp
	}
	return nil
}

// apiScopes sorts scopes and drops those about signing in rather than the API
// (OpenID Connect Core 1.0, sections 5.4 and 11). It rejects characters outside the
// alphabet of scopes (RFC 6749, section 3.3), such as a tab, which another reader
// might treat as a separator.
func apiScopes(list []string) (api []string, ok bool) {
	for _, scope := range list {
		for i := range len(scope) {
			if c := scope[i]; c <= ' ' || c == '"' || c == '\\' || c >= 0x7f {
				return nil, false
			}
		}
		if scope != "" && !scopes.IsSignIn(scope) {
			api = append(api, scope)
		}
	}
	slices.Sort(api)
	return slices.Compact(api), true
}

func isString(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }

// stringOrList reads a string or a list of strings.
func stringOrList(raw json.RawMessage) ([]string, bool) {
	if isString(raw) {
		var one string
		err := json.Unmarshal(raw, &one)
		return []string{one}, err == nil
	}
	var list []string
	return list, len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &list) == nil
}

func (t *token) info(id tokens.ID, workspaceID int64) *tokens.Info {
	// The subject has a name and no number, and is who signed in for the token.
	subject := tokens.NewPrincipal(0, t.claims.Subject)
	return &tokens.Info{
		ID:          id,
		Owner:       subject,
		Creator:     subject,
		WorkspaceID: workspaceID,
		Created:     numericDate(t.claims.IssuedAt),
		Expires:     tokens.ExpiresAt(numericDate(t.claims.Expires)),
		Scopes:      t.scopes,
		OAuth:       true,
	}
}
