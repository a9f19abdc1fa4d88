package decisions

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestUnknownOwnersMatch: a policy that tests what is not known of an owner or creator
// applies.
func TestUnknownOwnersMatch(t *testing.T) {
	for _, test := range []struct {
		name, match string
		jwt         map[string]any // claims of an OAuth token; nil for a personal access token
		change      map[string]any // members of the facts about it; null removes one
		status      int
		owner       string // in the record
		creator     string
	}{
		{"OAuth, a number", "owner 4711", map[string]any{"sub": "bob@x.com"}, nil, 403, "bob@x.com", "bob@x.com"},
		{"OAuth, the creator's number", "creator 4711", map[string]any{"sub": "bob@x.com"}, nil, 403, "bob@x.com", "bob@x.com"},
		{"OAuth, the name", "owner BOB@*", map[string]any{"sub": "bob@x.com"}, nil, 403, "bob@x.com", "bob@x.com"},
		{"OAuth, another name", "owner alice@*", map[string]any{"sub": "bob@x.com"}, nil, 200, "bob@x.com", "bob@x.com"},
		{"OAuth, a subject that hides something", "owner alice@*", map[string]any{"sub": "b\u200bob@x.com"}, nil, 403, "unknown", "unknown"},
		{"OAuth, a subject with another letter", "creator alice@*", map[string]any{"sub": "bоb@x.com"}, nil, 403, "unknown", "unknown"},

		{"the owner's number", "owner 4711", nil, map[string]any{"owner_id": 4711}, 403, "", "maker@x.com"},
		{"another number", "owner 4712", nil, map[string]any{"owner_id": 4711}, 200, "", "maker@x.com"},
		{"no owner", "owner 4712", nil, map[string]any{"owner_id": nil}, 403, "unknown", "maker@x.com"},
		{"no owner, a name", "owner alice@*", nil, map[string]any{"owner_id": nil}, 403, "unknown", "maker@x.com"},
		{"another creator", "creator alice@*", nil, map[string]any{}, 200, "maker@x.com", "maker@x.com"},
		{"no creator", "creator alice@*", nil, map[string]any{"created_by_id": nil, "created_by_username": nil}, 403, "", "unknown"},
		{"a creator without a name", "creator alice@*", nil, map[string]any{"created_by_username": ""}, 403, "", ""},
		{"a creator without a number", "creator 4712", nil, map[string]any{"created_by_id": nil}, 403, "", "maker@x.com"},
		{"a creator whose name hides something", "creator alice@*", nil, map[string]any{"created_by_username": "maker@x.com\u0000"}, 403, "", ""},
		{"a creator in full width", "creator maker@*", nil, map[string]any{"created_by_username": " ＭＡＫＥＲ＠x.com"}, 403, " ＭＡＫＥＲ＠x.com", " ＭＡＫＥＲ＠x.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			front := changeFacts(t, workspace, test.change)
			site := "databricks_gateway " + front + " {\n" + harness.AdminBlock + "oauth verify\npolicy p {\nmatch " + test.match + "\nscopes sql\n}\n}"
			if test.jwt != nil {
				site = harness.GatewayBlock(workspace, "oauth verify\npolicy p {\nmatch "+test.match+"\nscopes sql\n}")
			}
			g := harness.StartSite(t, workspace, site)
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "maker@x.com", Scopes: []string{"jobs"}, Lifetime: time.Hour}).Value
			if test.jwt != nil {
				test.jwt["scope"] = "jobs"
				token = workspace.SignJWT(test.jwt)
			}
			g.Send(t, "GET", harness.JobsList, harness.Bearer(token))
			record := g.Records(t, 1)[0]
			reason := map[int]string{200: "permitted", 403: "policy_denied"}[test.status]
			if record["reason"] != reason {
				t.Errorf("reason %v, want %s", record["reason"], reason)
			}
			creator := record["creator"]
			if test.creator == "" { // its number
				if n, err := strconv.ParseInt(creator.(string), 10, 64); err != nil || n == 0 {
					t.Errorf("creator %q", creator)
				}
				creator = ""
			}
			if record["owner"] != test.owner && test.owner != "" || creator != test.creator {
				t.Errorf("owner %q, creator %q", record["owner"], record["creator"])
			}
		})
	}
}

// changeFacts stands in front of a workspace and changes what it answers about tokens.
func changeFacts(t *testing.T, workspace *fakeworkspace.Workspace, change map[string]any) (url string) {
	t.Helper()
	return inFront(t, workspace, "/api/2.0/token-management/tokens/", func(answer []byte) []byte {
		var facts struct {
			Info map[string]any `json:"token_info"`
		}
		if err := json.Unmarshal(answer, &facts); err != nil {
			t.Error(err)
		}
		for name, value := range change {
			if value == nil {
				delete(facts.Info, name)
				continue
			}
			facts.Info[name] = value
		}
		changed, err := json.Marshal(facts)
		if err != nil {
			t.Error(err)
		}
		return changed
	})
}

// inFront stands in front of a workspace and changes its answers below a path.
func inFront(t *testing.T, workspace *fakeworkspace.Workspace, below string, change func([]byte) []byte) string {
	t.Helper()
	target, err := url.Parse(workspace.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if !strings.HasPrefix(r.Request.URL.Path, below) || r.StatusCode != http.StatusOK {
			return nil
		}
		answer, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		changed := change(answer)
		r.Body = io.NopCloser(strings.NewReader(string(changed)))
		r.ContentLength = int64(len(changed))
		r.Header.Set("Content-Length", strconv.Itoa(len(changed)))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// TestNamesFromSCIM: a name from SCIM that is not one of the owner who was asked for, or
// that people cannot tell from another, keeps the policy.
func TestNamesFromSCIM(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		status       int
	}{
		{"another owner", `{"id":"ID","userName":"alice@x.com"}`, 200},
		{"the owner in other letters", `{"id":"ID","userName":" ＢＯＢ@x.com "}`, 403},
		{"the answer is about another", `{"id":"1","userName":"alice@x.com"}`, 403},
		{"two names", `{"id":"ID","userName":"bob@x.com","userName":"alice@x.com"}`, 403},
		{"a zero-width character", `{"id":"ID","userName":"bob\u200b@x.com"}`, 403},
		{"NUL", `{"id":"ID","userName":"\u0000bob@x.com"}`, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "owner@x.com", Creator: "admin@x.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
			answered := make(chan struct{}, 100)
			front := inFront(t, workspace, "/api/2.0/preview/scim/v2/Users/", func([]byte) []byte {
				answered <- struct{}{}
				return []byte(strings.ReplaceAll(test.answer, "ID", strconv.FormatInt(token.Info.OwnerId, 10)))
			})
			g := harness.StartSite(t, workspace, "databricks_gateway "+front+" {\n"+harness.AdminBlock+"policy p {\nmatch owner bob@*\nscopes sql\n}\n}")
			send := func() int {
				return g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).StatusCode
			}
			if got := send(); got != 403 {
				t.Fatalf("before the answer: %d", got)
			}
			<-answered
			if test.status == 200 {
				harness.WaitFor(t, "the policy not to match", func() bool { return send() == 200 })
				return
			}
			for range 20 { // the answer may still be on its way
				if got := send(); got != 403 {
					t.Fatalf("status %d", got)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}
