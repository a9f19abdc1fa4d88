package findings

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Kind is what is wrong.
type Kind string

// The kinds, a fixed list.
const (
	// OwnerGone: the owner was deleted or deactivated.
	OwnerGone Kind = "owner_gone"
	// Unscoped: the token has no scopes, or all-apis, and may do everything.
	Unscoped Kind = "unscoped"
	// NeverExpires: the token has no end.
	NeverExpires Kind = "never_expires"
	// Unused: the token was not used for [Thresholds.Unused], here or elsewhere.
	Unused Kind = "unused"
	// NearExpiry: the token ends within [Thresholds.NearExpiry].
	NearExpiry Kind = "near_expiry"
	// RefusedOften: many calls of the token were refused, or would have been, lately.
	RefusedOften Kind = "refused_often"
	// MapDisagreement: the workspace's answers disagree with the map about an operation.
	MapDisagreement Kind = "map_disagreement"
	// UnusedScopes: the token holds scopes that none of its calls needs.
	UnusedScopes Kind = "unused_scopes"
)

// Kinds lists every Kind, the gravest first.
var Kinds = []Kind{OwnerGone, Unscoped, NeverExpires, Unused, NearExpiry, RefusedOften, MapDisagreement, UnusedScopes}

// State is what became of a finding.
type State string

// The states.
const (
	// New: it holds, and was not acknowledged.
	New State = "new"
	// Acknowledged: it holds, and someone knows.
	Acknowledged State = "acknowledged"
	// Resolved: it does not hold any more. This needs no one to say so.
	Resolved State = "resolved"
)

// States lists every State.
var States = []State{New, Acknowledged, Resolved}

// Severity is how much a finding matters.
type Severity string

// The severities.
const (
	High   Severity = "high"
	Medium Severity = "medium"
	Low    Severity = "low"
)

// Severities lists every Severity, the highest first.
var Severities = []Severity{High, Medium, Low}

// Change is what happened to a finding.
type Change string

// The changes. A finding that comes back, or whose acknowledgment has run out, is new again.
const (
	ChangeNew          Change = "new"
	ChangeAcknowledged Change = "acknowledged"
	ChangeResolved     Change = "resolved"
)

// Finding is one thing that is wrong with one token, or with one operation of the map.
// Its texts are sanitized.
type Finding struct {
	// Key names the finding: its kind, a colon, and the token's id or the operation. It is
	// the same each time that the finding comes back.
	Key string `json:"key"`
	// Workspace is the URL of the workspace.
	Workspace string   `json:"workspace,omitempty"`
	Kind      Kind     `json:"kind"`
	Severity  Severity `json:"severity"`
	State     State    `json:"state"`
	// TokenID is empty for a finding about the map, and Operation for others.
	TokenID   string `json:"token_id,omitempty"`
	Operation string `json:"operation,omitempty"`
	// Owner is the owner's name, or the number while the name is unknown. Creator made the
	// token, and is not always its owner. OwnerID is 0 if unknown.
	Owner   string `json:"owner,omitempty"`
	OwnerID int64  `json:"owner_id,omitempty"`
	Creator string `json:"creator,omitempty"`
	// Text is what is wrong, in a sentence, and Do a command that helps.
	Text string `json:"text"`
	Do   string `json:"do"`
	// Since is when it was found, this time. Resolved is when it had ended; zero before that.
	Since    time.Time `json:"since"`
	Resolved time.Time `json:"resolved,omitzero"`
	// Acknowledged is nil if it was not. A resolved finding keeps it.
	Acknowledged *Acknowledgment `json:"acknowledged,omitempty"`
}

// Acknowledgment says who knows of a finding, and why it may stay.
type Acknowledgment struct {
	// By is who acknowledged it, as they said themselves.
	By   string    `json:"by,omitempty"`
	Note string    `json:"note,omitempty"`
	At   time.Time `json:"at"`
	// Until is when the finding is new again if it still holds; zero for never.
	Until time.Time `json:"until,omitzero"`
}

// Observer is told what happened to a finding, once it is saved, by the one gateway that
// noticed. It must not block.
type Observer func(Finding, Change)

func keyOf(kind Kind, subject string) string { return string(kind) + ":" + subject }

// compare orders what matters most first.
func compare(a, b *Finding) int {
	return cmp.Or(
		cmp.Compare(slices.Index(States, a.State), slices.Index(States, b.State)),
		cmp.Compare(slices.Index(Severities, a.Severity), slices.Index(Severities, b.Severity)),
		cmp.Compare(slices.Index(Kinds, a.Kind), slices.Index(Kinds, b.Kind)),
		b.Since.Compare(a.Since),
		strings.Compare(a.Key, b.Key))
}
