package tokens

import "strings"

const (
	clientSecret    = "an OAuth client secret"
	clusterInternal = "a cluster-internal token"
)

// prefixes are what credentials start with. Of two that fit, the first counts. Databricks
// does not document its own; these are the findings of others.
var prefixes = []struct{ prefix, what string }{
	{"dkea", clusterInternal},
	{"dosa", clusterInternal},
	{"dose", clientSecret},
	{"eyJ", "a JWT that is not signed, not complete, or encrypted"},

	{"sk-ant-", "a key of Anthropic"},
	{"sk-or-", "a key of OpenRouter"},
	{"sk-lf-", "a key of Langfuse"},
	{"sk-", "a key of OpenAI or of a service like it"},
	{"sess-", "a session key of OpenAI"},
	{"gsk_", "a key of Groq"},
	{"xai-", "a key of xAI"},
	{"pplx-", "a key of Perplexity"},
	{"nvapi-", "a key of NVIDIA"},
	{"fw_", "a key of Fireworks"},
	{"r8_", "a token of Replicate"},
	{"hf_", "a token of Hugging Face"},
	{"api_org_", "a token of Hugging Face"},
	{"lsv2_", "a key of LangSmith"},
	{"tvly-", "a key of Tavily"},
	{"pcsk_", "a key of Pinecone"},
	{"ghp_", "a GitHub token"},
	{"gho_", "a GitHub token"},
	{"ghu_", "a GitHub token"},
	{"ghs_", "a GitHub token"},
	{"ghr_", "a GitHub token"},
	{"github_pat_", "a GitHub token"},
	{"glpat-", "a GitLab token"},
	{"gldt-", "a GitLab token"},
	{"glcbt-", "a GitLab token"},
	{"glptt-", "a GitLab token"},
	{"ATATT3", "an Atlassian token"},
	{"ATBB", "a Bitbucket password"},
	{"ATCTT3", "a Bitbucket token"},
	{"AIza", "a Google API key"},
	{"ya29.", "a Google access token"},
	{"1//", "a Google refresh token"},
	{"GOCSPX-", "a Google client secret"},
	{"AKIA", "an AWS access key"},
	{"ASIA", "an AWS access key"},
	{"ABIA", "an AWS access key"},
	{"AWS4-", "an AWS signature"},
	{"arn:", "the name of an AWS resource, and not what it holds"},
	{"AccountKey=", "an Azure connection string"},
	{"DefaultEndpointsProtocol=", "an Azure connection string"},
	{"Endpoint=sb:", "an Azure connection string"},
	{"SharedAccessSignature", "a shared access signature of Azure"},
	{"?sv=", "a shared access signature of Azure"},
	{"sv=", "a shared access signature of Azure"},
	{"xox", "a Slack token"},
	{"xapp-", "a Slack token"},
	{"sk_live_", "a key of Stripe"},
	{"sk_test_", "a key of Stripe"},
	{"rk_live_", "a key of Stripe"},
	{"pk_live_", "a key of Stripe"},
	{"SG.", "a key of SendGrid"},
	{"npm_", "an npm token"},
	{"pypi-", "a PyPI token"},
	{"dckr_pat_", "a Docker token"},
	{"hvs.", "a HashiCorp Vault token"},
	{"hvb.", "a HashiCorp Vault token"},
	{"hvr.", "a HashiCorp Vault token"},
	{"dbtc_", "a dbt token"},
	{"dbtu_", "a dbt token"},
	{"dbts_", "a dbt token"},
	{"pnu_", "a Prefect key"},
	{"pnb_", "a Prefect key"},
	{"glsa_", "a Grafana token"},
	{"glc_", "a Grafana token"},
	{"sntrys_", "a Sentry token"},
	{"sntryu_", "a Sentry token"},
	{"NRAK-", "a key of New Relic"},
	{"PMAK-", "a key of Postman"},
	{"dop_v1_", "a DigitalOcean token"},
	{"ops_", "a 1Password token"},
	{"tskey-", "a Tailscale key"},
	{"shpat_", "a Shopify token"},
	{"lin_api_", "a key of Linear"},
	{"ntn_", "a Notion token"},
	{"figd_", "a Figma token"},
	{"dp.", "a Doppler token"},
	{"sbp_", "a Supabase token"},
	{"sb_secret_", "a Supabase key"},

	{"-----BEGIN", "a key or certificate in PEM form"},
	{"ssh-", "an SSH key"},
	{"AGE-SECRET-KEY-", "an age key"},
	{"https://", "a URL"},
	{"http://", "a URL"},
	{`{"`, "a JSON document, not only the token in it"},
	{`{'`, "a JSON document, not only the token in it"},
}

func describePrefix(value string) (Unsupported, bool) {
	for i := range prefixes {
		if strings.HasPrefix(value, prefixes[i].prefix) {
			return Unsupported{prefixes[i].what, sendPAT}, true
		}
	}
	return Unsupported{}, false
}

// schemes are authentication schemes that send something else than a token, in lower case.
var schemes = map[string]string{
	"digest":                 "a credential of the scheme Digest",
	"negotiate":              "a credential of the scheme Negotiate (Kerberos)",
	"kerberos":               "a credential of the scheme Kerberos",
	"ntlm":                   "a credential of the scheme NTLM",
	"hoba":                   "a credential of the scheme HOBA",
	"mutual":                 "a credential of the scheme Mutual",
	"scram-sha-1":            "a credential of the scheme SCRAM",
	"scram-sha-256":          "a credential of the scheme SCRAM",
	"vapid":                  "a credential of the scheme VAPID",
	"dpop":                   "an OAuth access token of the scheme DPoP",
	"gnap":                   "an access token of the scheme GNAP",
	"hawk":                   "a credential of the scheme Hawk",
	"mac":                    "a credential of the scheme MAC",
	"signature":              "an HTTP signature",
	"hmac":                   "an HMAC signature",
	"hmac-sha256":            "an HMAC signature",
	"aws":                    "an AWS signature",
	"aws4-hmac-sha256":       "an AWS signature",
	"aws4-ecdsa-p256-sha256": "an AWS signature",
	"aws3-https":             "an AWS signature",
	"goog4-rsa-sha256":       "a Google Cloud Storage signature",
	"goog1":                  "a Google Cloud Storage signature",
	"googlelogin":            "a credential of the scheme GoogleLogin",
	"sharedkey":              "a signature with an Azure storage key",
	"sharedkeylite":          "a signature with an Azure storage key",
	"sharedaccesssignature":  "a shared access signature of Azure",
	"wrap":                   "an Azure WRAP token",
	"ssws":                   "an Okta token",
	"snowflake":              "a Snowflake token",
	"splunk":                 "a Splunk token",
	"cloudsigma":             "a signature",
}

func schemeNamed(scheme string) string {
	const longest = len("aws4-ecdsa-p256-sha256")
	if len(scheme) > longest {
		return ""
	}
	return schemes[strings.ToLower(scheme)]
}
