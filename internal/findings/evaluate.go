package findings

import (
	"cmp"
	"slices"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

// evaluation is what is wrong now, and what cannot be told.
type evaluation struct {
	found []Finding // in no particular order, each key once
	// The findings that are not in found, and may hold nevertheless: those of a kind, of a
	// token, or with a key.
	kinds  map[Kind]bool
	tokens map[string]bool
	keys   map[string]bool
	// refused are the tokens with refusals, see refusals.go.
	refused []refused
	notes   []string
}

// undecided reports whether a finding that was not found may hold.
func (e *evaluation) undecided(f *Finding) bool {
	return e.kinds[f.Kind] || e.keys[f.Key] || f.TokenID != "" && e.tokens[f.TokenID]
}

// judgement is one evaluation under way.
type judgement struct {
	evaluation
	in         *Input
	thresholds Thresholds
	workspace  string
	now        time.Time
}

// evaluate says what is wrong.
func evaluate(in *Input, thresholds Thresholds, workspace string, now time.Time) evaluation {
	j := &judgement{in: in, thresholds: thresholds.withDefaults(), workspace: workspace, now: now}
	j.kinds, j.tokens, j.keys, j.notes = make(map[Kind]bool), make(map[string]bool), make(map[string]bool), in.missing()
	if !in.listed() {
		for _, kind := range Kinds {
			j.kinds[kind] = kind != MapDisagreement
		}
	}
	if in.blind() {
		for _, kind := range []Kind{Unused, UnusedScopes, RefusedOften, MapDisagreement} {
			j.kinds[kind] = true
		}
	}
	for _, id := range in.Faulty {
		j.tokens[id] = true
	}
	for i := range in.Report.Rows {
		row := &in.Report.Rows[i]
		if row.Listed && !row.Expired(now) {
			j.token(row)
		}
		j.refusals(row)
	}
	j.disagreements()
	return j.evaluation
}

// token judges a token that works.
func (j *judgement) token(row *usage.Row) {
	if j.in.OwnerGone != nil && row.OwnerID != 0 {
		gone, known := j.in.OwnerGone(row.OwnerID)
		j.note(row, OwnerGone, High, gone && known, !known, ownerGoneText, revoke(row.ID))
	}
	j.note(row, Unscoped, High, row.Unscoped, false, unscopedText, recommend(row.ID))
	j.note(row, NeverExpires, Medium, row.NeverExpires, false, neverExpiresText, revoke(row.ID))
	unused, doubtful := j.in.Report.UnusedFor(row, j.thresholds.Unused)
	j.note(row, Unused, Medium, unused && !doubtful, doubtful, unusedText, revoke(row.ID))
	j.nearExpiry(row)
	j.unusedScopes(row)
}

// note adds a finding that holds, or says that it may.
func (j *judgement) note(row *usage.Row, kind Kind, severity Severity, holds, undecided bool, text func(*usage.Row) string, do string) {
	switch {
	case holds:
		j.found = append(j.found, j.finding(row, kind, severity, text(row), do))
	case undecided:
		j.keys[keyOf(kind, row.ID)] = true
	}
}

func (j *judgement) finding(row *usage.Row, kind Kind, severity Severity, text, do string) Finding {
	return Finding{
		Key: keyOf(kind, row.ID), Workspace: j.workspace, Kind: kind, Severity: severity, TokenID: row.ID,
		Owner: cell(row.Owner()), OwnerID: row.OwnerID, Creator: cell(row.Creator), Text: sentence(text), Do: do,
	}
}

// nearExpiry judges when the token ends. One whose whole life is no longer than the threshold
// would be reported from its first day on.
func (j *judgement) nearExpiry(row *usage.Row) {
	near := j.thresholds.NearExpiry
	holds := !row.Expires.IsZero() && row.Expires.Sub(j.now) <= near && (row.Created.IsZero() || row.Expires.Sub(row.Created) > near)
	severity := Low // if it ends, nothing breaks
	if last := row.Last(); !last.IsZero() && j.now.Sub(last) < inUse {
		severity = Medium
	}
	j.note(row, NearExpiry, severity, holds, false, nearExpiryText, replace)
}

// unusedScopes judges what the token holds beyond what its calls need.
func (j *judgement) unusedScopes(row *usage.Row) {
	if row.Unscoped || len(row.Used) == 0 {
		return
	}
	idle := slices.DeleteFunc(slices.Clone(row.Scopes), func(scope string) bool { return slices.Contains(row.Used, scope) })
	holds := len(idle) > 0 && row.Evidence.Enough
	text := func(row *usage.Row) string { return unusedScopesText(row, idle) }
	j.note(row, UnusedScopes, Low, holds, len(idle) > 0, text, recommend(row.ID))
}

// disagreements judges the map. An operation can have several rows.
func (j *judgement) disagreements() {
	rows := make(map[string][]*usage.DriftRow)
	open := j.in.Drift.Open()
	for i := range open.Rows {
		row := &open.Rows[i]
		name := cmp.Or(row.Operation, row.Method+" "+row.Template)
		rows[name] = append(rows[name], row)
	}
	for name, of := range rows {
		do := driftShow
		if slices.ContainsFunc(of, func(r *usage.DriftRow) bool { return r.State == usage.DriftWrong }) {
			do = driftWrite
		}
		name = cell(name)
		j.found = append(j.found, Finding{
			Key: keyOf(MapDisagreement, name), Workspace: j.workspace, Kind: MapDisagreement, Severity: Medium, Operation: name,
			Text: sentence(disagreementText(of)), Do: do,
		})
	}
}
