package tokens

import (
	"encoding/hex"
	"strings"
)

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

// maxWord bounds what may be a placeholder, a variable or a masked token.
const maxWord = 512

// describeMasked describes a token of which a program or a person hid something.
func describeMasked(value string) (Unsupported, bool) {
	if len(value) > maxWord {
		return Unsupported{}, false
	}
	masked := false
	for _, mark := range []string{"***", "...", "\u2026", "\u2022\u2022", "\u25cf\u25cf", "####", "xxxxxx", "XXXXXX"} {
		masked = masked || strings.Contains(value, mark)
	}
	switch strings.Trim(strings.ToLower(value), "<>[](){}*#-_ ") {
	case "redacted", "masked", "hidden", "filtered", "removed", "censored", "secret value", "redacted_secret", "xxx", "xxxx", "xxxxx":
		masked = true
	}
	masked = masked || strings.Trim(value, "*") == ""
	return Unsupported{"a token of which a part is hidden, as in a log or on a screen", "Send the whole token. If it is lost, make a new one: Databricks shows it only once."}, masked
}

// describePlaceholder describes what stands in a configuration for a token.
func describePlaceholder(value string) (Unsupported, bool) {
	if len(value) > maxWord {
		return Unsupported{}, false
	}
	lower := strings.ToLower(value)
	switch strings.Trim(lower, `"'<>()[]`) {
	case "undefined", "null", "none", "nil", "nan", "nul", "false", "true", "void", "empty", "no value", "not set", "unset", "object object", "n/a", "na", "%!s(nil)", "%!s(<nil":
		return Unsupported{"what a program writes for a value that is not set, such as null or undefined", "Perhaps a variable is not set. " + checkSetup}, true
	}
	if isPlaceholder(value, lower) {
		return Unsupported{"a placeholder, or a variable that was not replaced by its value", checkSetup}, true
	}
	return Unsupported{}, false
}

func isPlaceholder(value, lower string) bool {
	for _, start := range []string{
		"$", "<", "@microsoft.keyvault", "@env", "op://", "vault:", "ref+", "secretref", "secret:", "secret/", "secrets/", "secrets.", "projects/", "env:", "env.",
		"process.env", "os.environ", "os.getenv", "dbutils.", "file:", "keyvault", "ssm:", "awssm:", "gcpsm:", "sops:", "!ref", "!env", "enc(", "enc[", "arn:aws:secretsmanager", "arn:aws:ssm",
	} {
		if strings.HasPrefix(lower, start) {
			return true
		}
	}
	for _, mark := range []string{"${", "$(", "$[", "{{", "}}", "#{", "<%", "%>", "__token", "token__", "your", "placeholder", "changeme", "change_me", "change-me", "replace", "insert", "token here", "token-here", "token_here", "tokenhere"} {
		if strings.Contains(lower, mark) {
			return true
		}
	}
	if n := len(value); n > 2 {
		switch value[:1] + value[n-1:] {
		case "%%", "[]", "__", "@@", "##":
			return true
		case "{}":
			return value[1] != '"' && value[1] != '\''
		}
	}
	return isName(lower)
}

// isName reports whether a text is the name of a variable for a credential, such as
// DATABRICKS_TOKEN: words without a digit, one of which says so.
func isName(lower string) bool {
	switch lower {
	case "token", "pat", "todo", "tbd", "fixme":
		return true
	}
	words := false
	for i := range len(lower) {
		if c := lower[i]; (c < 'a' || c > 'z') && c != '_' && c != '-' && c != '.' {
			return false
		} else if c < 'a' {
			words = true
		}
	}
	if !words {
		return false
	}
	for _, word := range []string{"token", "secret", "password", "api_key", "api-key", "apikey", "credential", "databricks"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// describeCutOff describes a personal access token that is not complete.
func describeCutOff(value string) (Unsupported, bool) {
	if len(value) < len(patPrefix) || !strings.EqualFold(value[:len(patPrefix)], patPrefix) {
		return Unsupported{}, false
	}
	return Unsupported{"a personal access token that is not complete, or has other characters in it", sendAsIs}, true
}

// describeShape describes what no prefix tells.
func describeShape(value string) (Unsupported, bool) {
	if len(value) > maxWord {
		return Unsupported{}, false
	}
	hexadecimal := strings.Trim(value, "0123456789abcdefABCDEF") == ""
	what, instead := "", sendPAT
	switch {
	case strings.IndexFunc(value, func(c rune) bool { return c > '~' }) >= 0:
		what, instead = "text with characters that no token has", sendAsIs
	case isTokenID(value):
		what, instead = "the id of a token, not its value", "Send the token itself. If it is lost, make a new one: Databricks shows it only once."
	case hexadecimal && len(value) >= minPATLength-len(patPrefix):
		what, instead = "hexadecimal digits, perhaps of a personal access token without the letters before them", sendAsIs
	case isUUID(value):
		what = "a UUID, such as the id of a client or a service principal"
	case len(value) > 7 && value[3:6] == "8Q~" || len(value) > 7 && value[3:6] == "7Q~":
		what = "a client secret of Azure AD"
	case strings.Contains(value, "sig=") && strings.Contains(value, "se="):
		what = "a shared access signature of Azure"
	case strings.HasPrefix(value, "/") || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "~/") || len(value) > 2 && value[1:3] == `:\`:
		what, instead = "the path of a file, and not what is in it", checkSetup
	case strings.Contains(value, "@") && strings.Contains(value, ".") && !strings.Contains(value, " "):
		what = "a user name or an e-mail address"
	}
	return Unsupported{what, instead}, what != ""
}

// isTokenID reports whether a text is the id of a token, as Databricks shows it.
func isTokenID(value string) bool {
	_, err := ParseID(strings.TrimPrefix(value, "sha256:"))
	return err == nil
}

func isUUID(value string) bool {
	if len(value) != 36 || value[8] != '-' || value[13] != '-' || value[18] != '-' || value[23] != '-' {
		return false
	}
	_, err := hex.DecodeString(strings.ReplaceAll(value, "-", ""))
	return err == nil
}
