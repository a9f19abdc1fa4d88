package decisions

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

const tokensPath = "/api/2.0/token-management/tokens"

// factsOf returns what a workspace says of a token, with some members added at the end.
func factsOf(token fakeworkspace.Token, members string) string {
	return fmt.Sprintf(`{"token_info":{"token_id":%q,"owner_id":1,"created_by_id":1,"creation_time":%d,%s}}`,
		token.Info.TokenId, time.Now().UnixMilli(), members)
}

// answer makes the look-up of one token answer a body.
func answer(workspace *fakeworkspace.Workspace, token fakeworkspace.Token, body string) *fakeworkspace.Fault {
	return workspace.Faults().Set(tokensPath+"/"+token.Info.TokenId, fakeworkspace.Respond(200, "application/json", body))
}

// TestOddFacts: what a workspace says of a token may make no sense. Nothing passes by it, the
// client is asked to come back, the operator is told once for each kind, and it is counted.
func TestOddFacts(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	for _, test := range []struct{ name, members, detail, kind string }{
		{"scopes twice", `"expiry_time":-1,"scopes":["sql"],"scopes":[]`, "unusable_answer", "duplicate_name"},
		{"scopes in two spellings", `"expiry_time":-1,"scopes":["sql"],"SCOPES":[]`, "unusable_answer", "duplicate_name"},
		{"scopes escaped", `"expiry_time":-1,"scopes":["sql"],"scop\u0065s":[]`, "unusable_answer", "duplicate_name"},
		{"null scopes", `"expiry_time":-1,"scopes":null`, "unusable_answer", "wrong_type"},
		{"a text for scopes", `"expiry_time":-1,"scopes":"jobs"`, "unusable_answer", "wrong_type"},
		{"a text for the expiry", `"expiry_time":"soon","scopes":["jobs"]`, "unusable_answer", "wrong_type"},
		{"a fraction", `"expiry_time":-1.0,"scopes":["jobs"]`, "unusable_answer", "wrong_type"},
		{"after the year 9999", `"expiry_time":9223372036854775807,"scopes":["jobs"]`, "unusable_answer", "out_of_range"},
		{"a negative id", `"expiry_time":-1,"scopes":["jobs"],"workspace_id":-1`, "unusable_answer", "out_of_range"},
		{"no expiry", `"scopes":["jobs"]`, "unknown_expiry", "unknown_expiry"},
		{"expiry 0", `"expiry_time":0,"scopes":["jobs"]`, "unknown_expiry", "unknown_expiry"},
		{"expiry -5", `"expiry_time":-5,"scopes":["jobs"]`, "unknown_expiry", "unknown_expiry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := g.Mint("jobs")
			answer(workspace, token, factsOf(token, test.members))
			counted := `scopegate_unusable_answers_total{kind="` + test.kind + `"}`
			before, records := g.Metric(t, counted), len(g.ReadRecords(t))
			for range 2 {
				got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
				got.CheckRefusal(t, golden.FindRefusal(t, "directory_unavailable"))
				if retry := got.Header.Get("Retry-After"); retry != "10" && retry != "9" {
					t.Errorf("Retry-After %q", retry)
				}
			}
			if record := g.Records(t, records+2)[records]; record["detail"] != test.detail {
				t.Errorf("the record has the detail %v, want %s", record["detail"], test.detail)
			}
			if got := g.Metric(t, counted) - before; got != 1 {
				t.Errorf("%s rose by %g for one answer", counted, got)
			}
			if got := g.Metric(t, "scopegate_authority_up"); got != 1 {
				t.Error("taken for an outage")
			}
		})
	}
}

// TestUnknownExpiryAllowed: the option lets tokens pass whose expiry is unknown, but no limit
// of a policy.
func TestUnknownExpiryAllowed(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, `unknown_expiry allow
	policy short {
		match scope sql
		max_lifetime 3650d
	}
	policy ends {
		match scope clusters
		require_expiry
	}`)
	for _, test := range []struct {
		scope, path string
		status      int
	}{
		{"jobs", harness.JobsList, 200},
		{"sql", "/api/2.0/sql/warehouses", 403},
		{"clusters", "/api/2.1/clusters/list", 403},
	} {
		for _, expiry := range []int64{0, -5} {
			token := g.Mint(test.scope)
			workspace.Update(token.Info.TokenId, func(i *settings.TokenInfo) { i.ExpiryTime = expiry })
			got := g.Send(t, "GET", test.path, harness.Bearer(token.Value))
			if got.StatusCode != test.status {
				t.Errorf("%s, expiry %d: status %d: %s", test.scope, expiry, got.StatusCode, got.Body)
			}
			if test.status == 403 {
				got.Refused(t, 403, "policy_lifetime")
			}
		}
	}

	// A reload takes the option away, and keeps the cache warm.
	token := g.Mint("jobs")
	workspace.Update(token.Info.TokenId, func(i *settings.TokenInfo) { i.ExpiryTime = 0 })
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != 200 {
		t.Fatalf("status %d", got.StatusCode)
	}
	g.Load(t, harness.GatewayBlock(workspace, ""))
	if got := g.SendAfterReload(t, "GET", harness.JobsList, harness.Bearer(token.Value), 503); got.StatusCode != 503 {
		t.Errorf("without the option: status %d", got.StatusCode)
	}
}

