package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"

	"github.com/scopegate/scopegate/internal/actions"
	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

const (
	// callbackPath is where the workspace sends browsers back to.
	callbackPath = "/actions/callback"
	// cookiePrefix begins the names of cookies that tell which browser began, one for each plan.
	cookiePrefix = "scopegate-action-"
)

// actionTemplates are those of pages that exist only with [Options.Actions].
var actionTemplates = []string{"action", "action_signin", "action_done"}

// labels name what is done, in a title.
var labels = map[actions.Verb]string{actions.Narrow: "Narrow", actions.Revoke: "Revoke"}

// verbLink leads to a confirmation.
type verbLink struct{ Label, Path string }

// verbsFor returns what can be done to a token.
func (s *server) verbsFor(known *knownToken) (links []verbLink) {
	if s.options.Actions == nil {
		return nil
	}
	for _, verb := range []actions.Verb{actions.Narrow, actions.Revoke} {
		if _, err := s.planOf(known, verb); err == nil {
			links = append(links, verbLink{labels[verb], "/tokens/" + known.row.ID + "/" + string(verb)})
		}
	}
	return links
}

// planOf returns what would be done to a token, or says why it cannot be.
func (s *server) planOf(known *knownToken, verb actions.Verb) (*actions.Plan, error) {
	row, advice := known.row, known.recommendation
	id, err := tokens.ParseID(row.ID)
	if err != nil || labels[verb] == "" {
		return nil, errorf(http.StatusNotFound, "there is no such page")
	}
	workspace, err := s.workspace()
	if err != nil {
		return nil, err
	}
	if !row.Listed {
		return nil, errorf(http.StatusConflict, "the workspace does not list this token, or this gateway cannot ask; if it is an edge, use the page of its authority")
	}
	if from, ok := workspace.Tokens.(interface{ OwnToken() (tokens.ID, bool) }); ok {
		if own, known := from.OwnToken(); known && own == id {
			return nil, errorf(http.StatusConflict, "the gateway itself signs in with this token; give it another credential first")
		}
	}
	target := bulk.Target{ID: id, Owner: row.OwnerName, OwnerID: row.OwnerID, Comment: row.Comment, Former: row.Scopes}
	if verb == actions.Narrow {
		switch {
		case advice == nil:
			return nil, errorf(http.StatusConflict, "there is no recommendation: %s", known.why)
		case advice.Change == nil:
			return nil, errorf(http.StatusConflict, "there is nothing to narrow")
		case advice.Evidence.Doubt != "" || advice.Evidence.Cut.Entries > 0:
			return nil, errorf(http.StatusConflict, "evidence about this token is missing, so the scopes may leave out some that it needs; ask its owner, and use the command on the token's page")
		case !tokens.SameScopes(advice.Facts.Scopes, row.Scopes):
			return nil, errorf(http.StatusConflict, "the token's scopes are changing; wait some seconds, and look again")
		}
		target.To = advice.Change.Scopes
	}
	return &actions.Plan{Workspace: workspace.URL, Verb: verb, Target: target}, nil
}

// actionData is what the pages of an action show.
type actionData struct {
	*actions.Plan
	Label, ID string
	// Action is where the form leads. Hidden are its fields.
	Action string
	Hidden []hidden
	// Last is set after the sign-in.
	Last bool
	// Breaks are operations that would be refused afterwards, and More how many there are besides.
	Breaks   []usage.Use
	More     int
	Weak     string // why there is little evidence
	Calls    string
	LastUsed when
	SignIn   *url.URL // not a text: those are cut and cleaned
}

// hidden is a field of a form that is not shown.
type hidden struct{ Name, Value string }

// maxBreaks bounds how many operations a confirmation names.
const maxBreaks = 20

func newActionData(plan *actions.Plan) actionData {
	return actionData{Plan: plan, Label: labels[plan.Verb], ID: plan.Target.ID.String()}
}

// planned returns the plan that a path names, and what to show of it.
func (s *server) planned(r *http.Request) (actionData, error) {
	known, err := s.knownOf(r)
	if err != nil {
		return actionData{}, err
	}
	plan, err := s.planOf(known, actions.Verb(r.PathValue("verb")))
	if err != nil {
		return actionData{}, err
	}
	data := newActionData(plan)
	data.Action, data.Hidden = "/tokens/"+data.ID+"/"+string(plan.Verb), []hidden{{"plan", plan.Fingerprint()}}
	data.Calls, data.LastUsed = "0", newTokenRow(known.report, known.row, limits).Last
	if seen := known.row.Seen; seen != nil {
		data.Calls = usage.Thousands(seen.Calls)
		data.Breaks = breaks(plan, seen.Uses)
	}
	if n := len(data.Breaks); n > maxBreaks {
		data.Breaks, data.More = data.Breaks[:maxBreaks], n-maxBreaks
	}
	if plan.Verb == actions.Narrow && !known.recommendation.Evidence.Enough {
		data.Weak = known.recommendation.Evidence.Missing
	}
	return data, nil
}

