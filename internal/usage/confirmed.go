package usage

import (
	"fmt"
	"strconv"

	"github.com/scopegate/scopegate/scopes"
)

// Answers counts operations by what the workspace's answers say about their rows.
type Answers struct {
	Confirmed uint64 `json:"confirmed"`
	// Contradicted are those with answers that disagree with the row.
	Contradicted uint64 `json:"contradicted"`
}

// String returns a line of text, empty if nothing is known.
func (a Answers) String() string {
	switch {
	case a == Answers{}:
		return ""
	case a.Contradicted == 0:
		return fmt.Sprintf("The workspace's answers confirm the map for %s.", count(a.Confirmed, "operation"))
	}
	return fmt.Sprintf("The workspace's answers confirm the map for %s, and contradict it for %d: see scopegate scopes drift.", count(a.Confirmed, "operation"), a.Contradicted)
}

// answers counts operations by what was learned about them. One whose row was corrected
// since is counted by what was learned about the row that came last.
func (s *State) answers() (a Answers) {
	last := make(map[string]*Lesson, len(s.Lessons))
	for i := range s.Lessons {
		l := &s.Lessons[i]
		if other := last[rowKey(&l.Operation)]; other == nil || l.Last.After(other.Last) {
			last[rowKey(&l.Operation)] = l
		}
	}
	for _, l := range last {
		if l.Disagreed > 0 {
			a.Contradicted++
		} else if l.Agreed > 0 {
			a.Confirmed++
		}
	}
	return a
}

// Confirmed returns how often the workspace's answers agreed with the row of an operation.
func (s *State) Confirmed(o *scopes.Operation) uint64 { return s.agreed()[rowAndNeeds(o)] }

// confirm notes at each operation how often the workspace's answers agreed with its row, and
// what refusals named beside that.
func (s *State) confirm() {
	agreed := s.agreed()
	var learned Learned
	learned.recall(s.Lessons)
	for i := range s.Tokens {
		for j := range s.Tokens[i].Uses {
			u := &s.Tokens[i].Uses[j]
			u.Confirmed, u.learned = agreed[rowAndNeeds(&u.Operation)], learned.of(&u.Operation)
		}
	}
}

// agreed returns by row and needs how often answers agreed.
func (s *State) agreed() map[string]uint64 {
	agreed := make(map[string]uint64, len(s.Lessons))
	for i := range s.Lessons {
		l := &s.Lessons[i]
		key := rowAndNeeds(&l.Operation)
		agreed[key] = plus(agreed[key], l.Agreed)
	}
	return agreed
}

func rowAndNeeds(o *scopes.Operation) string { return rowKey(o) + " " + o.Needs() }

// evidence says how the scopes of an operation are known.
func (u *Use) evidence() string {
	evidence := string(u.Operation.Evidence)
	if u.Confirmed > 0 {
		evidence += ", " + ConfirmedHere(u.Confirmed)
	}
	return evidence
}

// ConfirmedHere says how often the workspace's answers agreed with a row.
func ConfirmedHere(n uint64) string {
	if n == 1 {
		return "confirmed here once"
	}
	return "confirmed here " + Thousands(n) + " times"
}

// Thousands writes a number as 1,204.
func Thousands(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
