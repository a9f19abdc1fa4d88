package auditlog

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// line is a line of an audit log, as [audit.Record] is written.
type line struct {
	Message   string          `json:"msg"`
	Arrived   json.RawMessage `json:"arrived"`
	Decision  string          `json:"decision"`
	Enforced  bool            `json:"enforced"`
	Reason    string          `json:"reason"`
	Outcome   string          `json:"outcome"`
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Operation string          `json:"operation"`
	Also      []string        `json:"operations"`
	Template  string          `json:"template"`
	Required  []string        `json:"required_scopes"`
	Evidence  string          `json:"evidence"`
	Optional  bool            `json:"optional"`
	Catalog   string          `json:"catalog"`
	Policy    string          `json:"policy"`
	Asks      string          `json:"policy_asks"`
	Rules     string          `json:"policy_hash"`
	TokenID   string          `json:"token_id"`
	OwnerID   int64           `json:"owner_id"`
	Owner     string          `json:"owner"`
	Creator   string          `json:"creator"`
	Comment   string          `json:"comment"`
	Held      []string        `json:"token_scopes"`
	Age       float64         `json:"facts_age"`
	Source    string          `json:"facts_source"`
	Detail    string          `json:"detail"`
	Dropped   []string        `json:"dropped_headers"`
	Workspace string          `json:"workspace"`
	Client    string          `json:"client_address"`
	ID        string          `json:"request_id"`
	Upstream  string          `json:"upstream_request_id"`
	Status    int             `json:"status"`
	Answered  int             `json:"upstream_status"`
	Duration  float64         `json:"duration"`
}

// Learned is what records have as the evidence of a request that passed because of a scope that
// the workspace named.
const Learned = "learned"

// Decision is what the line of an audit log has of a decision. Of a token it has the scopes,
// the owner and the texts of the record: neither its creation nor its expiry, and no more of
// its comment than the operator wants in records. Of the operation it has no source and no
// effect, and of the readings of a path the names of their operations.
type Decision struct {
	*audit.Record
	// ByLearned means that the request passed because of a scope that the workspace named.
	// The evidence of the row is missing then.
	ByLearned bool
}

// Parse reads a line of an audit log. It is false for a line that is no decision.
func Parse(text []byte) (Decision, bool) {
	var l line
	if json.Unmarshal(text, &l) != nil || l.ID == "" || l.Decision == "" || l.Reason == "" {
		return Decision{}, false
	}
	if l.Message != "" && l.Message != audit.Message {
		return Decision{}, false
	}
	arrived, err := parseTime(l.Arrived)
	if err != nil {
		return Decision{}, false
	}
	r := &audit.Record{
		Time: arrived, Method: l.Method, Path: l.Path, Workspace: l.Workspace, ClientAddress: l.Client,
		RequestID: l.ID, UpstreamRequestID: l.Upstream, TokenID: l.TokenID, Owner: l.Owner, Creator: l.Creator, Comment: l.Comment,
		Dropped: l.Dropped, Catalog: l.Catalog, Rules: l.Rules, Outcome: audit.Outcome(l.Outcome), Status: l.Status, UpstreamStatus: l.Answered,
		Duration: seconds(l.Duration),
		Judgement: judge.Judgement{
			Decision: judge.Decision(l.Decision), Enforced: l.Enforced, Reason: policy.Reason(l.Reason), Operations: l.Also,
			Policy: l.Policy, Requirement: l.Asks, Detail: l.Detail, Held: l.Held, FactsAge: seconds(l.Age),
			Facts: tokens.Facts{Source: tokens.Source(l.Source)},
		},
	}
	if l.Source != "" {
		r.Facts.Info = &tokens.Info{Owner: tokens.NewPrincipal(l.OwnerID, ""), Scopes: l.Held, OAuth: r.Facts.Source == judge.FromToken}
	}
	if l.Operation != "" {
		r.Operation = l.row()
	}
	return Decision{r, l.Evidence == Learned}, true
}

// row returns the row of the map, as far as the line has it.
func (l *line) row() *scopes.Operation {
	o := &scopes.Operation{Method: l.Method, Template: l.Template, Name: l.Operation, AnyOf: l.Required, Evidence: scopes.Evidence(l.Evidence), Optional: l.Optional}
	switch {
	case l.Reason == string(policy.PublicRoute):
		o.Access = scopes.Public
	case l.Reason == string(policy.AccountLevelOperation):
		o.Access = scopes.AccountOnly
	case len(l.Required) == 0:
		o.Access = scopes.AnyScope
	}
	if l.Evidence == Learned {
		o.Evidence = "" // of the row; it is not in the line
	}
	return o
}

// maxSeconds is about 30 years: what is longer is no duration of a request.
const maxSeconds = 1e9

func seconds(s float64) time.Duration {
	if !(s > 0 && s < maxSeconds) {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

// parseTime reads the time of a line: seconds since 1970, as it is written, or text, as other
// programs make of it.
func parseTime(raw json.RawMessage) (time.Time, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return time.Parse(time.RFC3339Nano, strings.TrimSpace(text))
	}
	var at float64
	if err := json.Unmarshal(raw, &at); err != nil {
		return time.Time{}, err
	}
	whole, part := math.Modf(at)
	if math.Abs(whole) > 1e11 {
		return time.Time{}, errors.New("no time that a request can have")
	}
	return time.Unix(int64(whole), int64(math.Round(part*1e6)*1e3)).UTC(), nil
}
