package authority

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// soon is how young facts must be wanted for that to count as a look-up: they are hardly ever
// there already.
const soon = time.Second

// token answers what is known of one token.
func (s *Server) token(w http.ResponseWriter, r *http.Request, c *call, name string) *problem {
	id, ok := tokenID(name)
	if !ok {
		return malformed("a token id has 64 hexadecimal digits, in lower case")
	}
	wanted, ok := newerThan(r.URL.RawQuery)
	if !ok {
		return malformed("the query may be newer_than_ms and a number")
	}
	fresh := s.options.Freshness
	fresh.TTL = min(fresh.TTL, wanted)
	var refund func()
	if !s.options.Tokens.Known(id) || wanted < soon {
		var wait time.Duration
		if refund, wait, ok = c.edge.takeUnknown(c.now); !ok {
			return tooMany("this edge asks for more unknown tokens than limits allow", wait)
		}
	}
	epoch, generation := s.options.Log.Position() // before the look-up: the answer is no older
	facts, err := s.options.Tokens.Resolve(r.Context(), id, fresh)
	if refund != nil && free(facts, err, wanted) {
		refund()
	}
	if err != nil {
		return s.noToken(facts, err)
	}
	_ = c.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // the look-up took its time
	owner := s.options.Tokens.Owner(facts.Info)
	number, _ := owner.ID()
	s.edges.told(c.edge, number)
	s.answer(w, http.StatusOK, wire.TokenAnswer{
		Token:     wire.TokenOf(facts.Info, owner),
		AgeMS:     age(s.options.Now(), facts.At),
		Workspace: s.options.Tokens.WorkspaceID(),
		Position:  wire.Position{Epoch: epoch, Generation: generation},
	})
	return nil
}

// free reports whether an answer took nothing that unknown tokens are limited for: it is about
// a token that there is, or nobody was asked.
func free(facts tokens.Facts, err error, wanted time.Duration) bool {
	if err == nil {
		return wanted >= soon || facts.Source == tokens.FromCache
	}
	if errors.Is(err, tokens.ErrUnknownToken) {
		return facts.At.IsZero()
	}
	outage, ok := errors.AsType[*tokens.UnavailableError](err)
	if !ok {
		return false
	}
	switch outage.Outage {
	case tokens.Paused, tokens.Overloaded, tokens.Closed, tokens.NotConfigured:
		return true
	}
	return false
}

// noToken says why there are no facts.
func (s *Server) noToken(facts tokens.Facts, err error) *problem {
	if errors.Is(err, tokens.ErrUnknownToken) {
		p := refuse(http.StatusNotFound, wire.UnknownTokenCode, "the workspace has no token of this id")
		// What was remembered to be unknown may be as old as that is remembered.
		p.body.AgeMS = s.options.Freshness.NegativeTTL.Milliseconds()
		if !facts.At.IsZero() {
			p.body.AgeMS = age(s.options.Now(), facts.At)
		}
		p.body.Workspace = s.options.Tokens.WorkspaceID()
		return p
	}
	return outageOf(err)
}

// outageOf returns the answer for what could not be found out.
func outageOf(err error) *problem {
	outage, ok := errors.AsType[*tokens.UnavailableError](err)
	if !ok {
		return unavailable("the answer took too long")
	}
	root := outage.Root() // that look-ups pause is this authority's own affair
	p := unavailable(root.Outage.Advice())
	p.body.Outage = string(root.Outage)
	p.retry = max(time.Second, outage.RetryAfter)
	return p
}

// owner answers who owns tokens that the edge was told of.
func (s *Server) owner(w http.ResponseWriter, r *http.Request, c *call, name string) *problem {
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != name {
		return malformed("an owner's id is a number")
	}
	if !s.edges.mayAsk(c.edge, id) {
		return refuse(http.StatusNotFound, wire.UnknownOwnerCode, "this edge was not told of a token of this owner; ask for the token first")
	}
	owner, err := s.options.Tokens.OwnerName(r.Context(), id)
	if err != nil {
		return outageOf(err)
	}
	_ = c.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	said := wire.PrincipalOf(owner)
	said.ID = id
	s.answer(w, http.StatusOK, wire.OwnerAnswer{Owner: said})
	return nil
}

// tokenID parses an id as Databricks writes it: one token has one spelling.
func tokenID(text string) (tokens.ID, bool) {
	id, err := tokens.ParseID(text)
	return id, err == nil && id.String() == text
}

// maxNewer is longer than any fact is kept, in milliseconds.
const maxNewer = 1 << 40

// newerThan reads how old facts may be.
func newerThan(query string) (time.Duration, bool) {
	if query == "" {
		return math.MaxInt64, true // any age will do
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values["newer_than_ms"]) != 1 {
		return 0, false
	}
	text := values["newer_than_ms"][0]
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 || ms > maxNewer || strconv.FormatInt(ms, 10) != text {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// age returns how long ago something was, in milliseconds, rounded up: facts must never seem
// younger than they are.
func age(now, at time.Time) int64 {
	return max(0, int64((now.Sub(at)+time.Millisecond-1)/time.Millisecond))
}
