package replay

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/auditlog"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/oauth"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// pick returns one of some values.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// chance is true with a probability of one in n.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// someScopes returns up to three scopes.
func someScopes(r *rand.Rand) (held []string) {
	all := scopes.KnownScopes()
	for range r.IntN(4) {
		if s := all[r.IntN(len(all))]; !slices.Contains(held, s) {
			held = append(held, s)
		}
	}
	if chance(r, 6) {
		held = []string{scopes.AllAPIs}
	}
	return held
}

// someParts returns up to three scopes, of which some are parts.
func someParts(r *rand.Rand) []string {
	held := someScopes(r)
	for i, s := range held {
		if chance(r, 3) {
			held[i] = s + pick(r, ":read", ":read", ":restricted-query", ":read:restricted-query", ":write")
		}
	}
	return held
}

var (
	people   = []string{"ann@example.com", "bob@example.com", "cleo@example.org", "0b6e2c1a-5a3e-4a6b-9d8a-2f9a1c7d6e50"}
	comments = []string{"", "analyst laptop", "ci", "Ci pipeline of team x", "sha256 of nothing"}
)

// randomPolicy returns a policy that may ask for anything.
func randomPolicy(t *testing.T, r *rand.Rand, name string, catalog *scopes.Catalog, rows []scopes.Operation) policy.Policy {
	t.Helper()
	p := policy.Policy{Name: name, Observe: chance(r, 4)}
	if !p.Observe && chance(r, 3) {
		p.Percent = 1 + r.IntN(99)
	}
	var names []string
	for _, s := range someScopes(r) {
		if chance(r, 3) && s != scopes.AllAPIs {
			s += ":read"
		}
		names = append(names, s)
	}
	var err error
	if p.Ceiling, p.ReadCeiling, err = policy.ParseCeiling(names); err != nil {
		t.Fatal(err)
	}
	p.ReadOnly = chance(r, 5)
	route := func() policy.Route {
		row := rows[r.IntN(len(rows))]
		route, err := policy.ParseRoute(pick(r, row.Method, "*"), row.Template)
		if err != nil {
			t.Fatal(err)
		}
		return route
	}
	for range r.IntN(3) {
		p.Deny = append(p.Deny, route())
	}
	if chance(r, 3) {
		p.Allow = append(p.Allow, route())
	}
	if chance(r, 5) {
		p.MaxLifetime = time.Duration(1+r.IntN(90)) * 24 * time.Hour
	}
	p.RequireExpiry = chance(r, 8)
	for range r.IntN(3) {
		kind := policy.Kinds[r.IntN(len(policy.Kinds))]
		values := map[string][]string{
			"owner": {"ann@*", "*@example.com", "4*", "1002", people[3]}, "creator": {"bob@example.com", "*.org", "77*"},
			"comment": {"ci*", "*laptop", "*"}, "scope": {"sql", "jobs", "all-*", "*"}, "token": {"0*", "*f", "?1*"},
		}[kind]
		condition, err := policy.NewCondition(kind, values[r.IntN(len(values))])
		if err != nil {
			t.Fatal(err)
		}
		p.Match = append(p.Match, condition)
	}
	p.Bind(catalog)
	return p
}

// randomToken returns a token of which anything may be known or not.
func randomToken(r *rand.Rand, at time.Time) *tokens.Info {
	info := &tokens.Info{Scopes: someParts(r), Comment: pick(r, comments...), OAuth: chance(r, 6)}
	info.Owner = tokens.NewPrincipal(int64(pick(r, 0, 1001, 1002, 4711)), pick(r, append(people, "")...))
	info.Creator = tokens.NewPrincipal(int64(pick(r, 0, 7701, 7702)), pick(r, append(people, "")...))
	if info.OAuth {
		info.Owner, info.Creator, info.Comment = tokens.NewPrincipal(0, pick(r, people...)), tokens.NoPrincipal, ""
	}
	if !chance(r, 4) {
		info.Created = at.Add(-time.Duration(r.IntN(100*24)) * time.Hour)
	}
	info.Expires = pick(r, tokens.Expiry{}, tokens.NeverExpires, tokens.ExpiresAt(at.Add(time.Duration(r.IntN(3000)-300)*time.Hour)))
	info.WorkspaceID = int64(pick(r, 0, 5, 5, 5, 5, 5, 5, 5, 5, 6))
	return info
}

