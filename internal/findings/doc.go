// Package findings says what is wrong with the tokens of a workspace, and remembers who has
// seen it. A finding is derived from what the workspace says of its tokens and from what the
// gateway saw of them; it ends by itself when its cause does. Until then it is new, or
// acknowledged.
//
// The package does not know Caddy: a [Book] is given an [Input], a [usage.Store] and a clock.
//
// Files: finding.go (what others read), thresholds.go, input.go, evaluate.go (what is wrong
// now), texts.go, refusals.go (how often a token is refused), states.go (what became of it),
// book.go (the states, and when they are evaluated), shared.go and document.go (how gateways
// share them), filter.go and report.go (how they are shown).
package findings
