package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

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
}

// envelope says whose a snapshot is and for how long.
type envelope struct {
	// Until is the end of the lease: until then, no other gateway touches it.
	Until int64 `json:"until,omitempty"`
	// Folded names the snapshots that a folded one contains, with when they were folded.
	Folded map[string]int64 `json:"folded,omitempty"`
	// Ledgers lists the gateways that added to a snapshot which they shared, as older
	// versions did. It is read and not written.
	Ledgers map[string]sharedMark `json:"ledgers,omitempty"`
}

// sharedMark says when a gateway of an older version last saved.
type sharedMark struct {
	At int64 `json:"at"`
}

type cutRow struct {
	Entries uint64 `json:"entries"`
	Calls   uint64 `json:"calls"`
	Since   int64  `json:"since"`
}

type opRow struct {
	Method   string   `json:"method"`
	Template string   `json:"template"`
	Name     string   `json:"name"`
	Access   string   `json:"access"`
	AnyOf    []string `json:"any_of,omitempty"`
	Evidence string   `json:"evidence,omitempty"`
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
	Unmapped  uint64   `json:"unmapped,omitempty"`
	Uses      []useRow `json:"uses"`
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
	return &cutRow{c.Entries, c.Calls, c.Since.UnixMilli()}
}

// marshalSnapshot writes a state as versioned JSON.
func marshalSnapshot(state State, envelope envelope) ([]byte, error) {
	out := snapshot{Version: snapshotVersion, envelope: envelope, Since: state.Since.UnixMilli(), Cut: cutRowOf(state.Cut),
		Operations: []opRow{}, Tokens: make([]tokenRow, 0, len(state.Tokens))}
	index := make(map[handle]int)
	for i := range state.Tokens {
		t := &state.Tokens[i]
		row := tokenRow{
			ID: t.ID, OwnerID: t.OwnerID, Creator: text(t.Creator), First: t.First.UnixMilli(), Last: t.Last.UnixMilli(), Days: t.ActiveDays,
			Calls: t.Calls, Denied: t.Denied, WouldDeny: t.WouldDeny, Unmapped: t.Unmapped,
			Uses: make([]useRow, 0, len(t.Uses)), Cut: cutRowOf(t.Cut),
		}
		for j := range t.Uses {
			u := &t.Uses[j]
			h := handleOf(&u.Operation)
			n, known := index[h]
			if !known {
				n = len(out.Operations)
				index[h] = n
				o := &u.Operation
				out.Operations = append(out.Operations, opRow{o.Method, o.Template, o.Name, o.Access.String(), o.AnyOf, string(o.Evidence)})
			}
			row.Uses = append(row.Uses, useRow{n, u.Calls, u.Denied, u.WouldDeny, u.First.UnixMilli(), u.Last.UnixMilli(), u.Reason})
		}
		out.Tokens = append(out.Tokens, row)
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
	return state, nil
}

func (r *tokenRow) token(operations []scopes.Operation) (Token, error) {
	// An invalid id might be a token's value, so it is not quoted.
	if !isID(r.ID) {
		return Token{}, errors.New("its id is not 64 hexadecimal digits")
	}
	if r.Days < 0 || r.Days > math.MaxInt32 {
		return Token{}, errors.New("its days are out of range")
	}
	if err := errors.Join(checkCounts(r.Calls, r.Denied, r.WouldDeny, r.Unmapped), checkTime(r.First), checkTime(r.Last)); err != nil {
		return Token{}, err
	}
	t := Token{
		ID: r.ID, OwnerID: r.OwnerID, Creator: text(r.Creator), First: timeOf(r.First), Last: timeOf(r.Last), ActiveDays: r.Days,
		Calls: r.Calls, Denied: r.Denied, WouldDeny: r.WouldDeny, Unmapped: r.Unmapped, Uses: make([]Use, 0, len(r.Uses)),
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
		t.Uses = append(t.Uses, Use{operations[u.Operation], u.Calls, u.Denied, u.WouldDeny, timeOf(u.First), timeOf(u.Last), u.Reason})
	}
	sortUses(t.Uses)
	return t, nil
}

func (r *opRow) operation() (scopes.Operation, error) {
	access, err := parseAccess(r.Access)
	switch {
	case err != nil:
		return scopes.Operation{}, err
	case slices.ContainsFunc(r.AnyOf, func(scope string) bool { return strings.Contains(scope, ",") }):
		return scopes.Operation{}, errors.New("it has an invalid scope")
	}
	o := scopes.Operation{Method: r.Method, Template: r.Template, AnyOf: r.AnyOf, Access: access, Evidence: scopes.Evidence(r.Evidence), Name: r.Name}
	return handleOf(&o).Value().operation(), nil // in the form that a recorder returns
}

func (r *cutRow) cut() (Cut, error) {
	if r == nil || r.Entries == 0 {
		return Cut{}, nil
	}
	return Cut{r.Entries, r.Calls, timeOf(r.Since)}, errors.Join(checkCounts(r.Entries, r.Calls), checkTime(r.Since))
}

// checkCounts limits counts to what can be added up, and read by tools that treat all
// numbers as floating-point.
func checkCounts(counts ...uint64) error {
	for _, n := range counts {
		if n > 1<<53 {
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
