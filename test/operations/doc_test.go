// Package operations checks what operators rely on: the admin API, commands, health
// checks, metrics, events, usage and reloads.
package operations
