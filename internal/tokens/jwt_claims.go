package tokens

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// jwtLeeway is how far this machine's clock may be behind the workspace's. It
	// applies to the beginning of a token's life, never to its end.
	jwtLeeway = 30 * time.Second

	// maxKeyID bounds the key ids that are remembered as unknown.
	maxKeyID = 256

	// maxNumericDate is the end of the year 9999. Later dates are mistakes, and
	// overflow somewhere.
	maxNumericDate = 253402300799
)

// jwtAlgorithms are the algorithms that may sign an access token: asymmetric ones
// only, so that a public key can never serve as a shared secret (RFC 8725, section
// 2.1), and never none. Which of them counts, the workspace says.
var jwtAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512,
}

// jwtHeader is what is read of the header. Where to find keys (jku, jwk, x5u, x5c)
// is not: keys come from the workspace and nowhere else (RFC 8725, section 3.10).
type jwtHeader struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Type      string          `json:"typ"`
	Critical  json.RawMessage `json:"crit"`
	Encoded   json.RawMessage `json:"b64"`
}

// jwtClaims is what is read of the claims (RFC 7519, section 4.1; RFC 9068,
// section 2.2).
type jwtClaims struct {
	Issuer    string          `json:"iss"`
	Audience  json.RawMessage `json:"aud"`
	Subject   string          `json:"sub"`
	Expires   *float64        `json:"exp"`
	NotBefore *float64        `json:"nbf"`
	IssuedAt  *float64        `json:"iat"`
	Scope     *string         `json:"scope"`
	SCP       json.RawMessage `json:"scp"`
}

// jwt is a token that was read and not verified.
type jwt struct {
	header    jwtHeader
	claims    jwtClaims
	algorithm jose.SignatureAlgorithm
	payload   []byte
	audience  []string
	scopes    []string
}

// parseJWT reads a token that has the shape of one (see isJWT) and refuses what no
// signature could make acceptable. It returns no error but [ErrInvalidJWT].
func parseJWT(raw string) (*jwt, error) {
	parts := strings.Split(raw, ".")
	var token jwt
	if len(parts) != 3 || !decodePart(parts[0], &token.header, nil) || !token.header.acceptable() {
		return nil, ErrInvalidJWT
	}
	token.algorithm = jose.SignatureAlgorithm(token.header.Algorithm)
	if !decodePart(parts[1], &token.claims, &token.payload) || !token.claims.complete() {
		return nil, ErrInvalidJWT
	}
	var ok bool
	if token.audience, ok = stringOrList(token.claims.Audience); !ok {
		return nil, ErrInvalidJWT
	}
	if token.scopes = token.claims.scopes(); len(token.scopes) == 0 {
		return nil, ErrInvalidJWT
	}
	// One signature, one text: otherwise a token has many ids.
	if _, err := strictBase64.DecodeString(parts[2]); err != nil {
		return nil, ErrInvalidJWT
	}
	return &token, nil
}

// strictBase64 also refuses bits that no byte is made of (RFC 4648, section 3.5).
var strictBase64 = base64.RawURLEncoding.Strict()

// decodePart decodes one part of a token. go-jose's JSON decoder is used because
// it compares names exactly and refuses an object that has one twice: with the
// standard library's, {"scope":"sql","SCOPE":"all-apis"} would read as all-apis.
func decodePart(part string, into any, keep *[]byte) bool {
	decoded, err := strictBase64.DecodeString(part)
	// Broken UTF-8 is read in more ways than one; RFC 7519, section 7.2, has none.
	if err != nil || !utf8.Valid(decoded) || json.Unmarshal(decoded, into) != nil {
		return false
	}
	if keep != nil {
		*keep = decoded
	}
	return true
}

// acceptable judges what the header says.
func (h *jwtHeader) acceptable() bool {
	switch {
	case !slices.Contains(jwtAlgorithms, jose.SignatureAlgorithm(h.Algorithm)):
		return false
	case h.KeyID == "" || len(h.KeyID) > maxKeyID:
		return false // the workspace names its keys; trying them all would be dear
	case h.Critical != nil:
		return false // RFC 7515, section 4.1.11: no extension is understood here
	case h.Encoded != nil:
		return false // RFC 7797, section 7: no JWT has an unencoded payload
	}
	// RFC 9068, section 4, asks for at+jwt. Databricks' own tokens say so; plain
	// JWT and nothing are common elsewhere. What declares itself to be something
	// else, such as a logout token, is (RFC 8725, section 3.11).
	switch strings.TrimPrefix(strings.ToLower(h.Type), "application/") {
	case "", "jwt", "at+jwt":
		return true
	}
	return false
}

// complete reports whether the claims that every access token has are there, and
// the dates are dates.
func (c *jwtClaims) complete() bool {
	return c.Issuer != "" && c.Subject != "" && c.Expires != nil &&
		isNumericDate(c.Expires) && isNumericDate(c.NotBefore) && isNumericDate(c.IssuedAt)
}

func isNumericDate(n *float64) bool { return n == nil || *n > 0 && *n <= maxNumericDate }

// numericDate drops the fraction, so that no token ends later than it says.
func numericDate(n *float64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return time.Unix(int64(*n), 0)
}

// validAt judges the dates (RFC 7519, sections 4.1.4 to 4.1.6).
func (c *jwtClaims) validAt(now time.Time) error {
	begins := now.Add(jwtLeeway)
	switch {
	case !now.Before(numericDate(c.Expires)):
		return ErrExpiredJWT
	case numericDate(c.NotBefore).After(begins), numericDate(c.IssuedAt).After(begins):
		return ErrInvalidJWT
	}
	return nil
}

// scopes returns the API scopes, or nothing for claims that name none or that
// could be read in two ways. The claim is scope, a string (RFC 9068, section
// 2.2.3); scp is how others call it. Where both are present they must agree.
func (c *jwtClaims) scopes() []string {
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

// apiScopes sorts scopes and drops those that are about signing in and not about
// the API (OpenID Connect Core 1.0, sections 5.4 and 11). It refuses what is not
// in the alphabet of scopes (RFC 6749, section 3.3), such as a tab that another
// reader might take for a separator.
func apiScopes(list []string) (scopes []string, ok bool) {
	for _, scope := range list {
		for i := range len(scope) {
			if c := scope[i]; c <= ' ' || c == '"' || c == '\\' || c >= 0x7f {
				return nil, false
			}
		}
		switch scope {
		case "", "openid", "profile", "email", "address", "phone", "offline_access":
		default:
			scopes = append(scopes, scope)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), true
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

func (t *jwt) info(id ID, workspaceID int64) *Info {
	return &Info{
		ID:          id,
		CreatorName: t.claims.Subject,
		WorkspaceID: workspaceID,
		Created:     numericDate(t.claims.IssuedAt),
		Expires:     numericDate(t.claims.Expires),
		Scopes:      t.scopes,
	}
}
