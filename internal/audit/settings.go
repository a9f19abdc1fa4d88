package audit

import "time"

// WhenFull says what happens to a record if a queue has no room for it.
type WhenFull string

const (
	// Drop drops the record and counts it.
	Drop WhenFull = "drop"
	// Block makes the request wait for room, and then drops the record.
	Block WhenFull = "block"
	// Refuse lets a request pass only if there is room for its record.
	Refuse WhenFull = "refuse"
)

// Settings say how records are sent.
type Settings struct {
	// Queue is how many records may wait. 0 stands for 4096 for an output, and for
	// OpenTelemetry for OTEL_BSP_MAX_QUEUE_SIZE and OTEL_BLRP_MAX_QUEUE_SIZE, or 2048.
	Queue    int
	WhenFull WhenFull
	BlockFor time.Duration // for Block
}
