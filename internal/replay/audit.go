package replay

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/auditlog"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/scopes"
)

// AuditInput says by which rules [Audit] judges recorded decisions.
type AuditInput struct {
	// Then is the judge to judge by. It needs no Tokens.
	Then *judge.Judge
	// AsEnforced judges as if Then enforced its rules, and every policy for all tokens, see
	// [Input.AsEnforced].
	AsEnforced bool
	// Recorded judges each decision by the map of its time, if that is in Maps or is that of
	// Then, and otherwise by the map of Then.
	Recorded bool
	Maps     []*scopes.Catalog
	// Host, unless empty, is the host name of the workspace: decisions of others are not
	// judged.
	Host string
	Filter
	// Lines limits the lines of each list, see [Input.Lines].
	Lines int
	// Progress, unless nil, is called from time to time with how many lines were read.
	Progress func(lines int)
}

// AuditReport is what other rules change of recorded decisions. Its calls are decisions.
type AuditReport struct {
	Report
	// Lines counts lines of audit logs, and TooLong those that were not read. Decisions are
	// those that the filter selects, each counted once, also where a request that lasted long
	// has two records.
	Lines     int `json:"lines,omitempty"`
	TooLong   int `json:"lines_too_long,omitempty"`
	Decisions int `json:"decisions,omitempty"`
	// First and Last are when the first and last of them arrived.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Maps are the maps by which they were decided.
	Maps []MapOfTime `json:"maps,omitempty"`
}

// MapOfTime is a map by which recorded decisions were made.
type MapOfTime struct {
	Version string `json:"version"`
	// Present means that it is the map of the rules to judge by, or another one at hand.
	Present   bool `json:"present"`
	Decisions int  `json:"decisions"`
}

// Audit judges the decisions of audit logs by other rules. It is used by one goroutine at a
// time, and keeps a line for each token, operation and reason, whatever the length of the logs.
type Audit struct {
	AuditInput
	logs        auditlog.Reader
	judges      map[string]*judge.Judge // by the version of the map; nil if it is not at hand
	depends     dependence
	alone       []*rehearsed
	count       Count
	tokens      map[string]bool
	operations  map[string]bool
	refused     merged
	permitted   merged
	unjudged    unjudged
	first, last time.Time
	decisions   int
	maps        map[string]int
	open        map[string]auditlog.Decision // that have not ended
	ended       map[string]bool              // requests that lasted long
}

// NewAudit returns a replay that has read nothing yet.
func NewAudit(in AuditInput) *Audit {
	a := &Audit{
		AuditInput: in, depends: dependenceOf(in.Then), judges: make(map[string]*judge.Judge), tokens: make(map[string]bool), operations: make(map[string]bool),
		refused: make(merged), permitted: make(merged), maps: make(map[string]int), open: make(map[string]auditlog.Decision), ended: make(map[string]bool),
	}
	then := in.Then
	if in.AsEnforced {
		then = Enforced(in.Then)
		for k := range in.Then.Rules.Policies {
			if p := in.Then.Rules.Policies[k]; p.Rehearsed() && a.Filter.policy(p.Name) {
				a.alone = append(a.alone, &rehearsed{Policy: p, at: k, merged: make(merged), from: make(map[string]int)})
			}
		}
	}
	a.Then = then
	for _, m := range in.Maps {
		a.judges[m.Version()] = withMap(then, m)
	}
	a.judges[then.Catalog.Version()] = then
	return a
}

// withMap returns a judge with another map.
func withMap(by *judge.Judge, m *scopes.Catalog) *judge.Judge {
	other := *by
	other.Catalog, other.Rules = m, by.Rules.Bound(m)
	return &other
}

const (
	// progressEvery is how many lines are read between two calls of Progress.
	progressEvery = 10_000
	// maxEnded bounds how many requests that lasted long are remembered.
	maxEnded = 1 << 20
	// maxMaps bounds how many maps are told apart.
	maxMaps = 100
	// maxMerged bounds the lines of each direction.
	maxMerged = 200_000
)

// Read judges the decisions of an audit log. It may be called for several logs, in any order,
// each once.
func (a *Audit) Read(log io.Reader) error {
	return a.logs.Read(log, func(text []byte) {
		if decision, ok := auditlog.Parse(text); ok {
			a.add(decision)
		}
		if a.Progress != nil && a.logs.Lines%progressEvery == 0 {
			a.Progress(a.logs.Lines)
		}
	})
}

// add judges a decision. That of a request which has not ended waits for its end.
func (a *Audit) add(d auditlog.Decision) {
	id := d.RequestID + " " + d.TokenID
	if d.Outcome == audit.Open {
		if !a.ended[id] {
			a.open[id] = d
		}
		return
	}
	delete(a.open, id)
	if d.Duration >= time.Second && len(a.ended) < maxEnded {
		a.ended[id] = true
	}
	a.decision(d)
}

