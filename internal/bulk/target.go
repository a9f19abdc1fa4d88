package bulk

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// Target is a token that is to be changed.
type Target struct {
	ID tokens.ID
	// Owner is the owner's name, or the number while the name is not known.
	Owner   string
	OwnerID int64
	Comment string
	// Former are the scopes before a change, and To those after it. None means everything.
	Former, To []string
	// before are those that it was narrowed to before To.
	before [][]string
	// LastUsed is when the workspace last saw the token used, as far as was known when it was
	// chosen, and Last the same with what the gateway saw.
	LastUsed, Last time.Time
	// Why says why it was chosen.
	Why string
}

// Status is what came of a token.
type Status string

// The statuses.
const (
	Narrowed Status = "narrowed"
	Restored Status = "restored"
	Revoked  Status = "revoked"
	// Already: the token was as it should be.
	Already Status = "already done"
	// Gone: the workspace does not have the token any more.
	Gone Status = "gone"
	// Planned: it would be changed, were this not a dry run.
	Planned Status = "would be changed"
	// PlannedRevocation: it would be revoked, were this not a dry run.
	PlannedRevocation Status = "would be revoked"
	// Failed: it was not changed, or that is not known; Problem says why.
	Failed Status = "failed"
	// Untried: the command stopped before it.
	Untried Status = "not tried"
	// Skipped: it is not changed; Problem says why.
	Skipped Status = "skipped"
)

// Result is what came of one token.
type Result struct {
	TokenID string   `json:"token_id"`
	Owner   string   `json:"owner"`
	Comment string   `json:"comment,omitempty"`
	Status  Status   `json:"result"`
	Former  []string `json:"former"`
	// To are the scopes that it was to get; empty for one that is revoked.
	To []string `json:"scopes"`
	// LastUsed is the day on which the token was last used; zero if it never was, or for one
	// that is narrowed. Why says why it was chosen.
	LastUsed time.Time `json:"last_used,omitzero"`
	Why      string    `json:"why,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	// Unsure, of a token that failed, means that it may have been changed.
	Unsure bool `json:"-"`
}

// Result returns what came of a token, and why.
func (t *Target) Result(status Status, problem string) Result { return t.result(status, problem) }

func (t *Target) result(status Status, problem string) Result {
	return Result{TokenID: t.ID.String(), Owner: t.Owner, Comment: t.Comment, Status: status, Former: list(t.Former), To: list(t.To), LastUsed: t.Last, Why: t.Why, Problem: problem}
}

// maxOwnersNamed is how many owners a question names.
const maxOwnersNamed = 20

// Whose says how many tokens there are, and of whom, those with the most first.
func Whose(targets []Target) string {
	counts := make(map[string]int)
	for i := range targets {
		counts[targets[i].Owner]++
	}
	var owners []string
	for owner := range counts {
		owners = append(owners, owner)
	}
	slices.SortFunc(owners, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
	var named []string
	for _, owner := range owners[:min(len(owners), maxOwnersNamed)] {
		name := usage.Clean(owner)
		if strings.ContainsAny(name, ` "(),`) {
			name = strconv.Quote(name) // or it could look like several
		}
		named = append(named, fmt.Sprintf("%s (%d)", name, counts[owner]))
	}
	text := fmt.Sprintf("%s of %s: %s", count(len(targets), "token"), count(len(owners), "owner"), strings.Join(named, ", "))
	if more := len(owners) - len(named); more > 0 {
		text += fmt.Sprintf(" and %s more", count(more, "owner"))
	}
	return text
}

// count formats a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
