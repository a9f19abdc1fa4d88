package why

import (
	"fmt"
	"strings"
)

// minPrefix is how many characters of a request id are needed to name a request.
const minPrefix = 8

// idLength is the length of a UUID.
const idLength = 36

// ParseID reads a request id, or the beginning of one, as a refusal or x-request-id shows
// it. Its errors do not repeat the text, which may be a token that was pasted by mistake.
func ParseID(text string) (prefix string, err error) {
	prefix = strings.ToLower(strings.TrimSpace(text))
	prefix = strings.TrimSuffix(strings.TrimPrefix(prefix, "[reqid: "), "]") // as messages have it
	prefix = strings.TrimSuffix(prefix, "…")
	switch {
	case len(prefix) > idLength || strings.Trim(prefix, "0123456789abcdef-") != "":
		return "", fmt.Errorf("this is no request id; it is the UUID after ReqId in a refusal, or in the response header x-request-id, and its first %d characters are enough", minPrefix)
	case len(prefix) < minPrefix:
		return "", fmt.Errorf("give at least the first %d characters of the request id, not %d", minPrefix, len(prefix))
	}
	return prefix, nil
}

// Several says that a prefix names several requests, such as two of which the ids are given.
func Several(n int, first, second string) error {
	return fmt.Errorf("%d request ids begin with these characters, such as %s and %s; type more of them", n, first, second)
}

// NoteSame notes that other requests have the same id.
func (s *Story) NoteSame(others int) {
	if others > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d more records have this id, which the workspace repeats or takes from clients; this is the newest", others))
	}
}
