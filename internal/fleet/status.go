package fleet

import "time"

// Status is what a gateway knows of its fleet, for the admin API and scopes fleet.
type Status struct {
	Workspace string `json:"workspace"`
	// Role is single, shared, authority or edge.
	Role string `json:"role"`
	// Generation is the last change that this gateway applied.
	Generation Generation `json:"generation"`
	// Store is nil without a store, Upstream nil unless this is an edge.
	Store    *StoreStatus    `json:"store,omitempty"`
	Upstream *UpstreamStatus `json:"upstream,omitempty"`
	// Members are the gateways with an admin credential, this one included, and Edges the
	// edges of all authorities.
	Members []Member `json:"members,omitempty"`
	Edges   []Edge   `json:"edges,omitempty"`
}

// StoreStatus is the state of the connection to the store.
type StoreStatus struct {
	Up    bool      `json:"up"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"` // why it is down
	// Refused says which operations the store refuses although it is up, and why: one that is
	// full takes no changes, so that the others do not hear of them.
	Refused string `json:"refused,omitempty"`
	// Disbelieved is what was found in the store within an hour and not believed.
	Disbelieved []Disbelieved `json:"disbelieved,omitempty"`
}

// Disbelieved are things in the store of one kind that were not believed, see
// [Observer.EntryRefused].
type Disbelieved struct {
	Kind  string    `json:"kind"`
	Count int       `json:"count"` // since the gateway joined the fleet
	Last  time.Time `json:"last"`
}

// SameKey says what to do about foreign entries.
const SameKey = "gateways of one fleet need the same key"

// UpstreamStatus is the state of an edge's subscription.
type UpstreamStatus struct {
	URL   string    `json:"url"` // of the authority that it is subscribed to, or tried last
	Up    bool      `json:"up"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"`
}

// Member is a gateway that shares the store.
type Member struct {
	Name       string     `json:"name"`
	Self       bool       `json:"self,omitempty"` // whether it is the gateway that answers
	Version    string     `json:"version,omitempty"`
	Generation Generation `json:"generation"`
	Seen       time.Time  `json:"seen"`
	Edges      int        `json:"edges"`
}

// Edge is an edge that is subscribed to an authority, or was until lately.
type Edge struct {
	Name       string     `json:"name"`
	Authority  string     `json:"authority"`
	Version    string     `json:"version,omitempty"`
	Generation Generation `json:"generation"` // the last that it acknowledged
	Behind     bool       `json:"behind"`     // there are changes that it has not acknowledged
	Connected  bool       `json:"connected"`
	Since      time.Time  `json:"since"` // when it subscribed, or left
	Seen       time.Time  `json:"seen"`  // when it was last heard of
}

// Progress is how far a change has come, for scopes revoke.
type Progress struct {
	Generation Generation `json:"generation"`
	Edges      int        `json:"edges"`      // connected edges of all authorities
	Applied    int        `json:"applied"`    // of them, those that acknowledged the change
	Seconds    float64    `json:"seconds"`    // since the change was published
	Stragglers []string   `json:"stragglers"` // up to 100 names of the others
}
