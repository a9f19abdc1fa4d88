// Package oauth verifies the OAuth access tokens (JWTs) of one Databricks
// workspace and returns what they say as [tokens.Info].
//
// Files:
//
//	verifier.go  the Verifier: checks in order of cost, cache of verified tokens
//	token.go     parsing: header, claims, dates, scopes
//	key.go       one published public key
//	keycache.go  the workspace's keys: fetch, renew, rotate
//	server.go    the workspace's OAuth server: metadata, keys, workspace ID
package oauth
