package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/strictjson"
)

const (
	// maxScopes bounds the list of a workspace's scopes, which has 55 names or so.
	maxScopes = 1000
	// maxScopeName bounds the name of a scope, in bytes.
	maxScopeName = 100
)

// TokenScopes returns the names of the scopes that a workspace's personal access tokens
// can have, sorted, as GET /api/2.0/token-scopes gives them to its admin. The timeout
// bounds each request, default 10 seconds. The error is an [*UnavailableError].
func TokenScopes(ctx context.Context, workspace string, admin Admin, timeout time.Duration) ([]string, error) {
	timeout = cmp.Or(timeout, defaultVerifyTimeout)
	transport := NewTransport(timeout)
	defer transport.Close()
	api, err := admin.newClient(workspace, timeout, transport)
	if err != nil {
		return nil, notConfigured(err)
	}
	body, err := read(ctx, api, "/token-scopes")
	if err != nil {
		return nil, changeFailed(err)
	}
	names, err := readScopeList(body)
	if err != nil {
		return nil, &UnavailableError{Outage: BadAnswer, Err: err}
	}
	return names, nil
}

// readScopeList reads a list of scopes whose form no document gives: an array, or an
// object with one array of names among its members.
func readScopeList(body []byte) ([]string, error) {
	if err := strictjson.Check(body); err != nil {
		return nil, err
	}
	switch strictjson.Kind(body) {
	case '[':
		return ScopeNames(body)
	case '{':
		return readScopeObject(body)
	}
	return nil, errors.New("it is neither a list nor an object")
}

func readScopeObject(object []byte) ([]string, error) {
	var list []byte
	for name, value := range strictjson.Members(object) {
		switch kind := strictjson.Kind(value); {
		case name == "next_page_token" && kind == '"' && string(value) != `""`:
			return nil, errors.New("it is one page of several")
		case kind != '[':
		case list != nil:
			return nil, errors.New("it has more than one list")
		default:
			list = value
		}
	}
	if list == nil {
		return nil, errors.New("it has no list")
	}
	return ScopeNames(list)
}

// ScopeNames returns the scopes in a JSON array, sorted, each once. Its elements are names,
// or objects that have one. The text must be valid. An element without a name that a scope
// can have is an error: a list that is understood in part would be taken for the whole.
func ScopeNames(array []byte) ([]string, error) {
	if strictjson.Kind(array) != '[' {
		return nil, errors.New("it is not a list")
	}
	var names []string
	for element := range strictjson.Elements(array) {
		name, ok := scopeName(element)
		if !ok {
			return nil, errors.New("it holds something that is not the name of a scope")
		}
		if len(names) == maxScopes {
			return nil, fmt.Errorf("it has more than %d names", maxScopes)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, errors.New("it is empty")
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// nameMembers are the members of an element that may hold a scope's name, best first.
var nameMembers = []string{"scope", "name", "scope_name", "id", "value"}

// scopeName returns the name that an element of a list is, or has.
func scopeName(element []byte) (name string, ok bool) {
	if strictjson.Kind(element) == '{' {
		best := len(nameMembers)
		var found []byte
		for member, value := range strictjson.Members(element) {
			if i := slices.Index(nameMembers, member); i >= 0 && i < best && strictjson.Kind(value) == '"' {
				best, found = i, value
			}
		}
		element = found
	}
	if len(element) == 0 || element[0] != '"' || json.Unmarshal(element, &name) != nil {
		return "", false
	}
	return name, isScopeName(name)
}

// isScopeName reports whether a text has the alphabet of scopes (RFC 6749, section 3.3).
func isScopeName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return name != "" && len(name) <= maxScopeName
}
