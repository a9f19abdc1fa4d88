package soak

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// record is what the test reads of a record.
type record struct {
	UserAgent         string  `json:"user_agent"`
	RequestID         string  `json:"request_id"`
	UpstreamRequestID string  `json:"upstream_request_id"`
	Decision          string  `json:"decision"`
	Outcome           string  `json:"outcome"`
	Detail            string  `json:"detail"`
	Path              string  `json:"path"`
	Status            int     `json:"status"`
	Duration          float64 `json:"duration"`
}

// readAudit calls use for each record of an audit file and of those rolled from it.
func readAudit(t *testing.T, name string, use func(*record)) {
	t.Helper()
	files, err := filepath.Glob(strings.TrimSuffix(name, filepath.Ext(name)) + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var content io.Reader = file
		if strings.HasSuffix(name, ".gz") {
			if content, err = gzip.NewReader(file); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		lines := bufio.NewScanner(content)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			r := new(record)
			if err := json.Unmarshal(lines.Bytes(), r); err != nil {
				t.Errorf("%s: line %q: %v", name, lines.Text(), err)
				continue
			}
			use(r)
		}
		if err := lines.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pair are the records of one exchange.
type pair struct{ open, final []*record }

// compare holds the audit against what clients and the workspace saw.
func (s *run) compare(t *testing.T) {
	t.Helper()
	pairs := make(map[string]*pair)
	finals := make(map[string]string) // request id to exchange
	readAudit(t, s.gateway.audit(), func(r *record) {
		if s.ledger.all[r.UserAgent] == nil {
			s.problem("a record of nobody: %+v", *r)
			return
		}
		p := pairs[r.UserAgent]
		if p == nil {
			p = new(pair)
			pairs[r.UserAgent] = p
		}
		if r.Outcome == string(audit.Open) {
			p.open = append(p.open, r)
			return
		}
		p.final = append(p.final, r)
		s.outcomes[r.Outcome]++
		if other := finals[r.RequestID]; other != "" && r.RequestID != "" {
			s.problem("request id %s is of %s and of %s", r.RequestID, other, r.UserAgent)
		}
		finals[r.RequestID] = r.UserAgent
	})
	for id, x := range s.ledger.all {
		p := pairs[id]
		if p == nil {
			p = new(pair)
		}
		if problem := s.disagreement(x, p); problem != "" {
			s.problem("%s: %s; %d open: %+v, %d final: %+v", x, problem, len(p.open), all(p.open), len(p.final), all(p.final))
		}
	}
}

func all(records []*record) []record {
	var values []record
	for _, r := range records {
		values = append(values, *r)
	}
	return values
}

// disagreement returns what is wrong with the records of an exchange, or an empty string.
func (s *run) disagreement(x *exchange, p *pair) string {
	switch {
	case len(p.final) > 1:
		return "several final records"
	case len(p.open) > 1:
		return "several open records"
	case len(p.final) == 0 && len(p.open) > 0:
		return "an open record without a final one"
	case len(p.final) == 0 && x.status != 0:
		return "answered without a record"
	case len(p.final) == 0 && s.ledger.seen[x.id] > 0:
		return "no record, but the workspace got it"
	case len(p.final) == 0 && !x.sent().IsZero() && !s.stopped(x.sent()):
		return "no record, and no listener was closed when it was sent"
	case len(p.final) == 0:
		if !x.sent().IsZero() {
			s.count("requests that closed listeners lost")
		}
		return ""
	}
	r := p.final[0]
	switch outcome := audit.Outcome(r.Outcome); {
	case x.status != 0 && x.status != r.Status:
		return "another status than the client saw"
	case x.requestID != "" && x.requestID != r.RequestID && x.requestID != r.UpstreamRequestID:
		return "another request id than the client saw"
	case x.reason == unavailable && !strings.HasPrefix(r.Outcome, "upstream_"):
		return "the client was told that the workspace did not answer"
	case x.whole && x.reason != unavailable && outcome != audit.Answered && outcome != audit.Upgraded:
		return "the client got all of the answer"
	case !x.whole && !x.left && x.status != 0 && x.status != 101 && outcome == audit.Answered:
		return "the client did not get all of the answer"
	case outcome == audit.Aborted && s.hurried(x):
		return "cut before the end of the grace period"
	case len(p.open) == 1 && p.open[0].RequestID != r.RequestID:
		return "two request ids"
	case len(p.open) == 0 && r.Decision == "allow" && r.Duration > (s.times.openAfter+slack/2).Seconds():
		return "no open record"
	}
	return ""
}

// stopped reports whether a request may have been sent to a listener that was being
// closed.
func (s *run) stopped(sent time.Time) bool {
	for _, stop := range s.gateway.stops {
		if sent.After(stop.from.Add(-time.Second)) && sent.Before(stop.to.Add(time.Second)) {
			return true
		}
	}
	return false
}

// hurried reports whether the end of a process cut an exchange too early.
func (s *run) hurried(x *exchange) bool {
	for _, stop := range s.gateway.stops {
		if stop.exit && x.ended.After(stop.from) && x.ended.Before(stop.from.Add(s.times.grace-100*time.Millisecond)) {
			return true
		}
	}
	return false
}
