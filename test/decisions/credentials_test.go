package decisions

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

const (
	// part is in every secret of these tests.
	part    = "7f3a9c1e5b8d2046"
	badPAT  = "dapi" + part + part
	aad     = "an Azure AD token (Microsoft Entra ID)"
	ownOnes = "a Databricks OAuth access token"
)

// jwtFrom returns a JWT of an issuer that is not the workspace.
func jwtFrom(issuer string) string {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return encode(`{"alg":"RS256","typ":"JWT","kid":"k"}`) + "." +
		encode(`{"iss":"`+issuer+`","aud":"2ff814a6-3304-4ab8-85cb-cd0e6f879c1d","sub":"`+part+`","upn":"`+part+`@example.com","scp":"user_impersonation","exp":4102444800}`) + "." + part
}

// TestUnsupportedCredentials: whatever people send for a credential, the refusal is the
// workspace's, and says what it was and what would work. None of it is told or recorded.
func TestUnsupportedCredentials(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, test := range []struct {
		name, reason string
		kind, works  string // parts of the message
		target       string
		lines        []string
	}{
		{"Databricks OAuth", "unsupported_credential", ownOnes, "`oauth verify`", "", []string{"Authorization: Bearer " + workspace.SignJWT(nil)}},
		{"Azure AD, v1", "unsupported_credential", aad, "see its option `oauth`", "", []string{"Authorization: Bearer " + jwtFrom("https://sts.windows.net/"+part+"/")}},
		{"Azure AD, v2", "unsupported_credential", aad, "personal access tokens", "", []string{"Authorization: Bearer " + jwtFrom("https://login.microsoftonline.com/"+part+"/v2.0")}},
		{"Google", "unsupported_credential", "a Google token", "personal access tokens", "", []string{"Authorization: Bearer " + jwtFrom("https://accounts.google.com")}},
		{"GitHub Actions", "unsupported_credential", "a GitHub Actions token", "personal access tokens", "", []string{"Authorization: Bearer " + jwtFrom("https://token.actions.githubusercontent.com")}},
		{"unknown issuer", "unsupported_credential", "an issuer that the gateway does not know", "personal access tokens", "", []string{"Authorization: Bearer " + jwtFrom("https://"+part+".example.com")}},
		{"cluster-internal", "unsupported_credential", "a cluster-internal token", "personal access token", "", []string{"Authorization: Bearer dkea" + part + part}},
		{"client secret", "unsupported_credential", "an OAuth client secret", "personal access token", "", []string{"Authorization: Bearer dose" + part + part}},
		{"token id", "unsupported_credential", "the id of a token", "Send the token itself", "", []string{"Authorization: Bearer " + strings.Repeat(part, 4)}},
		{"raw", "unsupported_credential", "without the word Bearer", "after the word Bearer", "", []string{"Authorization: " + badPAT}},
		{"quotes", "unsupported_credential", "in quotation marks", "as Databricks showed it", "", []string{`Authorization: Bearer "` + badPAT + `"`}},
		{"Bearer twice", "unsupported_credential", "the word Bearer twice", "as Databricks showed it", "", []string{"Authorization: Bearer Bearer " + badPAT}},
		{"upper case", "unsupported_credential", "in upper case", "as Databricks showed it", "", []string{"Authorization: Bearer " + strings.ToUpper(badPAT)}},
		{"base64", "unsupported_credential", "in base64", "user token", "", []string{"Authorization: Bearer " + encode(badPAT)}},
		{"percent", "unsupported_credential", "in percent-encoding", "as Databricks showed it", "", []string{"Authorization: Bearer %64api" + part + part}},
		{"not expanded", "unsupported_credential", "a placeholder", "configured", "", []string{"Authorization: Bearer ${DATABRICKS_TOKEN}"}},
		{"not set", "unsupported_credential", "no token after it", "not set", "", []string{"Authorization: Bearer "}},
		{"undefined", "unsupported_credential", "null or undefined", "not set", "", []string{"Authorization: Bearer undefined"}},
		{"masked", "unsupported_credential", "a part is hidden", "whole token", "", []string{"Authorization: Bearer dapi****" + part}},
		{"OpenAI", "unsupported_credential", "a key of OpenAI", "personal access token", "", []string{"Authorization: Bearer sk-proj-" + part}},
		{"AWS", "unsupported_credential", "an AWS signature", "personal access token", "", []string{"Authorization: AWS4-HMAC-SHA256 Credential=AKIA" + part + ", Signature=" + part}},
		{"password", "unsupported_credential", "a user name and a password", "July 2024", "", []string{"Authorization: Basic " + encode("me@example.com:"+part)}},
		{"Basic of another user", "unsupported_credential", "another user name than token", "user token", "", []string{"Authorization: Basic " + encode("me@example.com:"+badPAT)}},
		{"Digest", "unsupported_credential", "the scheme Digest", "Bearer", "", []string{`Authorization: Digest username="` + part + `"`}},
		{"unknown scheme", "unsupported_credential", "an authentication scheme that the gateway does not know", "Bearer", "", []string{"Authorization: Magic zz-" + part}},

		{"api-key", "missing_credential", "in the header api-key instead", "Authorization", "", []string{"api-key: " + badPAT}},
		{"x-api-key", "missing_credential", "in the header x-api-key instead", "Authorization", "", []string{"x-api-key: sk-ant-" + part}},
		{"x-goog-api-key", "missing_credential", "in the header x-goog-api-key instead", "Authorization", "", []string{"x-goog-api-key: " + part}},
		{"Azure API Management", "missing_credential", "in the header Ocp-Apim-Subscription-Key instead", "Authorization", "", []string{"ocp-apim-subscription-key: " + part}},
		{"management token of Azure", "missing_credential", "in the header X-Databricks-Azure-SP-Management-Token instead", "Authorization", "", []string{"X-Databricks-Azure-SP-Management-Token: " + jwtFrom("https://sts.windows.net/")}},
		{"proxy", "missing_credential", "in the header Proxy-Authorization instead", "Authorization", "", []string{"Proxy-Authorization: Bearer " + badPAT}},
		{"cookie", "missing_credential", "a cookie", "Authorization", "", []string{"Cookie: DBAUTH=" + part}},
		{"query", "missing_credential", "in the query instead", "Authorization", "?api_key=" + badPAT, nil},
		{"empty", "missing_credential", "an empty Authorization header", "not set", "", []string{"Authorization:"}},
		{"a secret's name is no credential", "missing_credential", "", "for this API.", "?scope=a&key=" + part, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.ReadRecords(t))
			c := g.Dial(t)
			c.Send(t, append([]string{"GET " + harness.JobsList + test.target + " HTTP/1.1", "Host: " + g.Listen, "User-Agent: curl/8.5.0", "Accept: */*"}, test.lines...)...)
			got := c.Answer(t, "GET")
			got.Refused(t, 401, test.reason)
			message := got.Header.Get("X-Databricks-Reason-Phrase")
			first := golden.FindRefusal(t, "unsupported_credential/named").Prefix()
			first, _, _ = strings.Cut(first, " What")
			if !strings.HasPrefix(message, first) || !strings.Contains(message, test.kind) || !strings.Contains(message, test.works) {
				t.Errorf("message %q", message)
			}
			if got.Header.Get("WWW-Authenticate") != `Bearer realm="DatabricksRealm"` {
				t.Errorf("challenge %q", got.Header.Get("WWW-Authenticate"))
			}
			record := g.Records(t, before+1)[before]
			if detail, _ := record["detail"].(string); record["reason"] != test.reason || detail == "" != strings.HasSuffix(message, "for this API.") || !strings.Contains(message, detail) {
				t.Errorf("reason %v, detail %q of %q", record["reason"], record["detail"], message)
			}
			quotesNothing(t, "the answer", got.Body, strings.Join(test.lines, ""))
			for name, values := range got.Header {
				quotesNothing(t, name, strings.Join(values, " "), "")
			}
		})
	}
	audit, err := os.ReadFile(g.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	quotesNothing(t, "the audit log", string(audit), "")
	if arrived := harness.Arrivals(workspace); len(arrived) > 0 {
		t.Errorf("%d requests reached the workspace", len(arrived))
	}
}

