package replay

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/maps"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// asked is a request whose decision was recorded.
type asked struct {
	info   *tokens.Info
	method string
	path   string
	change func(*audit.Record)
}

// recordOf lets a judge decide, and records it.
func recordOf(t testing.TB, by *judge.Judge, n int, a asked) *audit.Record {
	t.Helper()
	at := now.Add(time.Duration(n) * time.Second)
	target, err := url.Parse(a.path)
	if err != nil {
		t.Fatal(err)
	}
	deciding := *by
	header := http.Header{"Authorization": {"Bearer dapi0123456789abcdef0123456789abcdef"}}
	if a.info == nil {
		header = http.Header{}
	} else {
		deciding.Tokens = &facts{info: a.info}
		if a.info.OAuth {
			header.Set("Authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl")
		}
	}
	r := &audit.Record{
		Time: at, Method: a.method, Path: target.EscapedPath(), Workspace: "w.example.com", Catalog: by.Catalog.Version(), Outcome: audit.Answered,
		RequestID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", n), Judgement: deciding.Judge(t.Context(), judge.Request{Method: a.method, URL: target, Header: header, Arrived: at}),
	}
	if info := a.info; info != nil {
		r.TokenID = info.ID.String()
		r.Owner, _ = info.Owner.Name()
		r.Creator = info.Creator.String()
		r.Comment = audit.Comment(info.Comment, audit.CommentHash)
	}
	if a.change != nil {
		a.change(r)
	}
	return r
}

