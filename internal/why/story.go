package why

import (
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

// Story is one decision, told. Texts that are not known are empty.
type Story struct {
	RequestID string        `json:"request_id"`
	Arrived   time.Time     `json:"arrived"`
	Seconds   float64       `json:"seconds"` // until the response was sent
	Outcome   audit.Outcome `json:"outcome"`

	Decision judge.Decision `json:"decision"`
	Reason   policy.Reason  `json:"reason"`
	// Meaning is the reason in a sentence.
	Meaning string `json:"meaning"`
	// Enforced is false for a refusal that is only recorded.
	Enforced bool   `json:"enforced"`
	Detail   string `json:"detail,omitempty"`
	// Policy refused the request, and asks for something else.
	Policy     string `json:"policy,omitempty"`
	PolicyAsks string `json:"policy_asks,omitempty"`
	// Rules is the hash of the rules in force then.
	Rules string `json:"policy_hash"`

	Request   Request    `json:"request"`
	Token     *Token     `json:"token,omitempty"`     // nil where the request carries none that is accepted
	Operation *Operation `json:"operation,omitempty"` // nil where the path was not read
	// Permit says what would permit the request.
	Permit string   `json:"to_permit"`
	Client Client   `json:"client"`
	Notes  []string `json:"notes,omitempty"`
}

// Request is what was asked for.
type Request struct {
	Method  string   `json:"method"`
	Path    string   `json:"path"` // empty if paths are redacted
	Client  string   `json:"client_address"`
	Host    string   `json:"workspace"`
	Dropped []string `json:"dropped_headers,omitempty"`
}

// Token is who asked.
type Token struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind,omitempty"` // pat or oauth
	OwnerID int64    `json:"owner_id,omitempty"`
	Owner   string   `json:"owner,omitempty"`
	Creator string   `json:"creator,omitempty"`
	Comment string   `json:"comment,omitempty"` // in the form that the operator chose
	Known   bool     `json:"known"`             // to the workspace
	Scopes  []string `json:"scopes"`
	// Expires is a time, never or unknown. It is empty in an audit log, which does not say.
	Expires string  `json:"expires,omitempty"`
	Age     float64 `json:"facts_age"`
	Source  string  `json:"facts_source,omitempty"`
}

// Operation is what the path means, and what that needs.
type Operation struct {
	Name     string   `json:"name"`
	Template string   `json:"template"`
	Also     []string `json:"operations,omitempty"` // all, where servers may differ
	Needs    string   `json:"needs"`
	AnyOf    []string `json:"any_of"`
	Evidence string   `json:"evidence"`
	Source   string   `json:"source,omitempty"`
	// Map is the version of the map then, Present is whether that is the one that the row
	// was compared with, and About says so in words.
	Map     string `json:"catalog"`
	Present bool   `json:"catalog_present"`
	About   string `json:"catalog_about"`
}

// Client is what the client saw.
type Client struct {
	Status    int    `json:"status"`      // 0 for none
	By        string `json:"answered_by"` // gateway, workspace or nobody
	ErrorCode int    `json:"error_code,omitempty"`
	Reason    string `json:"x_scopegate_reason,omitempty"`
	Message   string `json:"message,omitempty"` // ends in … where the record does not have all of it
	// Upstream is the workspace's own id of the request, if the client saw another.
	Upstream string `json:"upstream_request_id,omitempty"`
}

// By.
const (
	byGateway   = "gateway"
	byWorkspace = "workspace"
	byNobody    = "nobody"
)

// Maps are those that the row of a record is compared with.
type Maps struct {
	Catalogs []*scopes.Catalog
	// Name says which they are, such as "the map in force".
	Name string
}