// quotesNothing checks that a text has no piece of a secret.
func quotesNothing(t testing.TB, where, text, sent string) {
	t.Helper()
	pieces := []string{part, strings.ToUpper(part)}
	for word := range strings.FieldsSeq(sent) { // what is encoded too
		if strings.HasPrefix(word, "eyJ") || strings.HasPrefix(word, "ZGFw") {
			pieces = append(pieces, word)
		}
	}
	for _, secret := range pieces {
		for i := 0; i+6 <= len(secret); i++ {
			if strings.Contains(text, secret[i:i+6]) {
				t.Errorf("%s quotes a credential: %s", where, text)
				return
			}
		}
	}
}

// TestForeignOAuthTokens: with oauth verify, a token that the workspace did not issue is
// refused as the workspace refuses one that it does not know, and named.
func TestForeignOAuthTokens(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "oauth verify")
	another := fakeworkspace.New()
	if err := another.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(another.Close)
	foreign := func(kind string) golden.Refusal { return golden.FindRefusal(t, "unknown_token/foreign", "kind", kind) }
	unknown := golden.FindRefusal(t, "unknown_token")
	for _, test := range []struct {
		name, token string
		want        golden.Refusal
	}{
		{"Azure AD", jwtFrom("https://sts.windows.net/" + part + "/"), foreign(aad)},
		{"Azure AD, v2", jwtFrom("https://login.microsoftonline.com/" + part + "/v2.0"), foreign(aad)},
		{"GitHub Actions", jwtFrom("https://token.actions.githubusercontent.com"), foreign("a GitHub Actions token")},
		{"another workspace", another.SignJWT(nil), foreign(ownOnes + " of another workspace or account")},
		{"unknown issuer", jwtFrom("https://" + part + ".example.com"), foreign("an OAuth access token of an issuer that the gateway does not know")},
		// A forger learns nothing of what is wrong.
		{"signature changed", workspace.SignJWT(nil)[:len(workspace.SignJWT(nil))-8] + "AAAAAAAA", unknown},
		{"another audience", workspace.SignJWT(map[string]any{"aud": "42"}), unknown},
		{"no scope", workspace.SignJWT(map[string]any{"scope": nil}), unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := g.Send(t, "GET", harness.JobsList, harness.Bearer(test.token))
			got.CheckRefusal(t, test.want)
			quotesNothing(t, "the answer", got.Body, test.token)
		})
	}
	// In a wrong form, an OAuth access token is told from what is not supported at all.
	got := g.Send(t, "GET", harness.JobsList, func(r *http.Request) { r.Header.Set("Authorization", workspace.SignJWT(nil)) })
	if got.Refused(t, 401, "unsupported_credential"); !strings.Contains(got.Body, ownOnes+" without the word Bearer before it") {
		t.Errorf("body %s", got.Body)
	}
}

