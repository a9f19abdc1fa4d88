package tokens

import "strings"

// Unsupported says of a credential that is not accepted what it is, and what would work.
// Both are made of constants: nothing of what was sent is in them, not even its length.
type Unsupported struct {
	// What names the credential with its article, such as "a cluster-internal token".
	What string
	// Instead says to the client's user, in sentences, what to do.
	Instead string
}

// maxDescribed bounds the text that is looked into. Every step below reads it a fixed
// number of times.
const maxDescribed = maxJWTLength + 64

// What to do, for several kinds.
const (
	sendPAT    = "Send a personal access token of this workspace."
	sendAsIs   = "Send the token as Databricks showed it, after the word Bearer and one space."
	sendBearer = "Send the token after the word Bearer and one space, or with Basic as the password of the user token."
	checkSetup = "Look at how the client is configured; the token itself must be sent."
)

// Describe says what a value of the Authorization header is that [ParseAuthorization]
// does not accept, by its shape. OAuth tells that the gateway accepts OAuth access tokens;
// where it does not, Describe is also for them.
func Describe(value string, oauth bool) Unsupported {
	if len(value) > maxDescribed {
		return Unsupported{"a credential that is too long to be looked into", sendPAT}
	}
	header := value
	value = trimSpace(value)
	scheme, rest := cutScheme(value)
	switch {
	case value == "":
		return Unsupported{"an empty Authorization header", checkSetup}
	case rest == "" && strings.EqualFold(scheme, "Basic"):
		return noToken
	case strings.EqualFold(scheme, "Basic"):
		return describeBasic(value, rest, oauth)
	}
	if known := schemeNamed(scheme); known != "" && rest != "" {
		return Unsupported{known, "Send a personal access token after the word Bearer and one space."}
	}
	if told, ok := describeWrapped(header, oauth); ok {
		return told
	}
	plain := peel(value)
	if plain == "" {
		return noToken
	}
	if told := describeValue(plain, oauth); told != unknownKind {
		return told
	}
	if strings.EqualFold(scheme, "Bearer") || rest == "" {
		return unknownKind
	}
	if told := describeValue(peel(rest), oauth); told != unknownKind {
		return told
	}
	return Unsupported{"a credential of an authentication scheme that the gateway does not know", "Send a personal access token after the word Bearer and one space."}
}

// noToken is what is said where only the words around a token were sent.
var noToken = Unsupported{"the name of an authentication scheme with no token after it", "Perhaps a variable is not set. " + checkSetup}

// peel takes off what people put around a token.
func peel(value string) string {
	const most = 3
	for range most {
		before := value
		value = trimSpace(value)
		if n := len(value); n > 1 && value[0] == value[n-1] && strings.IndexByte("\"'`", value[0]) >= 0 {
			value = value[1 : n-1]
		}
		for _, word := range []string{"authorization", "bearer", "token"} {
			if len(value) >= len(word) && strings.EqualFold(value[:len(word)], word) {
				rest := value[len(word):]
				if rest == "" && word != "token" || strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "=") || word == "bearer" && strings.TrimLeft(rest, " \t") != rest {
					value = strings.TrimLeft(rest, ":= \t")
				}
			}
		}
		if value == before {
			break
		}
	}
	return value
}

// unknownKind is what is said of a value whose shape tells nothing.
var unknownKind = Unsupported{"not a kind of token that the gateway knows", sendPAT}

// describeValue describes a value that stands where a token should.
func describeValue(value string, oauth bool) Unsupported {
	for _, look := range []func(string) (Unsupported, bool){
		describeMasked, describePlaceholder, describePrefix, describeCutOff, describeEncoded, describeShape,
	} {
		if told, ok := look(value); ok {
			if oauth && told.What == clientSecret {
				told.Instead = "Exchange it for an access token at /oidc/v1/token, and send that."
			}
			return told
		}
	}
	return unknownKind
}

// cutScheme cuts off the first word. It is the whole value where there is no other.
func cutScheme(value string) (scheme, rest string) {
	i := strings.IndexAny(value, " \t")
	if i < 0 {
		return value, ""
	}
	return value[:i], trimSpace(value[i:])
}

func trimSpace(s string) string { return strings.Trim(s, " \t\r\n") }

// describeBasic describes a credential of the scheme Basic.
func describeBasic(value, encoded string, oauth bool) Unsupported {
	if at := findToken(encoded); at.kind != NoCredential {
		return Unsupported{at.what(encoded) + " that follows the word Basic and is not encoded for it", sendBearer}
	}
	decoded, ok := decodeBase64(encoded)
	if !ok {
		if told, ok := describeWrapped(value, oauth); ok {
			return told
		}
		if told := describeValue(encoded, oauth); told != unknownKind {
			return told
		}
		return Unsupported{"a credential of the scheme Basic that is not valid base64", sendBearer}
	}
	user, password, found := strings.Cut(decoded, ":")
	held := findToken(password)
	switch {
	case !found && findToken(decoded).kind != NoCredential:
		return Unsupported{findToken(decoded).what(decoded) + " in base64 without the user name token before it", sendBearer}
	case !found:
		return Unsupported{"a credential of the scheme Basic without a user name and a colon", sendBearer}
	case user == "token" && held.kind == JWT && !oauth:
		return describeJWT(held.in(password))
	case user == "token" && isPAT(password):
		return Unsupported{"a personal access token in a form of base64 that not every program reads alike", sendBearer}
	case user == "token" && held.kind != NoCredential:
		return Unsupported{held.what(password) + " that is not a password by itself", sendBearer}
	case held.kind != NoCredential:
		return Unsupported{held.what(password) + " with another user name than token", sendBearer}
	case findToken(user).kind != NoCredential:
		return Unsupported{findToken(user).what(user) + " as a user name", sendBearer}
	case strings.HasPrefix(password, "dose"):
		return describeValue(password, oauth)
	case user == "token" && trimSpace(password) == "":
		return Unsupported{"the user name token with no token as its password", checkSetup}
	case user == "token":
		return describeValue(password, oauth)
	}
	return Unsupported{"a user name and a password", "Databricks ended signing in with passwords in July 2024. " + sendPAT}
}
