package usage

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Lesson is what the workspace's own answers said about one row of the map.
type Lesson struct {
	// Operation is the catalog's row at the time, without its source. A row that is
	// corrected afterwards has lessons of its own.
	Operation scopes.Operation
	// Agreed counts answers that agree with the row, and Disagreed those that do not.
	// Answers that say nothing about scopes count as neither.
	Agreed, Disagreed uint64
	// First and Last are when the first and the last of these answers came.
	First, Last time.Time
	// Refused are the refusals that named scopes, also those that agree: each list of
	// names once for tokens that had what the row asks for, and once for others. The most
	// frequent come first.
	Refused []Refusal
	// Passed are the smallest sets of scopes with which tokens passed, also those that
	// agree: a set is left out if another one is part of it. The most frequent come
	// first.
	Passed []Success
	// Cut means that there were more refusals than are kept, or more sets that the row does
	// not permit, or may not.
	Cut bool
	// Crowded means that there were more sets than are kept, which the row permits.
	Crowded bool
}

// Refusal is a list of scopes that the workspace named when it refused a token.
type Refusal struct {
	// Named are the scopes, sorted. Any one of them is enough, unless they are Together.
	Named []string `json:"named"`
	// Together means that the workspace said that all of them are needed.
	Together bool `json:"together,omitempty"`
	// Held are the scopes of all tokens that were refused so, sorted. None of them held
	// everything that was named.
	Held []string `json:"held"`
	// Count is the number of such refusals.
	Count uint64    `json:"count"`
	First time.Time `json:"first_seen,omitzero"`
	Last  time.Time `json:"last_seen,omitzero"`
}

// Success is a set of scopes that was enough.
type Success struct {
	// Held are all scopes of the token, sorted: one of them, or some of them together,
	// is what was needed. A set of one is proof.
	Held []string `json:"held"`
	// Count is the number of requests that passed with them, or with more.
	Count uint64    `json:"count"`
	First time.Time `json:"first_seen,omitzero"`
	Last  time.Time `json:"last_seen,omitzero"`
}

// lessonJSON is the JSON form of a Lesson.
type lessonJSON struct {
	operationJSON
	Agreed    uint64    `json:"agreed"`
	Disagreed uint64    `json:"disagreed"`
	First     time.Time `json:"first_seen,omitzero"`
	Last      time.Time `json:"last_seen,omitzero"`
	Refused   []Refusal `json:"refused"`
	Passed    []Success `json:"passed"`
	Cut       bool      `json:"cut,omitempty"`
	Crowded   bool      `json:"crowded,omitempty"`
}

// MarshalJSON puts the operation's fields next to the counts.
func (l Lesson) MarshalJSON() ([]byte, error) {
	return json.Marshal(lessonJSON{operationJSONOf(&l.Operation), l.Agreed, l.Disagreed, l.First, l.Last, list(l.Refused), list(l.Passed), l.Cut, l.Crowded})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *Lesson) UnmarshalJSON(data []byte) error {
	var w lessonJSON
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	o, err := w.operation()
	if err != nil {
		return err
	}
	*l = Lesson{Operation: o, Agreed: w.Agreed, Disagreed: w.Disagreed, First: w.First, Last: w.Last, Refused: none(w.Refused), Passed: none(w.Passed), Cut: w.Cut, Crowded: w.Crowded}
	return nil
}

// compareLessons puts the rows with the most disagreements first.
func compareLessons(a, b Lesson) int {
	return cmp.Or(cmp.Compare(b.Disagreed, a.Disagreed), compareOperations(&a.Operation, &b.Operation))
}
