// Package changelog keeps what was changed about tokens, in order, so that edges can be told
// and can catch up.
package changelog
