package findings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/internal/strictjson"
	"github.com/scopegate/scopegate/internal/tokens"
)

const (
	// documentVersion is that of the form that marshal writes. A new kind or state needs a
	// new one, because older gateways would not know it.
	documentVersion = 1
	// maxDocument bounds what is read, in bytes. All findings that a book may hold fit.
	maxDocument = 64 << 20
)

var (
	// ErrCorrupt means that saved findings cannot be read.
	ErrCorrupt = errors.New("the saved findings are corrupted")
	// ErrNewerVersion means that a newer scopegate saved them.
	ErrNewerVersion = errors.New("the findings were saved by a newer version")
)

// document is the stored form of states.
type document struct {
	Version int `json:"version"`
	// Workspace says where it was saved, as its key does: a copy elsewhere is not believed.
	Workspace string      `json:"workspace"`
	Cut       int         `json:"cut,omitempty"`
	Findings  []Finding   `json:"findings"`
	Refusals  []sampleRow `json:"refusals,omitempty"`
}

// sampleRow is the stored form of a sample. The time is in epoch milliseconds.
type sampleRow struct {
	TokenID string `json:"token_id"`
	At      int64  `json:"at"`
	Count   uint64 `json:"count"`
	Earlier uint64 `json:"earlier"`
}

// marshal writes states. What is equal is written equally.
func marshal(s *states, workspace string) ([]byte, error) {
	d := document{Version: documentVersion, Workspace: workspace, Cut: s.cut, Findings: []Finding{}}
	for _, key := range slices.Sorted(maps.Keys(s.findings)) {
		d.Findings = append(d.Findings, s.findings[key])
	}
	for _, id := range slices.Sorted(maps.Keys(s.samples)) {
		one := s.samples[id]
		d.Refusals = append(d.Refusals, sampleRow{id, one.At.UnixMilli(), one.Count, one.Earlier})
	}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("writing the findings: %w", err)
	}
	return append(data, '\n'), nil
}

// unmarshal reads what marshal wrote. The error is [ErrNewerVersion], or [ErrCorrupt] with the
// reason.
func unmarshal(data []byte, workspace string) (states, error) {
	corrupt := func(err error) (states, error) { return states{}, fmt.Errorf("%w: %w", ErrCorrupt, err) }
	if len(data) > maxDocument {
		return corrupt(fmt.Errorf("they have more than %d MiB", maxDocument>>20))
	}
	// The version goes first: a newer form may differ in anything else.
	var version struct {
		Version *float64 `json:"version"`
	}
	switch err := json.Unmarshal(data, &version); {
	case err != nil:
		return corrupt(err)
	case version.Version == nil || *version.Version < 1:
		return corrupt(errors.New("they have no version"))
	case *version.Version > documentVersion:
		return states{}, fmt.Errorf("%w: %v, and this one reads %d", ErrNewerVersion, *version.Version, documentVersion)
	}
	var d document
	if err := strictjson.Unmarshal(data, &d); err != nil {
		return corrupt(err)
	}
	if d.Workspace != workspace {
		return corrupt(fmt.Errorf("they were saved for another workspace, %q", cut(d.Workspace, 80)))
	}
	s, err := d.states()
	if err != nil {
		return corrupt(err)
	}
	return s, nil
}

func (d *document) states() (states, error) {
	s := newStates()
	if len(d.Findings) > maxFindings || len(d.Refusals) > maxSamples || d.Cut < 0 {
		return s, errors.New("there are too many of them")
	}
	s.cut = d.Cut
	for i := range d.Findings {
		f := d.Findings[i]
		if err := f.check(); err != nil {
			return s, fmt.Errorf("finding %d: %w", i, err)
		}
		if _, again := s.findings[f.Key]; again {
			return s, fmt.Errorf("finding %d is there twice", i)
		}
		s.findings[f.Key] = f
	}
	for i, row := range d.Refusals {
		at := time.UnixMilli(row.At).UTC()
		_, again := s.samples[row.TokenID]
		if !isID(row.TokenID) || again || row.Earlier > row.Count || !isTime(at) {
			return s, fmt.Errorf("the refusals of token %d make no sense", i)
		}
		s.samples[row.TokenID] = sample{at, row.Count, row.Earlier}
	}
	return s, nil
}

// check refuses a finding that this package would not have saved. It quotes nothing: an id
// that is none might be a token's value.
func (f *Finding) check() error {
	subject := f.TokenID
	if f.Kind == MapDisagreement {
		subject = f.Operation
	}
	switch {
	case !slices.Contains(Kinds, f.Kind):
		return errors.New("its kind is unknown")
	case !slices.Contains(States, f.State):
		return errors.New("its state is unknown")
	case !slices.Contains(Severities, f.Severity):
		return errors.New("its severity is unknown")
	case f.Kind == MapDisagreement && (f.TokenID != "" || f.Operation == ""), f.Kind != MapDisagreement && (f.Operation != "" || !isID(f.TokenID)):
		return errors.New("it is not about what its kind is about")
	case f.Key != keyOf(f.Kind, subject):
		return errors.New("its key is wrong")
	case (f.State == Acknowledged) && f.Acknowledged == nil:
		return errors.New("it is not known who acknowledged it")
	case (f.State == Resolved) == f.Resolved.IsZero():
		return errors.New("it is resolved at no time, or too early")
	case f.Since.IsZero() || !isTime(f.Since) || !isTime(f.Resolved):
		return errors.New("a time is out of range")
	case long(f.Text, maxSentence), long(f.Do, maxSentence), long(f.Owner, maxCell), long(f.Creator, maxCell), long(f.Operation, maxCell), long(f.Workspace, maxSentence):
		return errors.New("a text is too long")
	}
	if a := f.Acknowledged; a != nil && (long(a.By, maxBy) || long(a.Note, maxNote) || !isTime(a.At) || !isTime(a.Until)) {
		return errors.New("its acknowledgment makes no sense")
	}
	return nil
}

func long(s string, most int) bool { return utf8.RuneCountInString(s) > most }

// isID reports whether s is a token's id in the form that is shown.
func isID(s string) bool {
	_, err := tokens.ParseID(s)
	return err == nil && s == strings.ToLower(s)
}

// isTime accepts the years that a time in JSON can express.
func isTime(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