// spell returns a path of a row as clients and attackers write it.
func spell(r *rand.Rand, template string) string {
	path := template
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + pick(r, "x", "prod", "17", "a%2Fb", "a%3Fb", "main.sales.t", "%E2%82%AC", "jobs") + after
	}
	path = routesfile.Sample(path) // a * at the end
	at := 1 + r.IntN(len(path)-1)
	switch r.IntN(14) {
	case 0:
		return strings.ToUpper(path)
	case 1:
		if strings.Contains(path, "%") {
			return path
		}
		return path[:at] + fmt.Sprintf("%%%02X", path[at]) + path[at+1:]
	case 2:
		return strings.Replace(path, "/api", "//api", 1)
	case 3:
		return path + "/"
	case 4:
		return path + ";v=1"
	case 5:
		return strings.Replace(path, "/2.0/", "/2.1/", 1)
	case 6:
		return path + "/../" + pick(r, "list", "get")
	case 7:
		return "/ajax-api" + strings.TrimPrefix(path, "/api")
	case 8:
		return strings.Replace(path, "/2.0/", "/2.0/preview/", 1)
	case 9:
		if !chance(r, 10) {
			return path
		}
		return path + "/" + strings.Repeat("long", 300)
	}
	return path
}

// facts is a token service that knows one token, or fails.
type facts struct {
	info *tokens.Info
	err  error
}

func (f *facts) Resolve(context.Context, tokens.ID, tokens.Freshness) (tokens.Facts, error) {
	if f.err != nil {
		return tokens.Facts{}, f.err
	}
	return tokens.Facts{Info: f.info, At: now, Source: tokens.FromCache}, nil
}
func (f *facts) Verify(context.Context, string) (*tokens.Info, error) { return f.info, f.err }
func (f *facts) Owner(info *tokens.Info) tokens.Principal             { return info.Owner }
func (f *facts) WorkspaceID() int64                                   { return 5 }

// decide lets a judge decide a request, and records it as the gateway does.
func decide(t *testing.T, r *rand.Rand, by judge.Judge, rows []scopes.Operation, n int) *audit.Record {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC)
	row := rows[r.IntN(len(rows))]
	method := row.Method
	if method == "*" || chance(r, 20) {
		method = pick(r, "GET", "POST", "PUT", "HEAD", "OPTIONS")
	}
	path := spell(r, row.Template)
	if chance(r, 30) {
		path = "/unmapped/" + pick(r, "a", "b/c", "x%2Fy")
	}
	target, err := url.Parse(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	service := &facts{info: randomToken(r, at)}
	raw := fmt.Sprintf("dapi%032x", n)
	if service.info.OAuth {
		raw = fmt.Sprintf("eyJhbGciOiJSUzI1NiJ9.eyJzdWIi%08x.c2lnbmF0dXJl", n)
	}
	service.info.ID = tokens.IDOf(raw)
	header := http.Header{"Authorization": {"Bearer " + raw}}
	switch r.IntN(40) {
	case 0:
		service.err = tokens.ErrUnknownToken
	case 1:
		service.err = &tokens.UnavailableError{Outage: tokens.Throttled, RetryAfter: time.Second}
	case 2:
		delete(header, "Authorization")
	case 3:
		header.Set("Authorization", "Bearer of-another-kind")
	case 4:
		header.Set("X-Databricks-Org-Id", "6")
	case 5:
		header.Add("Authorization", "Bearer "+raw)
	case 6:
		header = http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"GET"}}
		method = http.MethodOptions
	case 7:
		if service.info.OAuth { // of others, the workspace says when they expire
			service.err = oauth.ErrExpired
		}
	}
	by.Tokens = service
	record := &audit.Record{
		Time: at, Method: audit.TruncateMethod(method), Path: audit.TruncatePath(target.EscapedPath(), path), Workspace: "w.example.com",
		RequestID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", n), Catalog: by.Catalog.Version(), Rules: "0123456789ab", Outcome: audit.Answered,
	}
	record.Judgement = by.Judge(t.Context(), judge.Request{Method: method, URL: target, Header: header, Arrived: at})
	if !record.Token.IsZero() {
		record.TokenID = record.Token.String()
	}
	if info := record.Facts.Info; info != nil {
		name, known := record.Judgement.Owner.Name()
		if !known && record.OwnerID() == 0 {
			name = tokens.Unknown
		}
		record.Owner, record.Creator = audit.TruncateName(name), audit.TruncateName(info.Creator.String())
		record.Comment = audit.Comment(info.Comment, pick(r, audit.CommentHash, audit.CommentPlain, audit.CommentOff))
	}
	return record
}

// buffer is an output of audit logs.
type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

// encode writes records as a gateway does.
func encode(t testing.TB, records []*audit.Record) []byte {
	t.Helper()
	counter, err := metrics.Register(nil)
	if err != nil {
		t.Fatal(err)
	}
	var out buffer
	sinks := audit.NewOutput(&out, audit.Settings{Queue: len(records) + 1, WhenFull: audit.Block, BlockFor: time.Minute}, audit.NewLosses("output", counter, nil))
	for _, r := range records {
		sinks.Put(r, false)
	}
	sinks.Close()
	return out.Bytes()
}

