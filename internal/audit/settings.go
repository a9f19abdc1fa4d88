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

// Format is how an output writes records.
type Format string

const (
	// FormatJSON is lines with all fields of a record, the default.
	FormatJSON Format = "json"
	// FormatOCSF is events of the Open Cybersecurity Schema Framework.
	FormatOCSF Format = "ocsf"
)

// Settings say how records are sent.
type Settings struct {
	// Queue is how many records may wait. 0 stands for 4096 for an output, and for
	// OpenTelemetry for OTEL_BSP_MAX_QUEUE_SIZE and OTEL_BLRP_MAX_QUEUE_SIZE, or 2048.
	Queue    int
	WhenFull WhenFull
	BlockFor time.Duration // for Block
	// Format is for an output; the zero value is FormatJSON.
	Format Format
}
