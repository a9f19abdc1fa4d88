package judge

import (
	"strings"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// refuseCredential refuses a request for its credential, and says what was sent and what
// would work.
func (j *Judgement) refuseCredential(reason policy.Reason, sent tokens.Unsupported) {
	j.refuse(reason, sent.What)
	j.Instead, j.Detail = sent.Instead, sent.What
}

// unsupported describes the Authorization header of a request, which is not accepted.
func (j *Judge) unsupported(r *Request) tokens.Unsupported {
	return tokens.Describe(r.Header["Authorization"][0], j.OAuth == OAuthPass || j.OAuth == OAuthVerify)
}

const sendAuthorization = "Send a personal access token in the header Authorization, after the word Bearer and one space."

// missing describes what a request has in place of the Authorization header.
func (r *Request) missing() tokens.Unsupported {
	sent := tokens.Unsupported{Instead: sendAuthorization}
	switch header := r.credentialHeader(); {
	case header != "":
		sent.What = "a credential in the header " + header + " instead of Authorization"
	case r.credentialInQuery():
		sent.What = "a credential in the query instead of the header Authorization"
	case len(r.Header["Authorization"]) > 0:
		sent.What = "an empty Authorization header"
		sent.Instead = "Perhaps a variable is not set. " + sendAuthorization
	case len(r.Header["Cookie"]) > 0:
		sent.What = "a cookie, such as that of a browser's session"
	default:
		return tokens.Unsupported{} // nothing, of which Databricks' own sentence says enough
	}
	return sent
}

// credentialHeaders carry credentials to other APIs, or are what people write for
// Authorization.
var credentialHeaders = []struct{ canonical, asWritten string }{
	{"Api-Key", "api-key"},
	{"X-Api-Key", "x-api-key"},
	{"Apikey", "apikey"},
	{"X-Goog-Api-Key", "x-goog-api-key"},
	{"Ocp-Apim-Subscription-Key", "Ocp-Apim-Subscription-Key"},
	{"X-Functions-Key", "x-functions-key"},
	{"X-Auth-Token", "X-Auth-Token"},
	{"X-Access-Token", "X-Access-Token"},
	{"X-Token", "X-Token"},
	{"X-Auth", "X-Auth"},
	{"X-Authorization", "X-Authorization"},
	{"X-Amz-Security-Token", "X-Amz-Security-Token"},
	{"X-Vault-Token", "X-Vault-Token"},
	{"Private-Token", "PRIVATE-TOKEN"},
	{"Access-Token", "Access-Token"},
	{"Auth-Token", "Auth-Token"},
	{"Authentication", "Authentication"},
	{"Authorisation", "Authorisation"},
	{"Authorization-Token", "Authorization-Token"},
	{"Auth", "Auth"},
	{"Bearer", "Bearer"},
	{"Token", "Token"},
	{"X-Databricks-Azure-Sp-Management-Token", "X-Databricks-Azure-SP-Management-Token"},
	{"X-Databricks-Gcp-Sa-Access-Token", "X-Databricks-GCP-SA-Access-Token"},
	{"X-Databricks-Token", "X-Databricks-Token"},
	{"X-Databricks-Access-Token", "X-Databricks-Access-Token"},
	{"X-Databricks-Authorization", "X-Databricks-Authorization"},
	{"X-Forwarded-Access-Token", "X-Forwarded-Access-Token"},
	{"X-Forwarded-Authorization", "X-Forwarded-Authorization"},
	{"X-Original-Authorization", "X-Original-Authorization"},
	{"X-Ms-Token-Aad-Access-Token", "X-MS-TOKEN-AAD-ACCESS-TOKEN"},
	{"X-Serverless-Authorization", "X-Serverless-Authorization"},
	{"Proxy-Authorization", "Proxy-Authorization"},
}

// credentialParameters are query parameters that carry credentials to other APIs.
var credentialParameters = []string{
	"api_key", "api-key", "apikey", "apiKey", "auth", "auth_token", "authtoken", "authorization", "Authorization", "bearer",
	"bearer_token", "oauth_token", "id_token", "accessToken", "token", "pat", "personal_access_token", "databricks_token", "subscription-key",
}

// credentialInQuery reports whether the query carries a credential, by its name or its form.
func (r *Request) credentialInQuery() bool {
	return parameters(r.URL.RawQuery, credentialParameters...) != nil || r.queryCarriesPAT()
}

// credentialHeader returns the name of a header of the table that the request has, empty
// for none.
func (r *Request) credentialHeader() string {
	for i := range credentialHeaders {
		for _, value := range r.Header[credentialHeaders[i].canonical] {
			if strings.TrimSpace(value) != "" {
				return credentialHeaders[i].asWritten
			}
		}
	}
	return ""
}
