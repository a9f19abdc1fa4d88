package fleet

// Untold is why the others were not told of a change. It is empty if they were told, or if
// there are no others.
type Untold string

// The reasons.
const (
	// StoreDown: the others are told when the store is up again.
	StoreDown Untold = "store_down"
	// StoreRefused: the store is up, and did not take the change in time. It is tried again.
	StoreRefused Untold = "store_refused"
	// UpstreamDown: an edge reports the change when an authority can be reached.
	UpstreamDown Untold = "authority_down"
	// ShuttingDown: this gateway ends, and does not try again.
	ShuttingDown Untold = "shutting_down"
	// NoHandler: the gateway stands in front of no workspace, or does not any more.
	NoHandler Untold = "no_handler"
)
