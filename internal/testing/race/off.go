//go:build !race

// Package race tells tests whether the race detector is on, because it allocates
// memory and slows everything down.
package race

// Enabled reports whether the race detector is on.
const Enabled = false
