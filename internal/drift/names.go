package drift

import (
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// Named are the scopes that a refusal names.
type Named struct {
	// Scopes are sorted, and each is there once. There are none if the answer names none,
	// or anything else than scopes.
	Scopes []string
	// Together means that all of them are needed, rather than any one.
	Together bool
}

const (
	// maxNames is how many scopes one refusal may name. Databricks names three at most.
	maxNames = 8
	// maxName is the length of a name in bytes. The longest known one has 23.
	maxName = 64
)

// maxKind is the longest kind of token (access, PAT, OAuth), in bytes.
const maxKind = 16

// fromMessage reads the message of a refusal. It must be made of nothing but the phrase,
// the names and a request id: messages also quote what clients choose.
func fromMessage(message string) Named {
	message = strings.TrimSpace(message)
	list, ok := strings.CutPrefix(message, "Invalid scope, ")
	if !ok {
		rest, provided := strings.CutPrefix(message, "Provided ")
		kind, needs, found := strings.Cut(rest, " token does not have ")
		if !provided || !found || len(kind) > maxKind || strings.Trim(kind, letters) != "" {
			return Named{}
		}
		list = needs
	}
	for _, before := range []string{"required scopes: ", "required scope: "} {
		if names, ok := strings.CutPrefix(list, before); ok {
			return Named{Scopes: listed(withoutRequestID(names), ",")}
		}
	}
	return Named{}
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// withoutRequestID takes off " [ReqId: ...]", whose spelling varies.
func withoutRequestID(list string) string {
	list = strings.TrimSpace(list)
	if at := strings.LastIndexByte(list, '['); at >= 0 && strings.HasSuffix(list, "]") && hasPrefixFold(list[at:], "[reqid:") {
		list = strings.TrimSpace(list[:at])
	}
	return strings.TrimSuffix(list, ".")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// listed returns the names in a list, nil if anything in it is no name or there are too
// many. all-apis is left out beside others: it is always enough.
func listed(list, separator string) []string {
	var names []string
	for name := range strings.SplitSeq(list, separator) {
		name = strings.TrimSpace(name)
		if len(names) == maxNames || !IsScope(name) {
			return nil
		}
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 1 {
		names = slices.DeleteFunc(names, func(name string) bool { return name == scopes.AllAPIs })
	}
	return names
}

// IsScope reports whether a name has the form of a scope, as in the map. The words with a
// meaning of their own there are none.
func IsScope(name string) bool {
	switch name {
	case "public", "account", "optional":
		return false
	}
	return len(name) <= maxName && scopes.IsScope(name)
}
