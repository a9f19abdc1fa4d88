package judge

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/oauth"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

const (
	jobsList = "/api/2.1/jobs/list"
	pat      = "dapi0123456789abcdef0123456789abcdef"
	jwt      = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// fakeService knows one token.
type fakeService struct {
	info        tokens.Info
	source      tokens.Source
	age         time.Duration
	err         error
	name        string
	workspaceID int64

	fresh tokens.Freshness // of the last look-up
}

func (s *fakeService) Resolve(_ context.Context, _ tokens.ID, fresh tokens.Freshness) (tokens.Facts, error) {
	s.fresh = fresh
	if s.err != nil {
		return tokens.Facts{At: now}, s.err
	}
	return tokens.Facts{Info: &s.info, At: now.Add(-s.age), Source: s.source}, nil
}

func (s *fakeService) Verify(context.Context, string) (*tokens.Info, error) { return &s.info, s.err }
func (s *fakeService) Owner(info *tokens.Info) tokens.Principal             { return info.Owner.Named(s.name) }
func (s *fakeService) WorkspaceID() int64                                   { return s.workspaceID }

func newJudge(service *fakeService) *Judge {
	if service.source == "" {
		service.source = tokens.FromCache
	}
	return &Judge{
		Catalog:   scopes.Default(),
		Rules:     policy.Rules{AllowUnscoped: true},
		OAuth:     OAuthDeny,
		Freshness: tokens.DefaultFreshness,
		Tokens:    service,
		Now:       func() time.Time { return now },
	}
}

func request(method, target string, header ...string) Request {
	r := httptest.NewRequest(method, "http://gateway"+target, nil)
	r.Header.Set("Authorization", "Bearer "+pat)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return Of(r, now)
}

func TestJudge(t *testing.T) {
	t.Parallel()
	outage := &tokens.UnavailableError{Outage: tokens.Throttled, RetryAfter: 7 * time.Second}
	lasting := &tokens.UnavailableError{Outage: tokens.Rejected, Lasting: true}
	rehearsed := policy.Policy{Name: "p", Ceiling: []string{"sql"}, Observe: true}
	for _, test := range []struct {
		name     string
		request  Request
		service  fakeService
		change   func(*Judge)
		decision Decision
		reason   policy.Reason
		refused  bool
	}{
		{name: "in scope", request: request("GET", jobsList), service: fakeService{info: tokens.Info{Scopes: []string{"jobs"}}},
			decision: Allow, reason: policy.Permitted},
		{name: "out of scope", request: request("GET", jobsList), service: fakeService{info: tokens.Info{Scopes: []string{"sql"}}},
			decision: Deny, reason: policy.MissingScope, refused: true},
		{name: "out of scope, observed", request: request("GET", jobsList), service: fakeService{info: tokens.Info{Scopes: []string{"sql"}}},
			change: func(j *Judge) { j.Observe = true }, decision: Deny, reason: policy.MissingScope},
		{name: "rehearsed policy", request: request("GET", jobsList),
			change:   func(j *Judge) { j.Rules.Policies = []policy.Policy{rehearsed} },
			decision: Deny, reason: policy.PolicyDenied},
		{name: "unscoped", request: request("GET", jobsList), decision: Allow, reason: policy.Permitted},
		{name: "unscoped, denied", request: request("GET", jobsList), change: func(j *Judge) { j.Rules.AllowUnscoped = false },
			decision: Deny, reason: policy.MissingScope, refused: true},
		{name: "expired", request: request("GET", jobsList), service: fakeService{info: tokens.Info{Expires: tokens.ExpiresAt(now.Add(-time.Second))}},
			decision: Deny, reason: policy.TokenExpired, refused: true},
		{name: "public", request: request("GET", "/.well-known/databricks-config"), decision: Public, reason: policy.PublicRoute},
		{name: "no credential", request: Of(httptest.NewRequest("GET", "http://gateway"+jobsList, nil), now),
			decision: Deny, reason: policy.MissingCredential, refused: true},
		{name: "two credentials", request: request("GET", jobsList, "Authorization", "Bearer x"),
			decision: Deny, reason: policy.AmbiguousRequest, refused: true},
		{name: "two workspaces", request: request("GET", jobsList+"?o=1", "X-Databricks-Org-Id", "2"),
			decision: Deny, reason: policy.AmbiguousRequest, refused: true},
		{name: "another workspace", request: request("GET", jobsList+"?o=1"), service: fakeService{info: tokens.Info{WorkspaceID: 2}},
			decision: Deny, reason: policy.WrongWorkspace, refused: true},
		{name: "the host's workspace", request: request("GET", jobsList), service: fakeService{info: tokens.Info{WorkspaceID: 2}, workspaceID: 3},
			decision: Deny, reason: policy.WrongWorkspace, refused: true},
		{name: "malformed path", request: request("GET", "/api/2.1/jobs/list%00"), decision: Deny, reason: policy.MalformedPath, refused: true},
		{name: "unknown", request: request("GET", jobsList), service: fakeService{err: tokens.ErrUnknownToken},
			decision: Deny, reason: policy.UnknownToken, refused: true},
		{name: "outage", request: request("GET", jobsList), service: fakeService{err: outage},
			decision: Deny, reason: policy.DirectoryUnavailable, refused: true},
		{name: "outage that needs the operator", request: request("GET", jobsList), service: fakeService{err: lasting},
			decision: Deny, reason: policy.GatewayMisconfigured, refused: true},
		{name: "outage that needs the operator, in observe mode", request: request("GET", jobsList), service: fakeService{err: lasting},
			change: func(j *Judge) { j.Observe = true }, decision: Deny, reason: policy.GatewayMisconfigured},
		{name: "client left", request: request("GET", jobsList), service: fakeService{err: context.Canceled},
			decision: Deny, reason: policy.DirectoryUnavailable, refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			judge := newJudge(&test.service)
			if test.change != nil {
				test.change(judge)
			}
			got := judge.Judge(t.Context(), test.request)
			if got.Decision != test.decision || got.Reason != test.reason || got.Refused() != test.refused {
				t.Errorf("%s, %s, refused %v; want %s, %s, %v", got.Decision, got.Reason, got.Refused(), test.decision, test.reason, test.refused)
			}
			if (got.Reason == policy.MissingScope || got.Reason == policy.Permitted) && got.Operation.Name != "jobs.List" {
				t.Errorf("operation %s", got.Operation.Name)
			}
		})
	}
}