// TestWrongWorkspace: the refusal names the workspace that is served, as the workspace's
// own does, and nothing that the client sent.
func TestWrongWorkspace(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	served := strconv.FormatInt(workspace.WorkspaceID(), 10)
	good, foreign := g.Mint("jobs"), g.Mint("jobs")
	info := foreign.Info
	info.WorkspaceId = 424242
	facts, err := json.Marshal(map[string]any{"token_info": info})
	if err != nil {
		t.Fatal(err)
	}
	workspace.Faults().Set(tokensPath+"/"+info.TokenId, fakeworkspace.RespondAs(workspace.WorkspaceID(), string(facts)))
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(good.Value)); got.StatusCode != 200 {
		t.Fatalf("this workspace's token: %d", got.StatusCode)
	}
	got := g.Send(t, "GET", harness.JobsList, harness.Bearer(foreign.Value))
	got.CheckRefusal(t, golden.FindRefusal(t, "wrong_workspace", "workspace", served))
	if strings.Contains(got.Body, "424242") {
		t.Errorf("the token's own workspace is told: %s", got.Body)
	}
	got = g.Send(t, "GET", harness.JobsList+"?o=99999", harness.Bearer(good.Value))
	got.CheckRefusal(t, golden.FindRefusal(t, "wrong_workspace/named", "workspace", served))
	if strings.Contains(got.Body, "99999") {
		t.Errorf("the query is quoted: %s", got.Body)
	}
}
