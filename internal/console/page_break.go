package console

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/usage"
)

// breakPage tells who would break if everything that is only rehearsed were enforced now.
var breakPage = page{pattern: "/break", template: "break", label: "Would break", title: "Who would break if I enforced now", all: true, load: (*server).breakData}

// maxBroken is how many lines the page lists.
const maxBroken = 200

// breakData is what the page shows.
type breakData struct {
	Owner, Policy             string // the filter
	Policies                  []option
	Tokens, Operations, Calls string
	// Judged is what it was found out from.
	Judged     replay.Count
	Owners     []brokenOwner
	Rehearsals []rehearsal
	Lines      []brokenLine
	More       int // lines that are not listed
	Unjudged   []replay.Unjudged
	Notes      []string
}

// brokenOwner is an owner with calls that would be refused.
type brokenOwner struct {
	Owner  string
	Tokens int
	Calls  string
	calls  uint64
	// Share is how much of all calls that would be refused these are, in percent.
	Share int
}

// rehearsal is a policy that is rehearsed for some tokens.
type rehearsal struct {
	replay.Rehearsal
	Calls string
}

// brokenLine is an operation of a token.
type brokenLine struct {
	replay.Line
	Calls string
	Last  when
}

func (s *server) breakData(r *http.Request) (any, error) {
	query := r.URL.Query()
	data := &breakData{Owner: filterText(query, "owner"), Policy: filterText(query, "policy")}
	workspace, err := s.workspace()
	if err != nil {
		data.Notes = append(data.Notes, err.Error())
		return data, nil
	}
	state, err := workspace.Usage.State(r.Context())
	if err != nil {
		data.Notes = append(data.Notes, "saved usage could not be read: "+err.Error())
	}
	list, _, err := workspace.Tokens.List(r.Context())
	if err != nil {
		data.Notes = append(data.Notes, "the workspace's tokens are not known, so nothing can be judged: "+err.Error())
		return data, nil //nolint:nilerr // the page says so
	}
	judges := workspace.Judges()
	filter := replay.Filter{Policy: data.Policy}
	if data.Owner != "" {
		filter.Owner = "*" + strings.Trim(data.Owner, "*") + "*"
	}
	report := replay.Usage(replay.Input{
		Now: judges, Then: judges, AsEnforced: true, Usage: state, Tokens: list, Owner: workspace.Tokens.Owner,
		At: s.Now(), Filter: filter, Lines: -1,
	})
	data.fill(&report, s.Now())
	data.Policies = policyOptions(judges, data.Policy)
	return data, nil
}

// fill takes over what a report says.
func (d *breakData) fill(report *replay.Report, now time.Time) {
	refused := &report.Refused
	d.Tokens, d.Operations, d.Calls = count(refused.Tokens, "token"), count(refused.Operations, "operation"), usage.Thousands(refused.Calls)
	d.Judged, d.Unjudged = report.Judged, report.Unjudged
	d.Notes = append(d.Notes, report.Notes...)
	d.Owners = brokenOwners(refused)
	for _, r := range report.Rehearsals {
		r.Steps = slices.DeleteFunc(slices.Clone(r.Steps), func(s replay.Step) bool { return !inAll(report.Rehearsals, s.Percent) })
		d.Rehearsals = append(d.Rehearsals, rehearsal{r, usage.Thousands(r.Calls)})
	}
	for i := range refused.Lines {
		if i == maxBroken {
			d.More = len(refused.Lines) - i
			break
		}
		line := &refused.Lines[i]
		d.Lines = append(d.Lines, brokenLine{*line, usage.Thousands(line.Calls), newWhen(line.Last, now)})
	}
}

// inAll reports whether all policies have a step, so that it can be a column. The share for
// which one is enforced now may be a step of its own.
func inAll(all []replay.Rehearsal, percent int) bool {
	for i := range all {
		if !slices.ContainsFunc(all[i].Steps, func(s replay.Step) bool { return s.Percent == percent }) {
			return false
		}
	}
	return true
}

// maxOwners is how many owners the page lists.
const maxOwners = 25

// brokenOwners sums lines by owner, most calls first.
func brokenOwners(refused *replay.Change) []brokenOwner {
	byName := make(map[string]*brokenOwner)
	counted := make(map[[2]string]bool)
	for i := range refused.Lines {
		line := &refused.Lines[i]
		o := byName[line.Owner]
		if o == nil {
			o = &brokenOwner{Owner: line.Owner}
			byName[line.Owner] = o
		}
		o.calls += line.Calls
		if key := [2]string{line.Owner, line.TokenID}; !counted[key] {
			counted[key] = true
			o.Tokens++
		}
	}
	var all []brokenOwner
	for _, o := range byName {
		o.Calls = usage.Thousands(o.calls)
		o.Share = int(math.Round(100 * float64(o.calls) / float64(max(1, refused.Calls))))
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b brokenOwner) int {
		return cmp.Or(cmp.Compare(b.calls, a.calls), strings.Compare(a.Owner, b.Owner))
	})
	return all[:min(len(all), maxOwners)]
}

// policyOptions are all policies, of which one may be selected.
func policyOptions(judges []*judge.Judge, selected string) []option {
	all := []option{{"", "any, or missing scopes", selected == ""}}
	for _, j := range judges {
		for i := range j.Rules.Policies {
			name := j.Rules.Policies[i].Name
			if !slices.ContainsFunc(all, func(o option) bool { return o.Value == name }) {
				all = append(all, option{name, name, name == selected})
			}
		}
	}
	return all
}
