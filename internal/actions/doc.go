// Package actions changes one token in the name of a person who signs in to the workspace for
// that one change. The page of the gateway uses it. It never uses the gateway's own credential.
//
// A person confirms a [Plan]. [Desk.Begin] remembers it under a state for ten minutes, and says
// where to sign in: at the workspace, as a client of an OAuth app connection, with PKCE. The
// workspace sends the browser back, and [Desk.Finish] exchanges the code for an access token, reads
// the token that is to be changed, compares it with the plan, changes it, and drops the access
// token, which is never stored, logged or shown.
//
// Files: desk.go (what waits for a sign-in), signin.go (the OAuth client), change.go (the change).
package actions
