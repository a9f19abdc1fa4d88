package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/scopes"
)

// snapshotVersion is that of the form that marshalSnapshot writes.
const snapshotVersion = 1

var (
	// ErrNewerVersion means that a newer scopegate wrote the snapshot.
	ErrNewerVersion = errors.New("the usage snapshot was written by a newer version")
	// ErrCorrupt means that the snapshot cannot be read.
	ErrCorrupt = errors.New("the usage snapshot is corrupted")
)

// snapshot is the stored form of a State. It is small: each operation is stored
// once, and tokens refer to it by number. Times are epoch milliseconds.
type snapshot struct {
	Version int `json:"version"`
	envelope
	Since      int64      `json:"since"`
	Cut        *cutRow    `json:"cut,omitempty"`
	Operations []opRow    `json:"operations"`
	Tokens     []tokenRow `json:"tokens"`
	// Lessons are missing in files of older versions, which ignore them.
	Lessons []lessonRow `json:"lessons,omitempty"`
}

// envelope says whose a snapshot is and for how long.
type envelope struct {
	// Workspace and Instance say where the snapshot was saved, as its key does: a copy
	// elsewhere must not count. They are empty in files of older versions.
	Workspace string `json:"workspace,omitempty"`
	Instance  string `json:"instance,omitempty"`
	// Until is the end of the lease: until then, no other gateway touches it.
	Until int64 `json:"until,omitempty"`
	// Folded names the snapshots that a folded one contains, with when they were folded.
	Folded map[string]int64 `json:"folded,omitempty"`
	// Ledgers lists the gateways that added to a snapshot which they shared, as older
	// versions did. It is read and not written.
	Ledgers map[string]sharedMark `json:"ledgers,omitempty"`
}

// address returns the envelope's Workspace and Instance for a key.
func (p place) address(key string) (workspace, instance string) {
	return path.Base(p.prefix), strings.TrimSuffix(path.Base(key), snapshotSuffix)
}

// belongs reports whether a snapshot was saved where it was found.
func (e *envelope) belongs(p place, key string) error {
	workspace, instance := p.address(key)
	switch {
	case e.Workspace != "" && e.Workspace != workspace:
		return fmt.Errorf("%w: it was saved for another workspace, %q", ErrCorrupt, cell(e.Workspace, 80))
	case e.Instance != "" && e.Instance != instance:
		return fmt.Errorf("%w: it is a copy of %q", ErrCorrupt, cell(e.Instance, 80))
	}
	return nil
}

// sharedMark says when a gateway of an older version last saved.
type sharedMark struct {
	At int64 `json:"at"`
}

type cutRow struct {
	Entries uint64 `json:"entries"`
	Calls   uint64 `json:"calls"`
	Since   int64  `json:"since"`
	First   *int64 `json:"first,omitempty"`
	Last    *int64 `json:"last,omitempty"`
	// Needs are nil if they are not known, as in files of older versions. Scopes are
	// joined by commas.
	Needs *[]string `json:"needs,omitempty"`
	// More means that there were more needs.
	More bool `json:"more,omitempty"`
}

type opRow struct {
	Method   string   `json:"method"`
	Template string   `json:"template"`
	Name     string   `json:"name"`
	Access   string   `json:"access"`
	AnyOf    []string `json:"any_of,omitempty"`
	Evidence string   `json:"evidence,omitempty"`
	Optional bool     `json:"optional,omitempty"`
}

type tokenRow struct {
	ID        string   `json:"id"`
	OwnerID   int64    `json:"owner_id,omitempty"`
	Creator   string   `json:"creator,omitempty"`
	First     int64    `json:"first"`
	Last      int64    `json:"last"`
	Days      int      `json:"days"`
	Calls     uint64   `json:"calls"`
	Denied    uint64   `json:"denied,omitempty"`
	WouldDeny uint64   `json:"would_deny,omitempty"`
	Optional  uint64   `json:"optional,omitempty"`
	Unmapped  uint64   `json:"unmapped,omitempty"`
	Uses      []useRow `json:"uses"`
	Evicted   bool     `json:"evicted,omitempty"`
	Cut       *cutRow  `json:"cut,omitempty"`
}

type useRow struct {
	Operation int    `json:"op"` // index in the snapshot's operations
	Calls     uint64 `json:"calls"`
	Denied    uint64 `json:"denied,omitempty"`
	WouldDeny uint64 `json:"would_deny,omitempty"`
	First     int64  `json:"first"`
	Last      int64  `json:"last"`
	Reason    string `json:"reason,omitempty"`
}

