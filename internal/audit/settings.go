package audit

import "time"

// WhenFull says what happens to a record for which a queue has no room.
type WhenFull string

const (
	// Drop loses the record and counts it.
	Drop WhenFull = "drop"
	// Block lets the request wait for room, and then loses the record.
	Block WhenFull = "block"
	// Refuse lets no request pass for whose record there is no room.
	Refuse WhenFull = "refuse"
)

// Settings say how records are sent.
type Settings struct {
	Queue    int // how many may wait; 0 means what the environment says, or 2048
	WhenFull WhenFull
	BlockFor time.Duration // for Block
}
