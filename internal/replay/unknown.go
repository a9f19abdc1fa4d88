package replay

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// A record does not have all that policies can ask for. What it lacks is judged twice: as if
// every policy that asks for it narrowed the token, and as if none did. Policies only narrow,
// so where both let the request pass, or both refuse it, the truth does the same.

// missing is a set of what a record lacks, taken as narrowly as policies can.
type missing uint8

const (
	ownersName     missing = 1 << iota
	creatorsNumber         // the name is in the record
	commentText
	lifetime    // creation and expiry
	scopesAtAll // whether all-apis stands for no scopes
)

// wide is the empty set.
const wide missing = 0

// unrecordedID is a number that no user has.
const unrecordedID = 1<<62 + 1

// unrecorded is a name and a comment that only wildcards match.
const unrecorded = "not-recorded.scopegate.invalid"

// dependence is what policies ask for.
type dependence struct{ owner, creator, comment, expiry bool }

func dependenceOf(by *judge.Judge) (d dependence) {
	for i := range by.Rules.Policies {
		p := &by.Rules.Policies[i]
		d.expiry = d.expiry || p.RequireExpiry || p.MaxLifetime > 0
		for k := range p.Match {
			switch p.Match[k].Kind {
			case "owner":
				d.owner = true
			case "creator":
				d.creator = true
			case "comment":
				d.comment = true
			}
		}
	}
	return d
}

// doubt is something that the record lacks and that the rules ask for.
type doubt struct {
	missing
	why string
}

// doubts returns what the record lacks and the rules ask for.
func (r *recorded) doubts(by *judge.Judge) (doubts []doubt) {
	add := func(when bool, what missing, why string) {
		if when {
			doubts = append(doubts, doubt{what, why})
		}
	}
	_, named := r.ownerName()
	_, numbered := creatorOf(r.Creator)
	_, told := r.comment()
	add(r.depends.owner && !named, ownersName, whyOwner)
	add(r.depends.creator && !numbered, creatorsNumber, whyCreator)
	add(r.depends.comment && !told, commentText, whyComment)
	add(r.depends.expiry, lifetime, whyExpiry)
	add(r.mayBeUnscoped() && !by.Rules.AllowUnscoped, scopesAtAll, whyUnscoped)
	return doubts
}

// subject returns what is known of the token. What is missing is narrow where the set has it,
// and wide otherwise.
func (r *recorded) subject(narrow missing) policy.Subject {
	info := &tokens.Info{ID: r.id, Scopes: r.Held, OAuth: r.Facts.Source == judge.FromToken}
	name, named := r.ownerName()
	info.Owner = tokens.NewPrincipal(r.OwnerID(), name)
	if !named && narrow&ownersName == 0 {
		info.Owner = tokens.NewPrincipal(r.OwnerID(), unrecorded)
	}
	creator, numbered := creatorOf(r.Creator)
	if !numbered && narrow&creatorsNumber == 0 {
		name, _ := creator.Name()
		creator = tokens.NewPrincipal(unrecordedID, name)
	}
	info.Creator = creator
	subject := policy.Subject{Info: info, Owner: info.Owner}
	comment, told := r.comment()
	info.Comment = comment
	if !told {
		info.Comment, subject.CommentUnknown = unrecorded, narrow&commentText != 0
	}
	switch {
	case r.Reason == policy.TokenExpired:
		info.Expires = tokens.ExpiresAt(r.Time)
	case narrow&lifetime == 0:
		info.Created, info.Expires = r.Time, tokens.ExpiresAt(r.Time.Add(time.Nanosecond))
	}
	if r.mayBeUnscoped() && narrow&scopesAtAll != 0 {
		info.Scopes = nil
	}
	return subject
}

// mayBeUnscoped reports whether the token may have no scopes, which let it do everything.
func (r *recorded) mayBeUnscoped() bool {
	return r.Facts.Source != judge.FromToken && slices.Equal(r.Held, []string{scopes.AllAPIs})
}

// creatorOf returns the creator of a token, and whether a policy that matches by the number
// would not have known more then.
func creatorOf(text string) (creator tokens.Principal, sure bool) {
	switch id, err := strconv.ParseInt(text, 10, 64); {
	case text == "":
		return tokens.NoPrincipal, true
	case text == tokens.Unknown:
		return tokens.Principal{}, true
	case err == nil:
		return tokens.NewPrincipal(id, ""), true
	}
	return tokens.NewPrincipal(0, text), false
}

// comment returns the comment of the token, and whether the record has it. Records have a hash
// by default, and neither a cut comment nor one in which something is hidden is the comment.
func (r *recorded) comment() (text string, told bool) {
	const hash = "sha256:"
	text = r.Decision.Comment
	if text == "" || strings.HasPrefix(text, hash) || strings.Contains(text, sanitize.Mark) {
		return "", r.Facts.Source == judge.FromToken // OAuth tokens have none
	}
	return text, true
}
