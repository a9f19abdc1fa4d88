package bulk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Workspace changes tokens, as a [tokens.Changer] does.
type Workspace interface {
	Get(ctx context.Context, id tokens.ID) (*tokens.Info, error)
	SetScopes(ctx context.Context, id tokens.ID, scopes []string) error
	Revoke(ctx context.Context, id tokens.ID) error
}

const (
	// batchSize is how many tokens are changed before the command says how far it is, and
	// waits for edges.
	batchSize = 20
	// defaultPause is how long to wait after 429 without Retry-After, and maxThrottled how
	// often to try a request again.
	defaultPause = 5 * time.Second
	maxThrottled = 5
	// readBacks is how often scopes are read after they were set, and readBackPause between.
	readBacks     = 3
	readBackPause = time.Second
)

// Runner changes tokens one after another.
type Runner struct {
	Workspace Workspace
	// Forget tells the gateway that a token was changed.
	Forget func(tokens.ID)
	// BatchDone is called after each batch, and at the end.
	BatchDone func()
	// Say shows progress.
	Say func(format string, args ...any)
	// DryRun changes nothing.
	DryRun bool
	// KeepGoing goes on after a token that failed.
	KeepGoing bool
}

// errOwner says that the gateway is wrong about the owner, whom the user was told.
var errOwner = errors.New("it has another owner than the gateway says; run the command again")

// errChanged says that a token is not as it was when it was chosen.
var errChanged = errors.New("its scopes were changed in the meantime; run the command again for a new plan")

// unsureError is the error of a change that may have been made.
type unsureError struct{ error }

func (e *unsureError) Unwrap() error { return e.error }

// each does something to each target, in order. It stops at the first one that fails, unless
// the runner keeps going, and when the context ends: then the others were not tried.
func (r *Runner) each(ctx context.Context, verb string, targets []Target, do func(context.Context, *Target) (Status, error)) []Result {
	results := make([]Result, 0, len(targets))
	stopped := ""
	for i := range targets {
		t := &targets[i]
		if stopped == "" && ctx.Err() != nil {
			stopped = "the command was interrupted"
		}
		if stopped != "" {
			results = append(results, t.result(Untried, stopped))
			continue
		}
		status, err := do(ctx, t)
		if err != nil {
			result := t.result(Failed, err.Error())
			_, result.Unsure = errors.AsType[*unsureError](err)
			results = append(results, result)
			if !r.KeepGoing {
				stopped = "the command stopped before"
			}
		} else {
			results = append(results, t.result(status, ""))
		}
		if done := i + 1; done%batchSize == 0 && done < len(targets) && stopped == "" {
			r.BatchDone()
			r.Say("%s %d of %d tokens", verb, done, len(targets))
		}
	}
	if len(targets) > 0 {
		r.BatchDone()
	}
	return results
}

// Narrow sets the scopes of tokens. Those that have them already are left alone.
func (r *Runner) Narrow(ctx context.Context, targets []Target) []Result {
	return r.each(ctx, "narrowed", targets, func(ctx context.Context, t *Target) (Status, error) {
		now, err := r.get(ctx, t.ID)
		switch {
		case errors.Is(err, tokens.ErrUnknownToken):
			r.Forget(t.ID)
			return "", fmt.Errorf("%w: it was revoked in the meantime", err)
		case err != nil:
			return "", err
		case t.OwnerID != 0 && ownerID(now) != 0 && ownerID(now) != t.OwnerID:
			return "", errOwner
		case tokens.SameScopes(now.Scopes, t.To):
			return Already, nil
		case !tokens.SameScopes(now.Scopes, t.Former):
			r.Forget(t.ID) // the gateway may have missed it
			return "", errChanged
		case !narrows(now.Scopes, t.To):
			return "", errors.New("the plan has scopes that the token does not hold, or all-apis")
		case r.DryRun:
			return Planned, nil
		}
		return Narrowed, r.set(ctx, t.ID, t.To)
	})
}

// set sets scopes and reads them back.
func (r *Runner) set(ctx context.Context, id tokens.ID, scopes []string) error {
	err := r.patiently(ctx, func(ctx context.Context) error { return r.Workspace.SetScopes(ctx, id, scopes) })
	ctx = context.WithoutCancel(ctx) // what was sent is seen through
	if err != nil {
		// The workspace may have set them all the same.
		now, readErr := r.Workspace.Get(ctx, id)
		switch {
		case readErr != nil:
			r.Forget(id)
			return &unsureError{err}
		case !tokens.SameScopes(now.Scopes, scopes):
			return err
		}
	}
	r.Forget(id)
	for try := 1; ; try++ {
		now, err := r.get(ctx, id)
		switch {
		case err != nil:
			return &unsureError{fmt.Errorf("the scopes were set, and could not be read back: %w", err)}
		case tokens.SameScopes(now.Scopes, scopes):
			return nil
		case try == readBacks:
			return &unsureError{errors.New("the workspace accepted the change, but the token does not have the new scopes")}
		}
		if err := sleep(ctx, readBackPause); err != nil {
			return err
		}
	}
}

func (r *Runner) get(ctx context.Context, id tokens.ID) (info *tokens.Info, err error) {
	err = r.patiently(ctx, func(ctx context.Context) error {
		info, err = r.Workspace.Get(ctx, id)
		return err
	})
	return info, err
}

// patiently sends a request again for as long as the workspace asks for fewer of them. A
// request that was sent is not interrupted, waiting is.
func (r *Runner) patiently(ctx context.Context, send func(context.Context) error) error {
	for try := 1; ; try++ {
		err := send(context.WithoutCancel(ctx))
		outage, ok := errors.AsType[*tokens.UnavailableError](err)
		if !ok || outage.Outage != tokens.Throttled || try == maxThrottled {
			return err
		}
		pause := outage.RetryAfter
		if pause <= 0 {
			pause = defaultPause
		}
		r.Say("the workspace asks for fewer requests (429): waiting %s", duration.Format(pause))
		if sleep(ctx, pause) != nil {
			return err
		}
	}
}

// sleep waits, unless the command is told to end.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