// TestBadTokensHarmNobody: clients repeat tokens with every kind of bad answer, as fast as they
// can. Honest clients come beside them, with tokens that the gateway does not know yet. None
// of their requests is refused, and none of it is taken for an outage.
func TestBadTokensHarmNobody(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "cache {\nnegative_ttl 500ms\n}\nlookup {\nrate 1000\nconcurrency 32\ntimeout 2s\n}")
	of := func(members string) func(fakeworkspace.Token) fakeworkspace.Kind {
		return func(token fakeworkspace.Token) fakeworkspace.Kind {
			return fakeworkspace.Respond(200, "application/json", factsOf(token, members))
		}
	}
	is := func(kind fakeworkspace.Kind) func(fakeworkspace.Token) fakeworkspace.Kind {
		return func(fakeworkspace.Token) fakeworkspace.Kind { return kind }
	}
	kinds := map[string]func(fakeworkspace.Token) fakeworkspace.Kind{
		"a text for the expiry": of(`"expiry_time":"soon"`),
		"no expiry":             of(`"scopes":[]`),
		"scopes twice":          of(`"expiry_time":-1,"scopes":["sql"],"scopes":[]`),
		"null scopes":           of(`"expiry_time":-1,"scopes":null`),
		"another token":         is(fakeworkspace.OtherToken(strings.Repeat("ab", 32))),
		"an empty object":       is(fakeworkspace.Respond(200, "application/json", `{}`)),
		"null":                  is(fakeworkspace.Respond(200, "application/json", `null`)),
		"nothing":               is(fakeworkspace.Respond(200, "application/json", ``)),
		"garbage":               is(fakeworkspace.GarbageJSON()),
		"truncated":             is(fakeworkspace.TruncatedJSON()),
		"another shape":         is(fakeworkspace.WrongShape()),
		"a login page":          is(fakeworkspace.HTML()),
		"a redirect":            is(fakeworkspace.Respond(302, "text/html", "")),
		"500":                   is(fakeworkspace.InternalError()),
		"502":                   is(fakeworkspace.BadGateway()),
		"503":                   is(fakeworkspace.Unavailable("300")),
		"429":                   is(fakeworkspace.TooManyRequests("300")),
		"400":                   is(fakeworkspace.Refuse(400, "INVALID_PARAMETER_VALUE", "no")),
		"401":                   is(fakeworkspace.Refuse(401, "UNAUTHENTICATED", "no")),
		"403":                   is(fakeworkspace.Refuse(403, "PERMISSION_DENIED", "no")),
		"404, disabled":         is(fakeworkspace.Refuse(404, "FEATURE_DISABLED", "Tokens are disabled.")),
		"404, no such API":      is(fakeworkspace.Refuse(404, "ENDPOINT_NOT_FOUND", "No API found")),
		"409":                   is(fakeworkspace.Refuse(409, "ABORTED", "no")),
		"a reset":               is(fakeworkspace.Reset()),
		"a cut body":            is(fakeworkspace.CutBody()),
		"no answer":             is(fakeworkspace.Hang()),
	}
	var bad sync.WaitGroup
	stop := make(chan struct{})
	for name, kind := range kinds {
		for range 2 {
			token := g.Mint("jobs")
			workspace.Faults().Set(tokensPath+"/"+token.Info.TokenId, kind(token))
			bad.Go(func() {
				for {
					request, _ := http.NewRequest("GET", g.URL+harness.JobsList, nil)
					harness.Bearer(token.Value)(request)
					response, err := http.DefaultClient.Do(request)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					_ = response.Body.Close()
					if response.StatusCode != 503 || response.Header.Get("X-Scopegate-Reason") != "directory_unavailable" {
						t.Errorf("%s: answered %d %s", name, response.StatusCode, response.Header.Get("X-Scopegate-Reason"))
						return
					}
					select {
					case <-stop:
						return
					case <-time.After(10 * time.Millisecond):
					}
				}
			})
		}
	}
	known := g.Mint("jobs")
	for range 50 {
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint("jobs").Value)); got.StatusCode != 200 {
			t.Errorf("an honest request: %d %s", got.StatusCode, got.Body)
		}
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(known.Value)); got.StatusCode != 200 {
			t.Errorf("a known token: %d %s", got.StatusCode, got.Body)
		}
		time.Sleep(20 * time.Millisecond)
	}
	close(stop)
	bad.Wait()
	for series, want := range map[string]float64{"scopegate_authority_up": 1, "scopegate_ready": 1} {
		if got := g.Metric(t, series); got != want {
			t.Errorf("%s is %g", series, got)
		}
	}
}
