package drift

import (
	"strings"
)

// fromChallenge reads a WWW-Authenticate header of RFC 6750, section 3: an
// insufficient_scope error may list the scopes that are needed, all of them. Where nothing
// else says so, several in such a list are needed together.
func fromChallenge(value string) Named {
	params := bearer(value)
	if params["error"] != "insufficient_scope" {
		return Named{}
	}
	list := strings.Join(strings.Fields(params["scope"]), " ")
	if list == "" {
		return fromMessage(params["error_description"])
	}
	names := listed(list, " ")
	return Named{Scopes: names, Together: len(names) > 1}
}

// bearer returns the parameters of the Bearer challenge, nil if there is none or it is
// malformed. A name that is there twice is malformed.
func bearer(value string) map[string]string {
	const scheme = "bearer "
	for rest := value; rest != ""; {
		if hasPrefixFold(rest, scheme) {
			return parameters(rest[len(scheme):])
		}
		_, after, ok := nextParameter(rest)
		if !ok {
			return nil
		}
		rest = after
	}
	return nil
}

// parameters reads name=value pairs up to the next challenge.
func parameters(s string) map[string]string {
	params := make(map[string]string)
	for s = strings.TrimSpace(s); s != ""; {
		name, rest, ok := strings.Cut(s, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); !ok || strings.ContainsAny(name, " \"") {
			break // of another challenge
		}
		value, after, ok := nextParameter(strings.TrimLeft(rest, " "))
		if _, twice := params[name]; !ok || twice {
			return nil
		}
		params[name], s = value, after
	}
	return params
}

// nextParameter returns a value, which may be quoted, and what follows its comma.
func nextParameter(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := 0
		for end < len(s) && s[end] != ',' {
			if s[end] == '"' { // of a parameter that is skipped
				_, after, ok := nextParameter(s[end:])
				return "", after, ok
			}
			end++
		}
		return strings.TrimSpace(s[:end]), afterComma(s[end:]), true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), afterComma(s[i+1:]), true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
			fallthrough
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

func afterComma(s string) string { return strings.TrimLeft(s, " ,") }
