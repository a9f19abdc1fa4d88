package tokens

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// issuers are who issues the JWTs that people send, by the host of the issuer or a domain
// above it.
var issuers = []struct{ host, what string }{
	{"databricks.com", databricksOAuth},
	{"azuredatabricks.net", databricksOAuth},
	{"databricks.azure.cn", databricksOAuth},
	{"databricks.azure.us", databricksOAuth},
	{"databricks.us", databricksOAuth},
	{"databricks.mil", databricksOAuth},

	{"sts.windows.net", azureAD}, // version 1
	{"login.windows.net", azureAD},
	{"microsoftonline.com", azureAD}, // version 2
	{"microsoftonline.us", azureAD},
	{"microsoftonline.cn", azureAD},
	{"microsoftonline.de", azureAD},
	{"chinacloudapi.cn", azureAD},
	{"b2clogin.com", azureAD},
	{"ciamlogin.com", azureAD},

	{"accounts.google.com", "a Google token"},
	{"securetoken.google.com", "a Google token"},
	{"container.googleapis.com", kubernetes},
	{"token.actions.githubusercontent.com", "a GitHub Actions token"},
	{"ghe.com", "a GitHub Actions token"},
	{"gitlab.com", "a GitLab CI token"},
	{"vstoken.dev.azure.com", "an Azure DevOps token"},
	{"oidc.circleci.com", "a CircleCI token"},
	{"api.bitbucket.org", "a Bitbucket Pipelines token"},
	{"agent.buildkite.com", "a Buildkite token"},
	{"app.terraform.io", "a Terraform Cloud token"},
	{"oidc.vercel.com", "a Vercel token"},
	{"amazonaws.com", "an Amazon Web Services token"},
	{"kubernetes.default.svc", kubernetes},
	{"kubernetes.default.svc.cluster.local", kubernetes},
	{"azmk8s.io", kubernetes},
	{"okta.com", "an Okta token"},
	{"oktapreview.com", "an Okta token"},
	{"auth0.com", "an Auth0 token"},
	{"snowflakecomputing.com", "a Snowflake token"},
	{"appleid.apple.com", "an Apple token"},
}

const (
	databricksOAuth = "a Databricks OAuth access token"
	azureAD         = "an Azure AD token (Microsoft Entra ID)"
	kubernetes      = "a Kubernetes service account token"
	unknownIssuer   = "an OAuth access token of an issuer that the gateway does not know"
	someJWT         = "a JWT, such as an OAuth access token"
)

// describeJWT describes an OAuth access token where none is accepted.
func describeJWT(raw string) Unsupported {
	what, _ := issuedBy(raw)
	if what == databricksOAuth {
		return Unsupported{what, "This gateway accepts personal access tokens; its operator can let it accept such tokens too, with `oauth verify`."}
	}
	return Unsupported{what, "This gateway accepts personal access tokens; its operator can let such tokens pass unjudged, see its option `oauth`."}
}

// DescribeForeign describes an OAuth access token that the workspace did not issue, where
// the workspace's are accepted. It is empty for one that may be the workspace's own,
// unless it is known to be foreign.
func DescribeForeign(raw string, foreign bool) Unsupported {
	what, known := issuedBy(raw)
	switch {
	case !foreign && (!known || what == databricksOAuth):
		return Unsupported{}
	case what == databricksOAuth:
		what += " of another workspace or account"
	}
	return Unsupported{what, "It cannot be verified here. Send an OAuth access token that this workspace issued, or a personal access token."}
}

// issuedBy names a JWT by the issuer that it claims, which nobody has verified. Known tells
// that the issuer is one of the table.
func issuedBy(raw string) (what string, known bool) {
	var claims struct {
		Issuer   string          `json:"iss"`
		Audience json.RawMessage `json:"aud"`
	}
	_, payload, _ := strings.Cut(raw, ".")
	payload, _, _ = strings.Cut(payload, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(decoded, &claims) != nil {
		return someJWT, false
	}
	issuer := strings.ToLower(claims.Issuer)
	if issuer == "kubernetes/serviceaccount" {
		return kubernetes, true
	}
	if strings.HasSuffix(issuer, ".iam.gserviceaccount.com") {
		return "a Google token", true
	}
	_, address, schemed := strings.Cut(issuer, "://")
	if !schemed {
		address = issuer
	}
	host, path, _ := strings.Cut(address, "/")
	host, _, _ = strings.Cut(host, ":")
	for i := range issuers {
		if host == issuers[i].host || strings.HasSuffix(host, "."+issuers[i].host) {
			return issuers[i].what, true
		}
	}
	switch {
	case issuer == "":
		return someJWT, false
	case strings.HasPrefix(path, "_services/token"): // GitHub Enterprise Server
		return "a GitHub Actions token", true
	case path == "oidc" && isNumber(claims.Audience): // a workspace under a name of one's own
		return databricksOAuth, true
	}
	return unknownIssuer, false
}

// isNumber reports whether a claim is a string of digits, as the id of a workspace is.
func isNumber(claim json.RawMessage) bool {
	digits := strings.Trim(string(claim), `"`)
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}