func TestAudit(t *testing.T) {
	t.Parallel()
	etl, all := token("etl", "jobs"), token("all")
	oauth := token("app", "jobs")
	oauth.OAuth = true
	nameless := token("nameless", "jobs")
	nameless.Owner = tokens.NewPrincipal(7, "")
	old := token("old", "jobs")
	old.Expires = tokens.ExpiresAt(now.Add(-time.Hour))
	list := func(info *tokens.Info) asked { return asked{info, "GET", "/api/2.2/jobs/list", nil} }
	changed := func(info *tokens.Info, change func(*audit.Record)) asked {
		return asked{info, "GET", "/api/2.2/jobs/list", change}
	}
	sql := policy.Policy{Name: "ceiling", Ceiling: []string{"sql"}}
	observed := sql
	observed.Observe = true
	observe := func(j *judge.Judge) { j.Observe = true }
	otherMap := maps.With(t, "GET\t/api/2.2/jobs/list\tsql\n")
	for _, test := range []struct {
		name      string
		then, now *judge.Judge // now: those that decided; nil for the shipped map alone
		in        AuditInput
		asked     []asked
		refused   string
		permitted string
		unjudged  string
	}{
		{name: "the same rules", asked: []asked{list(etl), list(all), list(nil)}, then: judgeBy(t, nil)},
		{name: "a ceiling", asked: []asked{list(etl), list(all), list(etl)}, then: judgeBy(t, nil, sql), refused: "etl jobs.List 2 policy_denied by ceiling; all jobs.List 1 policy_denied by ceiling"},
		{name: "a route for one path", asked: []asked{{all, "GET", "/api/2.1/unity-catalog/catalogs/prod", nil}, {all, "GET", "/api/2.1/unity-catalog/catalogs/dev", nil}},
			then: judgeBy(t, nil, denying(t, "prod", "GET /api/2.1/unity-catalog/catalogs/prod")), refused: "all catalog.Catalogs.Get 1 policy_denied by prod"},
		{name: "no more ceiling", now: judgeBy(t, nil, sql), asked: []asked{list(etl)}, then: judgeBy(t, nil), permitted: "etl jobs.List 1 policy_denied by ceiling"},
		{name: "from observe to enforce", now: judgeBy(t, observe), asked: []asked{list(token("sql", "sql")), list(nil), list(etl)}, then: judgeBy(t, nil),
			refused: " jobs.List 1 missing_credential; sql jobs.List 1 missing_scope"},
		{name: "a rehearsed policy", asked: []asked{list(etl)}, then: judgeBy(t, nil, observed)},
		{name: "as enforced", asked: []asked{list(etl)}, then: judgeBy(t, nil, observed), in: AuditInput{AsEnforced: true}, refused: "etl jobs.List 1 policy_denied by ceiling"},
		{name: "an expired token", asked: []asked{list(old)}, then: judgeBy(t, nil)},
		{name: "another map", asked: []asked{list(etl)}, then: judgeBy(t, func(j *judge.Judge) { j.Catalog = otherMap }), refused: "etl jobs.List 1 missing_scope"},
		{name: "the recorded map", asked: []asked{list(etl)}, then: judgeBy(t, func(j *judge.Judge) { j.Catalog = otherMap }), in: AuditInput{Recorded: true, Maps: []*scopes.Catalog{scopes.Default()}}},
		{name: "a map that is not at hand", asked: []asked{list(etl)}, then: judgeBy(t, func(j *judge.Judge) { j.Catalog = otherMap }), in: AuditInput{Recorded: true}, unjudged: whyNoMap},
		{name: "redacted", asked: []asked{changed(etl, func(r *audit.Record) { r.Path = "" })}, then: judgeBy(t, nil), unjudged: whyRedacted},
		{name: "cut", asked: []asked{{etl, "GET", "/api/2.2/jobs/" + strings.Repeat("x", 2000), func(r *audit.Record) { r.Path = audit.TruncatePath(r.Path, "") }}}, then: judgeBy(t, nil), unjudged: whyHidden},
		{name: "expiry", asked: []asked{list(etl)}, then: judgeBy(t, nil, policy.Policy{Name: "short", MaxLifetime: time.Hour}), unjudged: whyExpiry},
		{name: "expiry where it does not matter", asked: []asked{list(etl)}, then: judgeBy(t, nil, policy.Policy{Name: "short", MaxLifetime: time.Hour, Ceiling: []string{"sql"}}), refused: "etl jobs.List 1 policy_denied by short"},
		{name: "a comment", asked: []asked{list(etl)}, then: judgeBy(t, nil, denying(t, "laptops", jobsList, condition(t, "comment", "*laptop*"))), unjudged: whyComment},
		{name: "any comment", asked: []asked{list(etl)}, then: judgeBy(t, nil, denying(t, "laptops", jobsList, condition(t, "comment", "*"))), refused: "etl jobs.List 1 policy_denied by laptops"},
		{name: "an owner", asked: []asked{list(etl), list(all), list(nameless)}, then: judgeBy(t, nil, denying(t, "people", jobsList, condition(t, "owner", "etl@*"))), refused: "etl jobs.List 1 policy_denied by people", unjudged: whyOwner},
		{name: "unscoped", asked: []asked{list(all), list(etl)}, then: judgeBy(t, func(j *judge.Judge) { j.Rules.AllowUnscoped = false }), unjudged: whyUnscoped},
		{name: "OAuth tokens refused", asked: []asked{list(oauth), list(etl)}, then: judgeBy(t, func(j *judge.Judge) { j.OAuth = judge.OAuthDeny }), refused: "app jobs.List 1 unsupported_credential"},
		{name: "OAuth tokens that were refused", now: judgeBy(t, func(j *judge.Judge) { j.OAuth = judge.OAuthDeny }), asked: []asked{changed(oauth, func(r *audit.Record) { r.TokenID = "" })}, then: judgeBy(t, nil), unjudged: whyCredential},
		{name: "OAuth tokens that passed unverified", now: judgeBy(t, func(j *judge.Judge) { j.OAuth = judge.OAuthPass }), asked: []asked{changed(oauth, func(r *audit.Record) { r.TokenID = "" })}, then: judgeBy(t, nil), unjudged: whyVerify},
		{name: "another workspace", asked: []asked{list(etl)}, then: judgeBy(t, nil, sql), in: AuditInput{Host: "x.example.com"}, unjudged: whyWorkspace},
		{name: "a token", asked: []asked{list(etl), list(all)}, then: judgeBy(t, nil, sql), in: AuditInput{Filter: Filter{Token: all.ID.String()[:8]}}, refused: "all jobs.List 1 policy_denied by ceiling"},
		{name: "a record that is open, and then closed", asked: []asked{
			changed(etl, func(r *audit.Record) { r.Outcome, r.RequestID = audit.Open, "00000001" }),
			changed(etl, func(r *audit.Record) { r.Duration, r.RequestID = time.Minute, "00000001" }),
			changed(etl, func(r *audit.Record) { r.Outcome, r.RequestID = audit.Open, "00000001" }),
			changed(etl, func(r *audit.Record) { r.Outcome, r.RequestID = audit.Open, "00000002" }),
		}, then: judgeBy(t, nil, sql), refused: "etl jobs.List 2 policy_denied by ceiling"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			decided := test.now
			if decided == nil {
				decided = judgeBy(t, nil)
			}
			var records []*audit.Record
			for i, a := range test.asked {
				records = append(records, recordOf(t, decided, i, a))
			}
			in := test.in
			in.Then = test.then
			a := NewAudit(in)
			if err := a.Read(bytes.NewReader(encode(t, records))); err != nil {
				t.Fatal(err)
			}
			report := a.Report()
			var unjudged []string
			for _, u := range report.Unjudged {
				unjudged = append(unjudged, u.Why)
			}
			if got := text(report.Refused); got != test.refused {
				t.Errorf("refused: %s, want %s", got, test.refused)
			}
			if got := text(report.Permitted); got != test.permitted {
				t.Errorf("permitted: %s, want %s", got, test.permitted)
			}
			if got := strings.Join(unjudged, "; "); got != test.unjudged {
				t.Errorf("not judged: %s, want %s", got, test.unjudged)
			}
			var counted uint64
			for _, u := range report.Unjudged {
				counted += u.Calls
			}
			if int(report.Judged.Calls+counted) != report.Decisions || report.Decisions == 0 {
				t.Errorf("%d judged and %d not, of %d decisions", report.Judged.Calls, counted, report.Decisions)
			}
		})
	}
}

