// Package upstream knows connections to a workspace: how long they may be silent, and why
// a request got no answer.
package upstream
