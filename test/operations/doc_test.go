// Package operations checks what operators rely on: the admin API and the commands,
// health, metrics, events, usage, and reloads.
package operations
