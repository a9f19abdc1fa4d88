//go:build !race

// Package race tells tests whether the race detector is on. It allocates and slows
// everything down.
package race

// Enabled reports whether the race detector is on.
const Enabled = false
