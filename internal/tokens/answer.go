package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/strictjson"
)

// Unusable is the kind of an answer that cannot be used (fixed list): it came from the
// Token Management API, but what it says of a token makes no sense.
type Unusable string

const (
	// DuplicateName: two members of an object have the same name, in any letter case.
	DuplicateName Unusable = "duplicate_name"
	// WrongType: a value is of another type than documented, such as a text or a fraction
	// for a time, or null for the list of scopes.
	WrongType Unusable = "wrong_type"
	// OutOfRange: a number is none that a workspace could mean: a negative id, or a time
	// after the year 9999.
	OutOfRange Unusable = "out_of_range"
	// MissingFacts: there are no facts, or not whose they are.
	MissingFacts Unusable = "missing_facts"
	// OtherToken: the facts are about another token than the one asked for.
	OtherToken Unusable = "other_token"
	// Contradiction: a list has a token twice, and says different things of it.
	Contradiction Unusable = "contradiction"
	// NoExpiry: the answer does not say when the token expires, see [UnknownExpiry]. The
	// rest of it can be used.
	NoExpiry Unusable = "unknown_expiry"
)

// maxTime is the end of the year 9999 in epoch milliseconds. No token lives longer, and
// later times cannot be written as JSON.
const maxTime = 253402300799999

// unusableError says what is wrong with an answer. It quotes nothing from it.
type unusableError struct {
	kind Unusable
	what string
}

func (e *unusableError) Error() string { return e.what }

func unusable(kind Unusable, format string, args ...any) *UnavailableError {
	return &UnavailableError{Outage: UnusableAnswer, Err: &unusableError{kind, fmt.Sprintf(format, args...)}}
}

// tokenInfo is the SDK's type without the SDK's UnmarshalJSON, which uses reflection
// for each value and takes twenty times as long and as much memory: a list of 100,000
// tokens would keep a processor busy for fifteen seconds.
type tokenInfo settings.TokenInfo

// tokenAnswer is what an answer says of a token.
type tokenAnswer struct {
	tokenInfo
	// Scopes hides the one of tokenInfo.
	Scopes scopeList `json:"scopes"`
}

// scopeList is a list of scopes. It is absent for a token that was never narrowed, which
// may do everything. So null must not be read as absent: no document says that it means
// the same, and it could as well stand for "none".
type scopeList []string

func (l *scopeList) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		return &unusableError{WrongType, "scopes is not a list"}
	}
	*l = make([]string, 0, 4)
	for element := range strictjson.Elements(data) {
		var scope string
		if element[0] != '"' || json.Unmarshal(element, &scope) != nil || scope == "" {
			return &unusableError{WrongType, "scopes holds something that is not the name of a scope"}
		}
		*l = append(*l, scope)
	}
	return nil
}

// readToken reads the answer to a look-up.
func readToken(body []byte, id ID) (*settings.TokenInfo, error) {
	if !strictjson.Valid(body) {
		return nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("it is not JSON")}
	}
	var answer struct {
		TokenInfo *tokenAnswer `json:"token_info"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	if answer.TokenInfo == nil {
		return nil, unusable(MissingFacts, "there is no token_info")
	}
	info, err := answer.TokenInfo.check()
	if err == nil && info.TokenId != id.String() {
		err = unusable(OtherToken, "token_id is that of another token")
	}
	if err != nil {
		return nil, err
	}
	return info, nil
}

// decode decodes a valid text. Its errors are of type [*UnavailableError].
func decode(text []byte, into any) error {
	err := strictjson.Unique(text)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	var odd *unusableError
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strictjson.ErrDuplicate):
		return unusable(DuplicateName, "two members of an object have the same name")
	case errors.As(err, &odd):
		return &UnavailableError{Outage: UnusableAnswer, Err: odd}
	case errors.As(err, &mistyped) && mistyped.Field != "": // a name of ours
		return unusable(WrongType, "%s is not of type %s", mistyped.Field, typeName(mistyped.Type))
	}
	return unusable(WrongType, "it is not an object")
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int64:
		return "integer"
	case reflect.String:
		return "string"
	case reflect.Slice:
		return "list"
	}
	return "object"
}

// check returns the facts if their values can be meant. Whether an expiry or a creation is
// known is for the reader: see [expiryOf].
func (t *tokenAnswer) check() (*settings.TokenInfo, error) {
	info := (*settings.TokenInfo)(&t.tokenInfo)
	info.Scopes = t.Scopes
	if info.TokenId == "" {
		return nil, unusable(MissingFacts, "there is no token_id")
	}
	for _, number := range []struct {
		name  string
		value int64
	}{{"created_by_id", info.CreatedById}, {"owner_id", info.OwnerId}, {"workspace_id", info.WorkspaceId}} {
		if number.value < 0 {
			return nil, unusable(OutOfRange, "%s is negative", number.name)
		}
	}
	for _, number := range []struct {
		name  string
		value int64
	}{{"creation_time", info.CreationTime}, {"expiry_time", info.ExpiryTime}, {"last_used_day", info.LastUsedDay}} {
		if number.value > maxTime {
			return nil, unusable(OutOfRange, "%s is after the year 9999", number.name)
		}
	}
	return info, nil
}
