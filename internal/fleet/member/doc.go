// Package member is a gateway's own part in a fleet: what it tells the others, what it applies
// when they tell something, and how far the edges that it answers have come.
package member