// Report tells what was found. No more may be read then.
func (a *Audit) Report() AuditReport {
	for _, d := range a.open {
		a.decision(d)
	}
	a.count.Tokens, a.count.Operations = len(a.tokens), len(a.operations)
	for _, p := range a.alone {
		p.tally = p.merged.tally()
	}
	report := AuditReport{
		Report: Report{Judged: a.count, Unjudged: a.unjudged.list(), Rehearsals: rehearsalsOf(a.alone)},
		Lines:  a.logs.Lines, TooLong: a.logs.TooLong, Decisions: a.decisions, First: a.first, Last: a.last,
	}
	report.Refused, report.Permitted = a.refused.change(a.AuditInput.Lines), a.permitted.change(a.AuditInput.Lines)
	for version, n := range a.maps {
		report.Maps = append(report.Maps, MapOfTime{version, a.judges[version] != nil, n})
	}
	slices.SortFunc(report.Maps, func(x, y MapOfTime) int { return strings.Compare(x.Version, y.Version) })
	return report
}

// decision judges one decision.
func (a *Audit) decision(d auditlog.Decision) {
	owner, _ := ownerName(&d)
	if !a.Filter.token(d.TokenID, owner, d.OwnerID()) {
		return
	}
	a.decisions++
	if a.first.IsZero() || d.Time.Before(a.first) {
		a.first = d.Time
	}
	if d.Time.After(a.last) {
		a.last = d.Time
	}
	if _, known := a.maps[d.Catalog]; known || len(a.maps) < maxMaps {
		a.maps[d.Catalog]++
	}
	if a.Host != "" && d.Workspace != "" && d.Workspace != a.Host {
		a.unjudged.add(whyWorkspace, d.TokenID, 1)
		return
	}
	by := a.Then
	if a.Recorded {
		if by = a.judges[d.Catalog]; by == nil {
			a.unjudged.add(whyNoMap, d.TokenID, 1)
			return
		}
	}
	r := &recorded{Decision: d, depends: a.depends}
	then, why := r.judge(by)
	if why != "" {
		a.unjudged.add(why, d.TokenID, 1)
		return
	}
	a.count.Calls++
	a.tokens[d.TokenID] = true
	if then.Operation != nil {
		a.operations[then.Operation.Name] = true
	}
	a.compare(r, &then)
	a.rehearse(r, by)
}

// compare notes a decision that is another one now.
func (a *Audit) compare(r *recorded, then *judge.Judgement) {
	passes, passed := passes(then), passes(&r.Judgement)
	switch {
	case passes == passed:
	case passes && a.Filter.policy(r.Policy):
		a.permitted.add(r.line(then))
	case !passes && !then.Optional() && a.Filter.policy(then.Policy):
		line := r.line(then)
		for _, p := range a.alone {
			if p.Name == then.Policy {
				line.EnforcedFrom = p.EnforcedFrom(r.id)
			}
		}
		a.refused.add(line)
	}
}

// rehearse notes which of the rehearsed policies would refuse a request that passed.
func (a *Audit) rehearse(r *recorded, by *judge.Judge) {
	if !passes(&r.Judgement) {
		return
	}
	for _, p := range a.alone {
		alone := *by
		alone.Rules.Policies = by.Rules.Policies[p.at : p.at+1]
		then, why := r.judge(&alone)
		if why == "" && !passes(&then) && then.Policy == p.Name && !then.Optional() {
			p.from[r.TokenID] = p.EnforcedFrom(r.id)
			p.merged.add(r.line(&then))
		}
	}
}

// passes reports whether a request passes: it is permitted, or its refusal only recorded.
func passes(j *judge.Judgement) bool { return !j.Refused() }

// merged are the lines of one direction.
type merged map[Line]*Line

// add adds a call to the line of its token, operation and reason.
func (m merged) add(line Line) {
	key := line
	key.Calls, key.Last = 0, time.Time{}
	if m[key] == nil && len(m) >= maxMerged {
		key = Line{Operation: "others, of which there are too many to list", Reason: line.Reason}
	}
	known := m[key]
	if known == nil {
		known = new(key)
		m[key] = known
	}
	known.Calls += line.Calls
	if line.Last.After(known.Last) {
		known.Last = line.Last
	}
}

func (m merged) change(limit int) Change { t := m.tally(); return t.change(limit) }

func (m merged) tally() (t tally) {
	for _, line := range m {
		t.add(*line)
	}
	return t
}

// needsOf says in words what an operation needs; nothing if there is none.
func needsOf(o *scopes.Operation) string {
	if o == nil {
		return ""
	}
	return judge.Needs(o)
}

// line returns the line of a decision that is another one by other rules.
func (r *recorded) line(then *judge.Judgement) Line {
	refusal := &r.Judgement
	if passes(&r.Judgement) {
		refusal = then
	}
	o := r.Operation
	if o == nil {
		o = then.Operation
	}
	line := Line{
		TokenID: r.TokenID, Owner: r.ownerText(), Method: r.Method, Now: needsOf(r.Operation), Then: needsOf(then.Operation),
		Reason: refusal.Reason, Policy: refusal.Policy, Calls: 1, Last: r.Time,
	}
	if o != nil {
		line.Operation, line.Template = o.Name, o.Template
	}
	return line
}