func TestJudgeOAuth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode     OAuthMode
		service  fakeService
		decision Decision
		reason   policy.Reason
	}{
		{OAuthDeny, fakeService{}, Deny, policy.UnsupportedCredential},
		{OAuthPass, fakeService{}, Allow, policy.PassedOAuth},
		{OAuthVerify, fakeService{info: tokens.Info{OAuth: true, Scopes: []string{"jobs"}}}, Allow, policy.Permitted},
		// Unlike a personal access token, one without scopes holds none.
		{OAuthVerify, fakeService{info: tokens.Info{OAuth: true}}, Deny, policy.MissingScope},
		{OAuthVerify, fakeService{err: oauth.ErrInvalid}, Deny, policy.UnknownToken},
		{OAuthVerify, fakeService{err: oauth.ErrExpired}, Deny, policy.TokenExpired},
	} {
		t.Run(string(test.mode)+" "+string(test.reason), func(t *testing.T) {
			t.Parallel()
			judge := newJudge(&test.service)
			judge.OAuth = test.mode
			r := request("GET", jobsList)
			r.Header.Set("Authorization", "Bearer "+jwt)
			got := judge.Judge(t.Context(), r)
			if got.Decision != test.decision || got.Reason != test.reason {
				t.Errorf("%s, %s; want %s, %s", got.Decision, got.Reason, test.decision, test.reason)
			}
			if verified := test.mode == OAuthVerify; verified != !got.Token.IsZero() {
				t.Errorf("token id %v", got.Token)
			}
		})
	}
}

