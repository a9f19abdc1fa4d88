package cli

import "errors"

// The exit codes of commands that change many tokens, beside 0 and 1. Lower ones are Caddy's.
const (
	// ExitPartly: some tokens were changed and others were not, or a watch ended early.
	ExitPartly = 4
	// ExitUndone: a watch gave tokens their former scopes back.
	ExitUndone = 5
)

// exitError is an error with an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// ExitCode returns the exit code for what a command returned.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return 1
}
