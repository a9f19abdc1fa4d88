package console

import (
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/findings"
)

// tokenFinding is a finding about a token, whatever became of it.
type tokenFinding struct {
	findings.Finding
	// What is the kind in words.
	What            string
	Since, Resolved when
	// Known says who acknowledged it and why, as far as that is known.
	Known string
}

// findings returns all findings, none where there are none.
func (s *server) findings() []findings.Finding {
	workspace, err := s.workspace()
	if err != nil || workspace.Findings == nil {
		return nil
	}
	return workspace.Findings.List()
}

// findingsOf returns those of one token, the last ones first within each state.
func (s *server) findingsOf(id string, now time.Time) (list []tokenFinding) {
	for _, f := range s.findings() {
		if f.TokenID != id {
			continue
		}
		one := tokenFinding{Finding: f, What: strings.ReplaceAll(string(f.Kind), "_", " "), Since: newWhen(f.Since, now)}
		if !f.Resolved.IsZero() {
			one.Resolved = newWhen(f.Resolved, now)
		}
		if by := f.Acknowledged; by != nil {
			one.Known = by.Note
			if by.By != "" {
				one.Known = strings.TrimSuffix("by "+by.By+": "+by.Note, ": ")
			}
		}
		list = append(list, one)
	}
	return list
}

// ownerless returns the tokens whose owner was deleted or deactivated, by id.
func (s *server) ownerless() map[string]bool {
	ids := make(map[string]bool)
	for _, f := range s.findings() {
		if f.Kind == findings.OwnerGone && f.State != findings.Resolved {
			ids[f.TokenID] = true
		}
	}
	return ids
}
