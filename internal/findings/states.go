package findings

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// keepResolved is how long a resolved finding is kept.
const keepResolved = 30 * 24 * time.Hour

// states are the findings of a workspace and what became of them. They are what is saved.
type states struct {
	findings map[string]Finding // by key
	samples  map[string]sample  // by token, see refusals.go
	// cut is how many findings were not taken, because there were too many.
	cut int
}

func newStates() states {
	return states{findings: make(map[string]Finding), samples: make(map[string]sample)}
}

// changed is a finding and what happened to it.
type changed struct {
	Finding
	change Change
}

// apply brings the states up to date with what is wrong now, and returns what changed.
func (s *states) apply(e *evaluation, now time.Time) (changes []changed) {
	found := append(slices.Clone(e.found), e.often(s.samples, now)...)
	slices.SortFunc(found, func(a, b Finding) int { return compare(&a, &b) })
	holds := make(map[string]bool, len(found))
	for i := range found {
		holds[found[i].Key] = true
	}
	changes = s.expire(now, func(f *Finding) bool { return holds[f.Key] || e.undecided(f) })
	s.cut = 0
	spare := s.spare(len(found))
	for i := range found {
		f := &found[i]
		old, known := s.findings[f.Key]
		switch {
		case known && old.State != Resolved:
			f.State, f.Since, f.Acknowledged = old.State, old.Since, old.Acknowledged
		case !known && len(s.findings) >= maxFindings && !s.dropOne(&spare):
			s.cut++
			continue
		default:
			f.State, f.Since = New, now
			changes = append(changes, changed{*f, ChangeNew})
		}
		s.findings[f.Key] = *f
	}
	return changes
}

// expire resolves what does not hold any more, ends acknowledgments that have run out, and
// drops what was resolved long ago.
func (s *states) expire(now time.Time, mayHold func(*Finding) bool) (changes []changed) {
	for _, key := range slices.Sorted(maps.Keys(s.findings)) {
		f := s.findings[key]
		switch {
		case f.State == Resolved:
			if now.Sub(f.Resolved) >= keepResolved {
				delete(s.findings, key)
			}
			continue
		case !mayHold(&f):
			f.State, f.Resolved = Resolved, now
			changes = append(changes, changed{f, ChangeResolved})
		case f.State == Acknowledged && f.Acknowledged.over(now):
			f.State, f.Acknowledged = New, nil
			changes = append(changes, changed{f, ChangeNew})
		default:
			continue
		}
		s.findings[key] = f
	}
	return changes
}

// over reports whether an acknowledgment has run out.
func (a *Acknowledgment) over(now time.Time) bool {
	return a == nil || !a.Until.IsZero() && !now.Before(a.Until)
}

// spare returns the keys of resolved findings, the oldest last, if so many more do not fit.
func (s *states) spare(more int) (keys []string) {
	if len(s.findings)+more <= maxFindings {
		return nil
	}
	for key, f := range s.findings {
		if f.State == Resolved {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(s.findings[b].Resolved.Compare(s.findings[a].Resolved), strings.Compare(a, b))
	})
	return keys
}

// dropOne drops the last of the keys that is still resolved, and reports whether there is one.
func (s *states) dropOne(keys *[]string) bool {
	for n := len(*keys); n > 0; n-- {
		key := (*keys)[n-1]
		*keys = (*keys)[:n-1]
		if s.findings[key].State == Resolved {
			delete(s.findings, key)
			return true
		}
	}
	return false
}

// acknowledge marks a finding that holds.
func (s *states) acknowledge(key string, by Acknowledgment) (Finding, error) {
	f, ok := s.findings[key]
	switch {
	case !ok:
		return Finding{}, ErrUnknownKey
	case f.State == Resolved:
		return Finding{}, ErrResolved
	}
	f.State, f.Acknowledged = Acknowledged, &by
	s.findings[key] = f
	return f, nil
}

// sorted returns copies of the findings, what matters most first.
func (s *states) sorted() []Finding {
	all := make([]Finding, 0, len(s.findings))
	for _, f := range s.findings {
		all = append(all, f.clone())
	}
	slices.SortFunc(all, func(a, b Finding) int { return compare(&a, &b) })
	return all
}

func (f Finding) clone() Finding {
	if f.Acknowledged != nil {
		by := *f.Acknowledged
		f.Acknowledged = &by
	}
	return f
}

// clone returns states that can be changed without changing these.
func (s *states) clone() states {
	return states{findings: maps.Clone(s.findings), samples: maps.Clone(s.samples), cut: s.cut}
}