// breaks returns the operations that passed and would not any more. Clients go on without those
// that are optional.
func breaks(plan *actions.Plan, uses []usage.Use) (broken []usage.Use) {
	for i := range uses {
		use := &uses[i]
		refused := plan.Verb == actions.Revoke || !use.Operation.Optional && !use.Operation.Permits(plan.Target.To)
		if refused && use.Calls > use.Denied {
			broken = append(broken, *use)
		}
	}
	return broken
}

// confirm shows what an action would do, and asks.
func (s *server) confirm(w http.ResponseWriter, r *http.Request) {
	data, err := s.planned(r)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	s.showAction(w, "action", data.Label+" this token?", data)
}

func (s *server) showAction(w http.ResponseWriter, template, title string, data any) {
	s.render(w, http.StatusOK, template, s.viewOf(&page{title: title, scripts: []string{"console.js"}}, data))
}

// startSignIn remembers what was confirmed, and shows a link to the workspace. It does not redirect
// there, because the security policy lets forms lead to this site only. Only forms of ours get here,
// see protect.
func (s *server) startSignIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	data, err := s.planned(r)
	if err == nil && r.PostFormValue("plan") != data.Plan.Fingerprint() {
		err = errorf(http.StatusConflict, "the token or the recommendation changed since the page was shown; nothing was changed. Open the token's page and look again")
	}
	var origin string
	if err == nil {
		origin, err = s.origin(r)
	}
	var started *actions.Started
	if err == nil {
		started, err = s.options.Actions.Begin(r.Context(), data.Plan, origin+callbackPath, s.user(r))
	}
	if err != nil {
		s.showError(w, r, err)
		return
	}
	setCookie(w, r, started.State, started.Key, int(actions.Patience.Seconds()))
	data.SignIn = started.SignIn
	s.showAction(w, "action_signin", data.Label+": sign in", data)
}

// origin returns the scheme and host by which the browser knows this site.
func (s *server) origin(r *http.Request) (string, error) {
	switch {
	case r.TLS != nil:
		return "https://" + r.Host, nil
	case s.options.Loopback && isLoopback(hostname(r.Host)):
		return "http://" + r.Host, nil
	}
	return "", errorf(http.StatusConflict, "a change needs a page with TLS of its own, or one that is opened as http://localhost; nothing was changed")
}

// signedIn is where the workspace sends browsers back to. All ports of this machine share the cookies
// of a site without TLS, so that another one could make a browser finish what it began itself. There
// the page asks once more: what changes a token is then a form that only this browser was shown.
func (s *server) signedIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || r.Method == http.MethodHead {
		s.showError(w, r, errorf(http.StatusBadRequest, "the request cannot be read; nothing was changed"))
		return
	}
	answer := actions.Answer{State: r.Form.Get("state"), User: s.user(r)}
	if cookie, err := r.Cookie(cookieName(r, answer.State)); err == nil {
		answer.Key = cookie.Value
	}
	if r.Method == http.MethodGet {
		answer.Code, answer.Refusal = r.Form.Get("code"), r.Form.Get("error")
	} else {
		answer.Proof = r.PostForm.Get("proof")
	}
	if r.Method == http.MethodGet && r.TLS == nil && answer.Refusal == "" {
		plan, proof, err := s.options.Actions.Hold(answer)
		if err != nil {
			s.showError(w, r, err)
			return
		}
		data := newActionData(plan)
		data.Action, data.Hidden, data.Last = callbackPath, []hidden{{"state", answer.State}, {"proof", proof}}, true
		s.showAction(w, "action", data.Label+" this token now?", data)
		return
	}
	setCookie(w, r, answer.State, "", -1)
	told := teller{server: s}
	attempt, err := s.options.Actions.Finish(r.Context(), answer, told.forget)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	s.showAction(w, "action_done", "Done", doneData{newActionData(&attempt.Plan), attempt, told.await(r.Context())})
}

// doneData is what the last page of an action shows.
type doneData struct {
	actionData
	Attempt  *actions.Attempt
	Gateways string
}

// cookieName returns the name of the cookie of a state.
func cookieName(r *http.Request, state string) string {
	sum := sha256.Sum256([]byte(state))
	name := cookiePrefix + hex.EncodeToString(sum[:8])
	if r.TLS != nil {
		name = "__Host-" + name
	}
	return name
}

// setCookie sets the cookie of a state for some seconds, or removes it if they are negative.
func setCookie(w http.ResponseWriter, r *http.Request, state, key string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure but on the loopback interface without TLS
		Name: cookieName(r, state), Value: key, Path: "/", MaxAge: seconds,
		Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteLaxMode, // the workspace leads here by a link
	})
}
