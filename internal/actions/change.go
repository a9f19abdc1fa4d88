package actions

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// changePatience bounds a change, from the exchange of the code to the end.
const changePatience = 30 * time.Second

// Attempt is what came of a plan, for the record.
type Attempt struct {
	Plan
	// By is who signed in to the workspace, and User who was signed in to the page; empty if
	// that is not known.
	By, User string
	// Status is what came of it: [bulk.Narrowed], [bulk.Revoked], [bulk.Already], [bulk.Gone] or
	// [bulk.Failed].
	Status bulk.Status
	// Sent is true if the workspace was asked to change the token.
	Sent bool
	// Problem says why it failed.
	Problem string
}

// Changed reports whether the token was changed.
func (a *Attempt) Changed() bool { return a.Status == bulk.Narrowed || a.Status == bulk.Revoked }

// Undo returns the command that undoes a change, or an empty string if there is none.
func (a *Attempt) Undo() string {
	if a.Status != bulk.Narrowed {
		return ""
	}
	if change := usage.NewChange(a.Target.ID.String(), bulk.Formerly(a.Target.Former)); change != nil {
		return change.CLI
	}
	return ""
}

// Finish carries out the plan for which a browser came back, as the person who signed in. Forget
// tells the gateway that a token was changed, or is not what it believed. What was started is seen
// through if the context ends. The error is an [*Error].
func (d *Desk) Finish(ctx context.Context, answer Answer, forget func(tokens.ID)) (*Attempt, error) {
	p, err := d.take(answer)
	if err == nil && answer.Refusal != "" {
		err = declined(answer.Refusal)
	}
	var code string
	if err == nil {
		code, err = p.codeFor(answer)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changePatience)
	defer cancel()
	access, err := d.exchange(ctx, p, code)
	if err != nil {
		return nil, err
	}
	person := tokens.Admin{Token: func() (string, error) { return access, nil }}
	attempt := &Attempt{Plan: p.plan, User: answer.User}
	if attempt.By, err = tokens.Me(ctx, p.plan.Workspace, person, timeout); err != nil {
		return nil, d.problem(attempt, err)
	}
	changer, err := tokens.NewChanger(p.plan.Workspace, person)
	if err != nil {
		return nil, d.problem(attempt, err)
	}
	defer changer.Close()
	err = d.carryOut(ctx, attempt, changer, forget)
	d.Audit(attempt)
	return attempt, err
}

// carryOut changes the token with the code of the commands.
func (d *Desk) carryOut(ctx context.Context, attempt *Attempt, changer bulk.Workspace, forget func(tokens.ID)) error {
	w := &watched{Workspace: changer, attempt: attempt}
	runner := bulk.Runner{Workspace: w, Forget: forget, BatchDone: func() {}, Say: func(string, ...any) {}}
	targets := []bulk.Target{attempt.Target}
	var results []bulk.Result
	if attempt.Verb == Narrow {
		results = runner.Narrow(ctx, targets)
	} else {
		results = runner.Revoke(ctx, targets, 0)
	}
	attempt.Status, attempt.Problem = results[0].Status, results[0].Problem
	switch attempt.Status {
	case bulk.Narrowed, bulk.Revoked, bulk.Already, bulk.Gone:
		return nil
	}
	if w.err == nil {
		w.err = errors.New(attempt.Problem)
	}
	if attempt.Sent || errors.Is(w.err, errOther) {
		forget(attempt.Target.ID) // what the gateway knows may be wrong
	}
	return d.problem(attempt, w.err)
}

// errOther says that a token is not as the person saw it.
var errOther = errors.New("its scopes or its owner were changed since the page was shown")

// watched is a workspace of which the last error is kept. It stops before a change if the token is
// not as the person saw it.
type watched struct {
	bulk.Workspace
	attempt *Attempt
	err     error
}

func (w *watched) Get(ctx context.Context, id tokens.ID) (*tokens.Info, error) {
	info, err := w.Workspace.Get(ctx, id)
	if err == nil && !w.attempt.Sent && w.differs(info) {
		info, err = nil, errOther
	}
	w.err = err
	return info, err
}

func (w *watched) differs(now *tokens.Info) bool {
	t := &w.attempt.Target
	owner, _ := now.Owner.ID()
	done := w.attempt.Verb == Narrow && tokens.SameScopes(now.Scopes, t.To)
	return owner != t.OwnerID || !done && !tokens.SameScopes(now.Scopes, t.Former)
}

func (w *watched) SetScopes(ctx context.Context, id tokens.ID, scopes []string) error {
	w.attempt.Sent = true
	w.err = w.Workspace.SetScopes(ctx, id, scopes)
	return w.err
}

func (w *watched) Revoke(ctx context.Context, id tokens.ID) error {
	w.attempt.Sent = true
	w.err = w.Workspace.Revoke(ctx, id)
	return w.err
}

// problem says in which way an attempt failed, and what to do.
func (d *Desk) problem(attempt *Attempt, err error) *Error {
	outage, ok := errors.AsType[*tokens.UnavailableError](err)
	switch {
	case errors.Is(err, errOther):
		return errorf(http.StatusConflict, "%s; nothing was changed. The gateway has forgotten what it knew about the token: open its page again, and decide again", errOther)
	case errors.Is(err, tokens.ErrUnknownToken):
		return errorf(http.StatusConflict, "the workspace does not have the token any more: it was revoked in the meantime. Nothing is left to do")
	case ok && (outage.Outage == tokens.Rejected || outage.Outage == tokens.TokenRefused):
		return errorf(http.StatusForbidden, "the workspace refused to let %s manage tokens; nothing was changed. Sign in there as a workspace admin (sign out at the workspace first if it picks the wrong account), and check that the OAuth app connection may have the scope %s", nameOr(attempt.By, "you"), d.Scope)
	case attempt.Sent:
		return errorf(http.StatusBadGateway, "it is not known whether the token was changed: %v. The gateway has forgotten what it knew about it: open the token's page to see what it holds now", err)
	case ok:
		return unreached(attempt.Workspace, err)
	}
	return errorf(http.StatusBadGateway, "%v; nothing was changed. Open the token's page and look again", err)
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}