// TestAuditRehearsals: percentages come from the records, too.
func TestAuditRehearsals(t *testing.T) {
	t.Parallel()
	observed := denying(t, "observed", jobsList)
	observed.Observe = true
	by := judgeBy(t, nil, observed, policy.Policy{Name: "other", Ceiling: []string{"jobs"}})
	below10 := 0
	var records []*audit.Record
	for i := range 100 {
		info := token(fmt.Sprintf("t%d", i), "jobs")
		if by.Rules.Policies[0].EnforcedFrom(info.ID) <= 10 {
			below10++
		}
		records = append(records, recordOf(t, by, i, asked{info, "GET", "/api/2.2/jobs/list", nil}))
	}
	var log bytes.Buffer
	compressed := gzip.NewWriter(&log)
	if _, err := compressed.Write(encode(t, records)); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	a := NewAudit(AuditInput{Then: by, AsEnforced: true, Lines: 3})
	if err := a.Read(&log); err != nil {
		t.Fatal(err)
	}
	report := a.Report()
	if len(report.Rehearsals) != 1 || report.Rehearsals[0].Tokens != 100 || report.Rehearsals[0].Steps[2] != (Step{10, below10, uint64(below10)}) {
		t.Errorf("%+v, want %d at 10%%", report.Rehearsals, below10)
	}
	if report.Refused.Calls != 100 || len(report.Refused.Lines) != 3 || report.Refused.Lines[0].EnforcedFrom == 0 {
		t.Errorf("%+v", report.Refused)
	}
}

// TestNoDecisions: what is no decision is not counted as one.
func TestNoDecisions(t *testing.T) {
	t.Parallel()
	a := NewAudit(AuditInput{Then: judgeBy(t, nil)})
	if err := a.Read(strings.NewReader("{\"msg\":\"handled request\",\"request_id\":\"x\"}\nnot JSON\n" + strings.Repeat("x", 2<<20) + "\n")); err != nil {
		t.Fatal(err)
	}
	if report := a.Report(); report.Lines != 3 || report.TooLong != 1 || report.Decisions != 0 {
		t.Errorf("%+v", report)
	}
}

// FuzzAudit: no log makes a replay panic, and every decision is judged or counted with a reason.
func FuzzAudit(f *testing.F) {
	by := judgeBy(f, nil, policy.Policy{Name: "p", Ceiling: []string{"jobs"}, MaxLifetime: time.Hour, Match: []policy.Condition{condition(f, "owner", "a*")}})
	f.Add([]byte(`{"msg":"decision","arrived":1,"decision":"deny","reason":"missing_scope","method":"GET","path":"/api/2.2/jobs/list","token_id":"x","facts_source":"cache","request_id":"y"}`))
	f.Add(encode(f, []*audit.Record{recordOf(f, by, 1, asked{token("etl", "jobs"), "GET", "/api/2.2/jobs/list", nil})}))
	f.Fuzz(func(t *testing.T, log []byte) {
		for _, recorded := range []bool{false, true} {
			a := NewAudit(AuditInput{Then: by, AsEnforced: true, Recorded: recorded})
			_ = a.Read(bytes.NewReader(log)) // a log that ends early is an error
			report := a.Report()
			var counted uint64
			for _, u := range report.Unjudged {
				counted += u.Calls
			}
			if int(report.Judged.Calls+counted) != report.Decisions {
				t.Errorf("%d judged and %d not, of %d decisions", report.Judged.Calls, counted, report.Decisions)
			}
		}
	})
}
