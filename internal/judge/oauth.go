package judge

import (
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/internal/policy"
)

// passUnverified passes an OAuth access token on, whatever it says.
func (j *Judgement) passUnverified() { j.Decision, j.Reason = Allow, policy.PassedOAuth }

// aliases says which scopes of an OAuth access token the judgement rests on that are only
// aliases of those which the operations name.
func (j *Judgement) aliases() (told []string) {
	if j.Facts.Info == nil || !j.Facts.Info.OAuth {
		return nil
	}
	for _, operation := range slices.Insert(j.Also(), 0, j.Operation) {
		if operation.Permits(j.Held) {
			continue
		}
		for _, a := range operation.AliasesIn(j.Held) {
			text := fmt.Sprintf("%s stands for %s here: %s", a.Scope, a.For, a.Source)
			if !slices.Contains(told, text) {
				told = append(told, text)
			}
		}
	}
	return told
}
