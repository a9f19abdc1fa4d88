package adminapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// PlanQuery asks for recommendations for many tokens. Of the embedded query, Format and Sort
// do not count.
type PlanQuery struct {
	ReportQuery
	// Used is as in [RecommendQuery].
	Used string
}

func (q PlanQuery) encode() url.Values {
	q.Format, q.Sort = "", ""
	query := q.ReportQuery.encode()
	set(query, paramUsed, q.Used)
	return query
}

// plan recommends scopes for all tokens that the filters select.
func (s *server) plan(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramWorkspace, paramUnscoped, paramNoExpiry, paramUnused, paramExpiring, paramOwner, paramUsed); err != nil {
		return err
	}
	filter, err := parseFilter(query)
	if err != nil {
		return errorf(http.StatusBadRequest, "%w", err)
	}
	window, err := readDuration(query, paramUsed)
	if err != nil {
		return errorf(http.StatusBadRequest, "%w", err)
	}
	workspace, err := workspaceOf(s, query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	// What is missing would make tokens look unused, or leave some out.
	state, err := workspace.Usage.State(r.Context())
	if err != nil {
		return errorf(http.StatusServiceUnavailable, "saved usage cannot be read, so there is no plan: %w", err)
	}
	infos, _, err := workspace.Tokens.List(r.Context())
	if err != nil {
		return errorf(http.StatusServiceUnavailable, "the tokens of the workspace cannot be listed, so there is no plan: %w", err)
	}
	listed, notes := workspace.listed(infos)
	report := usage.NewReport(state, listed, s.Now())
	report.Notes = notes
	report.Sort(usage.ByOwner)
	report = report.Filter(filter)
	plan := state.Plan(&report, window, s.Now())
	plan.Workspace = workspace.URL
	if from, ok := workspace.Tokens.(interface{ OwnToken() (tokens.ID, bool) }); ok {
		if id, known := from.OwnToken(); known {
			plan.Own = id.String()
		}
	}
	s.nameRulesOf(&workspace, &plan, infos)
	return writeJSON(w, http.StatusOK, &plan)
}

// nameRulesOf names the rules behind what would break for the tokens of a plan.
func (s *server) nameRulesOf(w *Workspace, plan *usage.Plan, infos []*tokens.Info) {
	byID := make(map[string]*tokens.Info, len(infos))
	for _, info := range infos {
		byID[info.ID.String()] = info
	}
	named := true
	for i := range plan.Rows {
		row := &plan.Rows[i]
		if info := byID[row.ID]; info != nil && row.Recommendation != nil {
			row.Recommendation.Workspace = w.URL
			named = s.nameRules(w, info, row.Recommendation.WouldBreak) && named
		}
	}
	if !named {
		plan.Notes = append(plan.Notes, "handlers have different rules, so the policies behind refusals are not named")
	}
}

// nameRules names the policy or option by which operations would be refused. It is false if
// handlers judge the workspace's requests differently.
func (s *server) nameRules(w *Workspace, info *tokens.Info, uses []usage.Use) bool {
	if len(uses) == 0 {
		return true
	}
	judge, ok := s.judgeFor(w)
	if !ok {
		return false
	}
	for i := range uses {
		u := &uses[i]
		method := u.Operation.Method
		if method == "*" {
			method = http.MethodPost // where policies tell methods apart, the stricter case
		}
		switch {
		case u.Reason == string(policy.MissingScope) && len(info.Scopes) == 0 && !judge.Rules.AllowUnscoped:
			u.Option = "unscoped_tokens"
		case !strings.HasPrefix(u.Reason, "policy_"):
		default:
			readings, err := judge.Catalog.Read(method, routesfile.Sample(u.Operation.Template), nil)
			if err != nil {
				continue
			}
			ruling := policy.Decide(judge.Subject(info), policy.Request{Method: method, Readings: readings}, judge.Rules, s.Now())
			u.Policy, u.Option, u.Requirement = ruling.Policy, ruling.Option, ruling.Requirement
		}
	}
	return true
}

// judgeFor returns the judge of a workspace's requests. It is false if there are several that
// judge differently.
func (s *server) judgeFor(w *Workspace) (found Judge, ok bool) {
	for _, judge := range s.Judges() {
		switch {
		case judge.Workspace != w.URL:
		case !ok:
			found, ok = judge, true
		case judge.Key != found.Key:
			return Judge{}, false
		}
	}
	return found, ok
}