func cutRowOf(c Cut) *cutRow {
	if c.Entries == 0 {
		return nil
	}
	row := &cutRow{Entries: c.Entries, Calls: c.Calls, Since: c.Since.UnixMilli(), More: c.NeedsUnknown}
	if !c.Last.IsZero() {
		first, last := c.First.UnixMilli(), c.Last.UnixMilli()
		row.First, row.Last = &first, &last
	}
	needs := make([]string, len(c.Needs))
	for i, need := range c.Needs {
		needs[i] = strings.Join(need, ",")
	}
	row.Needs = &needs
	return row
}

// marshalSnapshot writes a state as versioned JSON.
func marshalSnapshot(state State, envelope envelope) ([]byte, error) {
	out := snapshot{Version: snapshotVersion, envelope: envelope, Since: state.Since.UnixMilli(), Cut: cutRowOf(state.Cut),
		Operations: []opRow{}, Tokens: make([]tokenRow, 0, len(state.Tokens))}
	index := make(map[handle]int)
	number := func(o *scopes.Operation) int {
		h := handleOf(o)
		n, known := index[h]
		if !known {
			n = len(out.Operations)
			index[h] = n
			out.Operations = append(out.Operations, opRow{o.Method, o.Template, o.Name, o.Access.String(), o.AnyOf, string(o.Evidence), o.Optional})
		}
		return n
	}
	for i := range state.Tokens {
		t := &state.Tokens[i]
		row := tokenRow{
			ID: t.ID, OwnerID: t.OwnerID, Creator: text(t.Creator), First: t.First.UnixMilli(), Last: t.Last.UnixMilli(), Days: t.ActiveDays,
			Calls: t.Calls, Denied: t.Denied, WouldDeny: t.WouldDeny, Optional: t.Optional, Unmapped: t.Unmapped,
			Uses: make([]useRow, 0, len(t.Uses)), Evicted: t.Evicted, Cut: cutRowOf(t.Cut),
		}
		for j := range t.Uses {
			u := &t.Uses[j]
			row.Uses = append(row.Uses, useRow{number(&u.Operation), u.Calls, u.Denied, u.WouldDeny, u.First.UnixMilli(), u.Last.UnixMilli(), u.Reason})
		}
		out.Tokens = append(out.Tokens, row)
	}
	for i := range state.Lessons {
		l := &state.Lessons[i]
		out.Lessons = append(out.Lessons, lessonRowOf(l, number(&l.Operation)))
	}
	data, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("writing the usage snapshot: %w", err)
	}
	return append(data, '\n'), nil
}

