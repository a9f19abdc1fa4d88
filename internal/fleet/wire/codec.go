package wire

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
)

// never is the expiry of a token that never ends.
const never = -1

const (
	// maxScopes bounds each list of scopes of one token, and maxName a name in it, in bytes.
	maxScopes = 1000
	maxName   = 1024
	// maxTime is the last millisecond of the year 9999: no later one can be written.
	maxTime = 253_402_300_799_999
)

// TokenOf returns the wire form of facts, with an owner whose name may be known better.
func TokenOf(info *tokens.Info, owner tokens.Principal) *Token {
	token := &Token{
		ID: info.ID.String(), Owner: PrincipalOf(owner), Creator: PrincipalOf(info.Creator), WorkspaceID: info.WorkspaceID,
		Scopes: info.Scopes, InferredScopes: info.InferredScopes, BackfillScopes: info.BackfillScopes,
		AutoscopeState: info.AutoscopeState, Comment: info.Comment, Created: milliseconds(info.Created), LastUsed: milliseconds(info.LastUsed),
	}
	if at, ok := info.Expires.At(); ok {
		token.Expires = milliseconds(at)
	} else if info.Expires.Known() {
		token.Expires = never
	}
	return token
}

// PrincipalOf returns the wire form of a principal.
func PrincipalOf(p tokens.Principal) Principal {
	id, _ := p.ID()
	name, _ := p.Name()
	return Principal{ID: id, Name: name}
}

// milliseconds never returns what means something else than a time: a token that ended in 1969
// has ended.
func milliseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return min(max(1, at.UnixMilli()), maxTime)
}

// Principal returns the principal.
func (p Principal) Principal() tokens.Principal { return tokens.NewPrincipal(p.ID, p.Name) }

// Info returns the facts about the token with an id. They must be about that token.
func (t *Token) Info(expect tokens.ID) (*tokens.Info, error) {
	id, err := tokens.ParseID(t.ID)
	switch {
	case err != nil || id != expect:
		return nil, errors.New("the answer is about another token")
	case t.Expires < never || t.Created < 0 || t.LastUsed < 0 || max(t.Expires, t.Created, t.LastUsed) > maxTime || t.Owner.ID < 0 || t.Creator.ID < 0 || t.WorkspaceID < 0:
		return nil, errors.New("the answer has a number that is out of range")
	case max(len(t.Scopes), len(t.InferredScopes), len(t.BackfillScopes)) > maxScopes:
		return nil, fmt.Errorf("the answer has more than %d scopes", maxScopes)
	case slices.Contains(t.Scopes, ""):
		return nil, errors.New("the answer has a scope without a name")
	case slices.ContainsFunc(slices.Concat(t.Scopes, t.InferredScopes, t.BackfillScopes), func(s string) bool { return len(s) > maxName }):
		return nil, errors.New("the answer has a scope whose name is too long")
	}
	info := &tokens.Info{
		ID: id, Owner: t.Owner.Principal(), Creator: t.Creator.Principal(), WorkspaceID: t.WorkspaceID, Comment: t.Comment,
		Scopes: t.Scopes, InferredScopes: t.InferredScopes, BackfillScopes: t.BackfillScopes, AutoscopeState: t.AutoscopeState,
		Created: timeOf(t.Created), LastUsed: timeOf(t.LastUsed),
	}
	switch {
	case t.Expires == never:
		info.Expires = tokens.NeverExpires
	case t.Expires > 0:
		info.Expires = tokens.ExpiresAt(timeOf(t.Expires))
	}
	return info, nil
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// DecodeTokenAnswer reads a [TokenAnswer].
func DecodeTokenAnswer(body []byte) (answer TokenAnswer, err error) {
	told := struct {
		*TokenAnswer
		AgeMS *int64 `json:"age_ms"` // without one, facts of any age would seem new
	}{TokenAnswer: &answer}
	err = strictjson.Unmarshal(body, &told)
	switch {
	case err != nil:
	case answer.Token == nil:
		err = errors.New("the answer has no token")
	case told.AgeMS == nil:
		err = errors.New("the answer has no age")
	default:
		answer.AgeMS = *told.AgeMS
	}
	switch {
	case err != nil:
	case answer.AgeMS < 0 || answer.Workspace < 0:
		err = errors.New("the answer has a number that is out of range")
	default:
		err = answer.Position.check()
	}
	return answer, err
}

// DecodePosition reads the data of a hello or reset event.
func DecodePosition(data []byte) (position Position, err error) {
	if err = strictjson.Unmarshal(data, &position); err == nil {
		err = position.check()
	}
	return position, err
}

func (p Position) check() error {
	if _, ok := ParsePosition(p.String()); !ok {
		return errors.New("the answer has no position")
	}
	return nil
}

// DecodeOwnerAnswer reads an [OwnerAnswer] about the owner with an id.
func DecodeOwnerAnswer(body []byte, id int64) (answer OwnerAnswer, err error) {
	if err = strictjson.Unmarshal(body, &answer); err == nil && answer.Owner.ID != id {
		err = errors.New("the answer is about another owner")
	}
	return answer, err
}

// DecodeProblem reads a [Problem].
func DecodeProblem(body []byte) (problem Problem, err error) {
	err = strictjson.Unmarshal(body, &problem)
	switch {
	case err != nil:
	case problem.Code == "":
		err = errors.New("the answer has no code")
	case problem.AgeMS < 0 || problem.Workspace < 0:
		err = errors.New("the answer has a number that is out of range")
	}
	return problem, err
}

// DecodeChange reads the data of a change event. What a later version calls a kind that is not
// known here may concern anything.
func DecodeChange(data []byte) (fleet.Change, error) {
	var c Change
	if err := strictjson.Unmarshal(data, &c); err != nil {
		return fleet.Change{}, err
	}
	switch c.Kind {
	case fleet.TokenChanged:
		id, err := tokens.ParseID(c.Token)
		return fleet.Change{Kind: c.Kind, Token: id}, err
	case fleet.OwnerChanged:
		if c.Owner <= 0 {
			return fleet.Change{}, errors.New("the change has no owner")
		}
		return fleet.Change{Kind: c.Kind, Owner: c.Owner}, nil
	case fleet.AllChanged, fleet.OwnersChanged, fleet.UnknownChanged, fleet.Doubted, fleet.OwnersDoubted:
		return fleet.Change{Kind: c.Kind}, nil
	case "":
		return fleet.Change{}, errors.New("the change has no kind")
	}
	return fleet.Change{Kind: fleet.OwnersDoubted}, nil
}

// ChangeOf returns the wire form of a change.
func ChangeOf(change fleet.Change) Change {
	c := Change{Kind: change.Kind, Owner: change.Owner}
	if change.Kind == fleet.TokenChanged {
		c.Token = change.Token.String()
	}
	return c
}
