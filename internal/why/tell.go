package why

import (
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
)

// Tell tells a decision from a record that a gateway has in memory.
func Tell(r *audit.Record, maps Maps) *Story { return tell(r, maps, origin{}) }

// Tell tells a decision from the line of an audit log.
func (e *Entry) Tell(maps Maps) *Story {
	r := *e.record
	return tell(&r, maps, origin{log: true, learned: e.learned})
}

// origin is where a record comes from.
type origin struct {
	log     bool // an audit log, which does not have all of it
	learned bool // the log says that the request passed because of what the workspace named
}

func tell(r *audit.Record, maps Maps, from origin) *Story {
	s := &Story{
		RequestID: r.RequestID, Arrived: r.Time.UTC(), Seconds: r.Duration.Seconds(), Outcome: r.Outcome,
		Decision: r.Decision, Reason: r.Reason, Meaning: meaning(r.Reason), Enforced: r.Enforced, Detail: r.Detail,
		Policy: r.Policy, PolicyAsks: r.Requirement, Rules: r.Rules,
		Request: Request{Method: r.Method, Path: r.Path, Client: r.ClientAddress, Host: r.Workspace, Dropped: r.Dropped},
	}
	s.tellToken(r, from)
	s.tellOperation(r, maps, from)
	s.Permit = permit(r)
	s.tellClient(r, from)
	return s
}

func (s *Story) tellToken(r *audit.Record, from origin) {
	if r.TokenID == "" {
		return
	}
	t := &Token{
		ID: r.TokenID, OwnerID: r.OwnerID(), Owner: r.Owner, Creator: r.Creator, Comment: r.Comment,
		Known: r.Facts.Source != "", Scopes: r.Held, Age: r.FactsAge.Seconds(), Source: string(r.Facts.Source),
	}
	if t.Scopes == nil {
		t.Scopes = []string{}
	}
	switch r.Facts.Source {
	case "":
	case judge.FromToken:
		t.Kind = "oauth"
	default:
		t.Kind = "pat"
	}
	if info := r.Facts.Info; info != nil && !from.log {
		switch at, ok := info.Expires.At(); {
		case info.Expires.Never():
			t.Expires = "never"
		case ok:
			t.Expires = at.UTC().Format(time.RFC3339)
		default:
			t.Expires = "unknown"
		}
	}
	s.Token = t
}