// unmarshalSnapshot reads what marshalSnapshot wrote. It ignores unknown fields. The
// error is [ErrNewerVersion] or [ErrCorrupt] with the reason. The envelope of a newer
// version has only the end of its lease, if that still has the same form.
func unmarshalSnapshot(data []byte) (State, envelope, error) {
	// The version goes first: a newer form may differ in anything else.
	var version struct {
		Version *float64        `json:"version"`
		Until   json.RawMessage `json:"until"`
	}
	switch err := json.Unmarshal(data, &version); {
	case err != nil:
		return State{}, envelope{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	case version.Version == nil || *version.Version < 1:
		return State{}, envelope{}, fmt.Errorf("%w: it has no version", ErrCorrupt)
	case *version.Version > snapshotVersion:
		var newer envelope
		if json.Unmarshal(version.Until, &newer.Until) != nil {
			newer.Until = 0
		}
		return State{}, newer, fmt.Errorf("%w: %v, and this one reads %d", ErrNewerVersion, *version.Version, snapshotVersion)
	}
	if err := scan(data); err != nil {
		return State{}, envelope{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	var in snapshot
	if err := json.Unmarshal(data, &in); err != nil {
		return State{}, envelope{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	state, err := in.state()
	if err != nil {
		return State{}, envelope{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return state, in.envelope, nil
}

// state checks a snapshot and translates it.
func (s *snapshot) state() (State, error) {
	state := State{Since: timeOf(s.Since), Tokens: make([]Token, 0, len(s.Tokens))}
	var err error
	if state.Cut, err = s.Cut.cut(); err != nil {
		return State{}, err
	}
	if err := checkTime(s.Since); err != nil {
		return State{}, err
	}
	operations := make([]scopes.Operation, len(s.Operations))
	for i := range s.Operations {
		if operations[i], err = s.Operations[i].operation(); err != nil {
			return State{}, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	seen := make(map[string]bool, len(s.Tokens))
	for i := range s.Tokens {
		t, err := s.Tokens[i].token(operations)
		if err == nil && seen[t.ID] {
			err = errors.New("it is a duplicate")
		}
		if err != nil {
			return State{}, fmt.Errorf("token %d: %w", i, err)
		}
		seen[t.ID] = true
		state.Tokens = append(state.Tokens, t)
	}
	sortTokens(state.Tokens)
	state.Lessons, err = lessonsOf(s.Lessons, operations)
	return state, err
}

func (r *tokenRow) token(operations []scopes.Operation) (Token, error) {
	// An invalid id might be a token's value, so it is not quoted.
	if !isID(r.ID) {
		return Token{}, errors.New("its id is not 64 hexadecimal digits")
	}
	if r.Days < 0 || r.Days > math.MaxInt32 {
		return Token{}, errors.New("its days are out of range")
	}
	if err := errors.Join(checkCounts(r.Calls, r.Denied, r.WouldDeny, r.Optional, r.Unmapped), checkTime(r.First), checkTime(r.Last)); err != nil {
		return Token{}, err
	}
	t := Token{
		ID: r.ID, OwnerID: r.OwnerID, Creator: text(r.Creator), First: timeOf(r.First), Last: timeOf(r.Last), ActiveDays: r.Days,
		Calls: r.Calls, Denied: r.Denied, WouldDeny: r.WouldDeny, Optional: r.Optional, Unmapped: r.Unmapped, Uses: make([]Use, 0, len(r.Uses)), Evicted: r.Evicted,
	}
	if r.Evicted && len(r.Uses) > 0 {
		return Token{}, errors.New("it is evicted and has operations")
	}
	var err error
	if t.Cut, err = r.Cut.cut(); err != nil {
		return Token{}, err
	}
	seen := make(map[handle]bool, len(r.Uses))
	for i := range r.Uses {
		u := &r.Uses[i]
		if u.Operation < 0 || u.Operation >= len(operations) {
			return Token{}, fmt.Errorf("use %d refers to an operation that does not exist", i)
		}
		if err := errors.Join(checkCounts(u.Calls, u.Denied, u.WouldDeny), checkTime(u.First), checkTime(u.Last)); err != nil {
			return Token{}, fmt.Errorf("use %d: %w", i, err)
		}
		h := handleOf(&operations[u.Operation])
		if seen[h] {
			return Token{}, fmt.Errorf("use %d is a duplicate", i)
		}
		seen[h] = true
		t.Uses = append(t.Uses, Use{Operation: operations[u.Operation], Calls: u.Calls, Denied: u.Denied, WouldDeny: u.WouldDeny, First: timeOf(u.First), Last: timeOf(u.Last), Reason: u.Reason})
	}
	sortUses(t.Uses)
	return t, nil
}

func (r *opRow) operation() (scopes.Operation, error) {
	access, err := parseAccess(r.Access)
	switch {
	case err != nil:
		return scopes.Operation{}, err
	case slices.ContainsFunc(r.AnyOf, func(scope string) bool { return strings.ContainsAny(scope, ",\n") }):
		return scopes.Operation{}, errors.New("it has an invalid scope")
	}
	o := scopes.Operation{Method: r.Method, Template: r.Template, AnyOf: r.AnyOf, Access: access, Evidence: scopes.Evidence(r.Evidence), Name: r.Name, Optional: r.Optional}
	return handleOf(&o).Value().operation(), nil // in the form that a recorder returns
}

func (r *cutRow) cut() (Cut, error) {
	if r == nil || r.Entries == 0 {
		return Cut{}, nil
	}
	c := cutMS{entries: r.Entries, calls: r.Calls, since: r.Since, unknown: r.More || r.Needs == nil}
	err := errors.Join(checkCounts(r.Entries, r.Calls), checkTime(r.Since))
	if r.First != nil && r.Last != nil && !timeOf(*r.Last).IsZero() {
		c.first, c.last, c.dated = *r.First, *r.Last, true
		err = errors.Join(err, checkTime(c.first), checkTime(c.last))
	}
	if r.Needs != nil {
		for _, need := range *r.Needs {
			for scope := range strings.SplitSeq(need, ",") {
				err = errors.Join(err, checkScope(scope))
			}
			if err != nil {
				break
			}
			c.need(need)
		}
	}
	return c.export(), err
}

// checkScope refuses what would not survive being joined with others.
func checkScope(scope string) error {
	if scope == "" || strings.ContainsAny(scope, ",\n") || !utf8.ValidString(scope) {
		return errors.New("it has an invalid scope")
	}
	return nil
}

// checkCounts limits counts to what can be added up, and read by tools that treat all
// numbers as floating-point.
func checkCounts(counts ...uint64) error {
	for _, n := range counts {
		if n > maxCount {
			return errors.New("a count is out of range")
		}
	}
	return nil
}

// checkTime accepts the years that a time in JSON can express.
func checkTime(ms int64) error {
	if y := timeOf(ms).Year(); y < 1 || y > 9999 {
		return errors.New("a time is out of range")
	}
	return nil
}
