// Package wire is what edges and authorities say to each other: JSON over HTTP/2, below
// [Prefix] of an authority's URL.
//
//	GET  tokens/{id}?newer_than_ms=N   the facts about one token ([TokenAnswer]); with
//	                                   newer_than_ms, facts younger than N milliseconds
//	GET  owners/{id}                   the name of an owner ([OwnerAnswer])
//	GET  changes                       the stream of changes (SSE); Last-Event-ID resumes
//	POST acks                          [Ack]
//	POST changes                       [Report]: changes that an edge saw in passing
//	PUT  usage/{instance}              a usage snapshot, as package usage writes it
//
// Every request names its workspace and edge in headers. Times travel as ages, so that
// clocks need not agree. There is no route for a list of tokens.
//
// # Answers
//
// 200 with a body; 202 to a report, 204 to an ack and to usage; 404 with code unknown_token,
// unknown_owner or no_route; 400 malformed; 401 unauthorized; 403 forbidden, or insecure
// without TLS; 413 too_large; 421 workspace (it serves another one); 429 rate, with
// Retry-After; 503 unavailable, with Retry-After and the outage as [Problem] says. Errors are
// a [Problem].
//
// The workspace is named as [Workspace] writes it. newer_than_ms=0 asks the workspace again.
//
// # The stream
//
// The first event is hello, with the [Position] from which on the edge hears everything. If
// the edge sent a Last-Event-ID from which the authority can go on, that is its position, and
// the changes since follow. Otherwise the next event is reset: the edge asks again for
// everything that it knew. Later resets say that changes may have been missed. Then come
// change events. The id of every event is that of its [Position], epoch:generation, with
// the generation in decimal; data of hello and reset is the Position, of change a [Change].
// A change that has no place yet has the id of the event before, and comes again when it has one.
// There is a comment at least every [Heartbeat]. An edge that heard nothing for three
// heartbeats connects again; one whose stream ends cleanly prefers another authority.
//
// The answer to changes has a name of the stream in a header, which nobody else knows. An edge
// acknowledges with it: hello, reset and every change, once it has applied them. One ack does
// for all that it has applied.
package wire

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
)

// Prefix is where all routes begin.
const Prefix = "/databricks_authority/v1/"

// Heartbeat is how often the stream says something at least.
const Heartbeat = 2 * time.Second

// Headers of an edge's requests. Name is what the edge calls itself; a certificate or a
// service account tells better.
const (
	WorkspaceHeader = "Scopegate-Workspace"
	NameHeader      = "Scopegate-Edge"
	VersionHeader   = "Scopegate-Version"
	StreamHeader    = "Scopegate-Stream" // of an answer to changes, and of acks
)

// Events of the stream.
const (
	HelloEvent  = "hello"
	ResetEvent  = "reset"
	ChangeEvent = "change"
)

// Codes of problems.
const (
	UnknownTokenCode = "unknown_token"
	UnknownOwnerCode = "unknown_owner"
	NoRouteCode      = "no_route"
	MalformedCode    = "malformed"
	UnauthorizedCode = "unauthorized"
	ForbiddenCode    = "forbidden"
	InsecureCode     = "insecure"
	TooLargeCode     = "too_large"
	WorkspaceCode    = "workspace"
	RateCode         = "rate"
	UnavailableCode  = "unavailable"
)

// Limits of what is read, in bytes.
const (
	MaxAnswer   = 256 << 10
	MaxReport   = 64 << 10
	MaxSnapshot = 8 << 20
	MaxChanges  = 256 // in one Report
)

// Token is the wire form of [tokens.Info]. Times are epoch milliseconds, 0 for unknown.
type Token struct {
	ID             string    `json:"id"`
	Owner          Principal `json:"owner"`
	Creator        Principal `json:"creator"`
	WorkspaceID    int64     `json:"workspace_id,omitempty"`
	Expires        int64     `json:"expires"` // -1 never, 0 unknown
	Created        int64     `json:"created,omitempty"`
	LastUsed       int64     `json:"last_used,omitempty"`
	Scopes         []string  `json:"scopes,omitempty"`
	InferredScopes []string  `json:"inferred_scopes,omitempty"`
	BackfillScopes []string  `json:"backfill_scopes,omitempty"`
	AutoscopeState string    `json:"autoscope_state,omitempty"`
	Comment        string    `json:"comment,omitempty"`
}

// Principal is the wire form of [tokens.Principal].
type Principal struct {
	ID   int64  `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// TokenAnswer says what is known of a token.
type TokenAnswer struct {
	Token *Token `json:"token"`
	// AgeMS is how long ago the workspace was asked, in milliseconds.
	AgeMS int64 `json:"age_ms"`
	// Workspace is the id that the workspace gives itself, 0 if unknown.
	Workspace int64    `json:"workspace,omitempty"`
	Position  Position `json:"position"`
}

// OwnerAnswer says who an owner is. The name is empty while it is not known.
type OwnerAnswer struct {
	Owner Principal `json:"owner"`
}

// Position is a place in a log of changes. Another epoch is another log.
type Position struct {
	Epoch      string           `json:"epoch"`
	Generation fleet.Generation `json:"generation"`
}

// String returns the position as the id of an event.
func (p Position) String() string {
	return p.Epoch + ":" + strconv.FormatUint(uint64(p.Generation), 10)
}

// ParsePosition parses the id of an event, strictly: an epoch of up to 64 letters, digits,
// dashes and underscores, and a generation without leading zeros.
func ParsePosition(id string) (Position, bool) {
	epoch, number, found := strings.Cut(id, ":")
	if !found || epoch == "" || len(epoch) > maxEpoch || strings.IndexFunc(epoch, notOfEpoch) >= 0 {
		return Position{}, false
	}
	generation, err := strconv.ParseUint(number, 10, 64)
	if err != nil || strconv.FormatUint(generation, 10) != number {
		return Position{}, false
	}
	return Position{epoch, fleet.Generation(generation)}, true
}

const maxEpoch = 64

func notOfEpoch(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}

// Workspace returns a workspace's URL as [WorkspaceHeader] names it: scheme and host in lower
// case, without the scheme's own port and whatever follows. It is empty for anything that is
// no http or https URL.
func Workspace(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return ""
	}
	return u.Scheme + "://" + host
}

// Change is the data of a change event, and a part of a [Report].
type Change struct {
	Kind  fleet.Kind `json:"kind"`
	Token string     `json:"token,omitempty"`
	Owner int64      `json:"owner,omitempty"`
}

// Ack says how far an edge has applied the changes.
type Ack struct {
	Position Position `json:"position"`
}

// Report is what an edge saw in passing.
type Report struct {
	Changes []Change `json:"changes"`
}

// Problem is the body of every error.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Outage is the authority's own [tokens.Outage], and AgeMS how old an answer is that
	// there is no such token.
	Outage string `json:"outage,omitempty"`
	AgeMS  int64  `json:"age_ms,omitempty"`
	// Workspace is as in TokenAnswer.
	Workspace int64 `json:"workspace,omitempty"`
}