// asks says for each reason of not judging what the rules, or the record, must have for it.
func asks(why string, by *judge.Judge, r *audit.Record) bool {
	d := dependenceOf(by)
	switch why {
	case whyExpiry:
		return d.expiry
	case whyOwner:
		return d.owner && r.Owner == ""
	case whyCreator:
		return d.creator
	case whyComment:
		return d.comment
	case whyUnscoped:
		return !by.Rules.AllowUnscoped && r.Facts.Info != nil
	case whySeveral:
		return d.expiry || d.owner || d.creator || d.comment
	case whyHidden:
		return len(r.Path) > 1000 || strings.Contains(r.Path, "…")
	case whyCredential:
		unknown := r.Reason == policy.UnknownToken || r.Reason == policy.DirectoryUnavailable || r.Reason == policy.GatewayMisconfigured
		return r.Reason == policy.UnsupportedCredential && by.OAuth != judge.OAuthDeny || unknown && by.OAuth == judge.OAuthPass
	case whyOrigin:
		return len(by.CORS) > 0 && (r.Reason == policy.CORSPreflight || r.Reason == policy.CORSNotAllowed)
	}
	return false
}

// TestSameRulesSameDecisions: a recorded decision that is judged by the rules which made it is
// the same decision. What is not in a record is a reason not to judge it, and no other is.
func TestSameRulesSameDecisions(t *testing.T) {
	t.Parallel()
	total, batch := 100_000, 1000
	if race.Enabled || testing.Short() {
		total = 5000
	}
	r := rand.New(rand.NewPCG(20260301, 7))
	catalog := scopes.Default()
	rows := catalog.Operations()
	judged, whys, reasons := 0, make(map[string]int), make(map[policy.Reason]int)
	for n := 0; n < total; n += batch {
		by := judge.Judge{
			Catalog: catalog, OAuth: pick(r, judge.OAuthDeny, judge.OAuthVerify, judge.OAuthVerify, judge.OAuthPass), Observe: chance(r, 5),
			CORS: pick(r, nil, judge.Origins{"https://app.example.com"}, judge.Origins{judge.AnyOrigin}), Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
			Rules: policy.Rules{AllowUnscoped: !chance(r, 3)},
		}
		for i := range r.IntN(5) {
			by.Rules.Policies = append(by.Rules.Policies, randomPolicy(t, r, fmt.Sprintf("p%d", i), catalog, rows))
		}
		var records []*audit.Record
		for i := range batch {
			records = append(records, decide(t, r, by, rows, n+i))
		}
		then := by
		then.Tokens = nil // a replay has none
		i := 0
		var logs auditlog.Reader
		err := logs.Read(bytes.NewReader(encode(t, records)), func(text []byte) {
			if len(text) == 0 {
				return
			}
			d, ok := auditlog.Parse(text)
			if !ok || d.RequestID != records[i].RequestID {
				t.Fatalf("record %d: %s", n+i, text)
			}
			why := compareSame(t, &then, d, records[i], string(text))
			if why == "" {
				judged++
			}
			whys[why]++
			reasons[records[i].Reason]++
			i++
		})
		if err != nil || i != batch {
			t.Fatalf("%d of %d lines: %v", i, batch, err)
		}
	}
	t.Logf("judged %d of %d\nnot judged: %v\nreasons: %v", judged, total, whys, reasons)
	if judged < total*7/10 || len(reasons) < 14 {
		t.Errorf("judged %d of %d", judged, total)
	}
}

// compareSame compares a decision with what the replay of its record says.
func compareSame(t *testing.T, by *judge.Judge, d auditlog.Decision, want *audit.Record, text string) (why string) {
	t.Helper()
	r := &recorded{Decision: d, depends: dependenceOf(by)}
	got, why := r.judge(by)
	if why != "" {
		if !asks(why, by, want) {
			t.Fatalf("not judged: %s\n%s", why, text)
		}
		return why
	}
	if passes(&got) != passes(&want.Judgement) {
		t.Fatalf("it passes: %t, want %t (%s %s, want %s %s)\n%s", passes(&got), passes(&want.Judgement), got.Reason, got.Policy, want.Reason, want.Policy, text)
	}
	if len(r.doubts(by)) > 0 {
		return "" // which of several policies refuses may not be known
	}
	if got.Decision != want.Decision || got.Reason != want.Reason || got.Policy != want.Policy || got.Enforced != want.Enforced {
		t.Fatalf("%s %s %s %t, want %s %s %s %t\n%s", got.Decision, got.Reason, got.Policy, got.Enforced, want.Decision, want.Reason, want.Policy, want.Enforced, text)
	}
	if a, b := got.Operation, want.Operation; (a == nil) != (b == nil) || a != nil && (a.Name != b.Name || a.Template != b.Template) {
		t.Fatalf("another operation: %v, want %v\n%s", a, b, text)
	}
	return ""
}