func TestJudgementSaysWhatItRestsOn(t *testing.T) {
	t.Parallel()
	service := &fakeService{
		info:   tokens.Info{Owner: tokens.NewPrincipal(7, "etl@example.com"), Creator: tokens.NewPrincipal(7, "etl@example.com"), Scopes: []string{"jobs"}},
		source: tokens.FromLookup, age: 3 * time.Second,
	}
	judge := newJudge(service)
	got := judge.Judge(t.Context(), request("GET", jobsList))
	switch {
	case got.Token != tokens.ID(sha256.Sum256([]byte(pat))):
		t.Errorf("token id %s", got.Token)
	case got.FactsAge != 3*time.Second || got.LookedUpAt != now.Add(-3*time.Second):
		t.Errorf("age %v, looked up at %v", got.FactsAge, got.LookedUpAt)
	case got.OwnerID() != 7 || got.Owner.String() != "etl@example.com":
		t.Errorf("owner %d %q", got.OwnerID(), got.Owner)
	case got.Readings != nil:
		t.Errorf("an ordinary path has one reading, not %v", got.Readings)
	}
	if diff := cmp.Diff([]string{"jobs"}, got.Held); diff != "" {
		t.Error(diff)
	}

	got = judge.Judge(t.Context(), request("GET", "/api/2.1/jobs/../sql/warehouses"))
	if len(got.Readings) < 2 || got.Reason != policy.MalformedPath {
		t.Errorf("%s by %d readings", got.Reason, len(got.Readings))
	}

	service.err = &tokens.UnavailableError{Outage: tokens.Throttled, RetryAfter: 7 * time.Second}
	got = judge.Judge(t.Context(), request("GET", jobsList))
	if got.Detail != string(tokens.Throttled) || got.RetryAfter != 7*time.Second || got.LookedUpAt != now {
		t.Errorf("detail %q, retry after %v, looked up at %v", got.Detail, got.RetryAfter, got.LookedUpAt)
	}
	rejected := &tokens.UnavailableError{Outage: tokens.Rejected, Lasting: true}
	service.err = &tokens.UnavailableError{Outage: tokens.Paused, Lasting: true, RetryAfter: time.Second, Err: rejected}
	got = judge.Judge(t.Context(), request("GET", jobsList))
	if got.Detail != string(tokens.Rejected) || got.RetryAfter != 0 || got.Problem == "" {
		t.Errorf("detail %q, retry after %v, problem %q", got.Detail, got.RetryAfter, got.Problem)
	}
	for _, outage := range tokens.Outages {
		if (whatIsWrong[outage] != "") != outage.NeedsOperator() {
			t.Errorf("clients are told %q of %s", whatIsWrong[outage], outage)
		}
	}
	service.err = errors.Join(context.Canceled)
	if got = judge.Judge(t.Context(), request("GET", jobsList)); got.Detail != "client_left" {
		t.Errorf("detail %q", got.Detail)
	}
}

// TestMintingNeedsFreshFacts: a token that may be revoked must not make others that
// outlive the outage.
func TestMintingNeedsFreshFacts(t *testing.T) {
	t.Parallel()
	for path, maxStale := range map[string]time.Duration{
		"/api/2.0/token/create": 0,
		jobsList:                tokens.DefaultFreshness.MaxStale,
	} {
		service := new(fakeService)
		newJudge(service).Judge(t.Context(), request("POST", path))
		if service.fresh.MaxStale != maxStale {
			t.Errorf("%s: facts may be stale for %v, want %v", path, service.fresh.MaxStale, maxStale)
		}
	}
}

func TestRefuseUnrecorded(t *testing.T) {
	t.Parallel()
	j := Judgement{Decision: Deny, Reason: policy.PolicyDenied, Policy: "p", Requirement: "denies", Held: []string{"jobs"}}
	j.RefuseUnrecorded()
	if !j.Refused() || j.Reason != policy.AuditUnavailable || j.Policy != "" || j.Requirement != "" || j.RetryAfter == 0 || j.Held == nil {
		t.Errorf("%+v", j)
	}
}

// ordinaryRequests are requests as clients send them.
func ordinaryRequests() (*Judge, []Request) {
	service := &fakeService{info: tokens.Info{
		Owner: tokens.NewPrincipal(7, ""), Scopes: []string{"clusters", "jobs", "unity-catalog", "sql"}, Comment: "nightly load",
		Created: now.Add(-time.Hour), Expires: tokens.ExpiresAt(now.Add(90 * 24 * time.Hour)),
	}}
	var requests []Request
	for _, target := range []string{
		"/api/2.2/jobs/list?limit=25&page_token=CAEo5",
		"/api/2.1/unity-catalog/tables/main.sales.orders",
		"/api/2.0/sql/statements/01f0a1b2-3c4d-5e6f-7a8b-9c0d1e2f3a4b",
	} {
		requests = append(requests, request(http.MethodGet, target,
			"User-Agent", "databricks-sdk-go/0.175.0 go/1.26.0 os/linux auth/pat", "Accept", "application/json", "Accept-Encoding", "gzip"))
	}
	return newJudge(service), requests
}

// TestJudgingAllocatesNothing holds the promise that judging an ordinary request with
// a token that is known leaves no garbage.
func TestJudgingAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	judge, requests := ordinaryRequests()
	for _, r := range requests {
		var got Judgement
		if allocations := testing.AllocsPerRun(1000, func() { got = judge.Judge(t.Context(), r) }); allocations != 0 {
			t.Errorf("%s: %v allocations", r.URL.Path, allocations)
		}
		if got.Decision != Allow {
			t.Errorf("%s: %s", r.URL.Path, got.Reason)
		}
	}
}

// BenchmarkJudge is the decision about an ordinary request with a token that is known.
func BenchmarkJudge(b *testing.B) {
	judge, requests := ordinaryRequests()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if got := judge.Judge(b.Context(), requests[i%len(requests)]); got.Decision != Allow {
			b.Fatal(got.Reason)
		}
	}
}
