package caddyserver

import "errors"

// IsTaken reports whether an error of [CheckFree] or [CheckAdminFree] says that another process
// listens there.
func IsTaken(err error) bool {
	_, taken := errors.AsType[takenError](err)
	return taken
}
