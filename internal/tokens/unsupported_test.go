package tokens

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/testing/race"
)

// jwtOf returns a JWT with these claims, which nobody signed.
func jwtOf(claims string) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"RS256","kid":"k"}`) + "." + part(claims) + "." + part("not a signature")
}

const (
	someUUID  = "5e0c1f6a-2b7d-4c7e-9f3a-0d9b6a1c2e4f"
	databrick = `{"iss":"https://adb-1234567890123456.7.azuredatabricks.net/oidc","aud":"1234567890123456","sub":"me"}`
)

// described are headers that are not accepted, and what is said of them.
var described = []struct {
	name, header string
	what         string
}{
	// OAuth access tokens, where none is accepted.
	{"Databricks OAuth", "Bearer " + jwtOf(databrick), databricksOAuth},
	{"Databricks OAuth of an account", "Bearer " + jwtOf(`{"iss":"https://accounts.cloud.databricks.com/oidc/accounts/`+someUUID+`"}`), databricksOAuth},
	{"Databricks OAuth under a name of one's own", "Bearer " + jwtOf(`{"iss":"https://data.example.com/oidc","aud":"3141592653589793"}`), databricksOAuth},
	{"Azure AD v1", "Bearer " + jwtOf(`{"aud":"2ff814a6-3304-4ab8-85cb-cd0e6f879c1d","iss":"https://sts.windows.net/`+someUUID+`/","ver":"1.0"}`), azureAD},
	{"Azure AD v2", "Bearer " + jwtOf(`{"iss":"https://login.microsoftonline.com/`+someUUID+`/v2.0"}`), azureAD},
	{"Azure AD in China", "Bearer " + jwtOf(`{"iss":"https://sts.chinacloudapi.cn/`+someUUID+`/"}`), azureAD},
	{"Azure AD of the US government", "Bearer " + jwtOf(`{"iss":"https://login.microsoftonline.us/`+someUUID+`/v2.0"}`), azureAD},
	{"Azure AD B2C", "Bearer " + jwtOf(`{"iss":"https://contoso.b2clogin.com/`+someUUID+`/v2.0/"}`), azureAD},
	{"Azure AD, issuer in upper case", "Bearer " + jwtOf(`{"iss":"HTTPS://STS.WINDOWS.NET/`+someUUID+`/"}`), azureAD},
	{"Google", "Bearer " + jwtOf(`{"iss":"https://accounts.google.com"}`), "a Google token"},
	{"Google without a scheme", "Bearer " + jwtOf(`{"iss":"accounts.google.com"}`), "a Google token"},
	{"Google service account", "Bearer " + jwtOf(`{"iss":"etl@project.iam.gserviceaccount.com"}`), "a Google token"},
	{"GitHub Actions", "Bearer " + jwtOf(`{"iss":"https://token.actions.githubusercontent.com"}`), "a GitHub Actions token"},
	{"GitHub Enterprise Server", "Bearer " + jwtOf(`{"iss":"https://git.example.com/_services/token"}`), "a GitHub Actions token"},
	{"GitLab", "Bearer " + jwtOf(`{"iss":"https://gitlab.com"}`), "a GitLab CI token"},
	{"Azure DevOps", "Bearer " + jwtOf(`{"iss":"https://vstoken.dev.azure.com/`+someUUID+`"}`), "an Azure DevOps token"},
	{"Kubernetes", "Bearer " + jwtOf(`{"iss":"https://kubernetes.default.svc.cluster.local"}`), kubernetes},
	{"Kubernetes, legacy", "Bearer " + jwtOf(`{"iss":"kubernetes/serviceaccount"}`), kubernetes},
	{"EKS", "Bearer " + jwtOf(`{"iss":"https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"}`), "an Amazon Web Services token"},
	{"an issuer of one's own, as in Databricks' documentation", "Bearer " + jwtOf(`{"iss":"https://idp.mycompany.com/oidc","aud":"databricks"}`), unknownIssuer},
	{"a host that only ends like a known one", "Bearer " + jwtOf(`{"iss":"https://evilsts.windows.net.example.com/"}`), unknownIssuer},
	{"a host that only ends like a known one, without a dot", "Bearer " + jwtOf(`{"iss":"https://notgitlab.com/"}`), unknownIssuer},
	{"no issuer", "Bearer " + jwtOf(`{"sub":"me"}`), someJWT},
	{"issuer of another type", "Bearer " + jwtOf(`{"iss":["https://sts.windows.net/"]}`), someJWT},
	{"no JSON", "Bearer " + jwtOf(`iss=https://sts.windows.net/`), someJWT},
	{"nested deeply", "Bearer " + jwtOf(strings.Repeat("[", 9000)), someJWT},
	{"no base64", "Bearer eyJhbGciOiJub25lIn0.e30_-_.x", someJWT},
	{"without Bearer", jwtOf(databrick), databricksOAuth},
	{"Basic with an Azure AD token", basic("token:" + jwtOf(`{"iss":"https://sts.windows.net/`+someUUID+`/"}`)), azureAD},
	{"unsigned", "Bearer " + strings.TrimRight(jwtOf(databrick), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), "a JWT that is not signed, not complete, or encrypted"},
	{"encrypted", "Bearer " + jwtOf(databrick) + ".d.e", "a JWT that is not signed, not complete, or encrypted"},
	{"too long", "Bearer " + jwtOf(`{"iss":"https://sts.windows.net/","groups":"`+strings.Repeat("a", maxJWTLength)+`"}`), "a credential that is too long to be looked into"},

	// Other credentials of Databricks.
	{"cluster-internal", "Bearer dkea0123456789abcdef0123456789abcdef", clusterInternal},
	{"cluster-internal, another", "Bearer dosa0123456789abcdef0123456789abcdef", clusterInternal},
	{"client secret", "Bearer dose0123456789abcdef0123456789abcdef", clientSecret},
	{"client id and secret", basic(someUUID + ":dose0123456789abcdef0123456789abcdef"), clientSecret},
	{"client id", "Bearer " + someUUID, "a UUID, such as the id of a client or a service principal"},
	{"token id", "Bearer " + somePATID, "the id of a token, not its value"},
	{"token id in upper case", "Bearer " + strings.ToUpper(somePATID), "the id of a token, not its value"},
	{"token id in quotes", `Bearer "` + somePATID + `"`, "the id of a token, not its value"},
	{"token id in Basic", basic("token:" + somePATID), "the id of a token, not its value"},
	{"answer of token/create", `Bearer {"token_value":"x"}`, "a JSON document, not only the token in it"},

	// Personal access tokens in a form in which they are not accepted.
	{"raw", somePAT, "a personal access token without the word Bearer before it"},
	{"raw in quotes", `"` + somePAT + `"`, "a personal access token in quotation marks"},
	{"raw in upper case", strings.ToUpper(somePAT), "a personal access token in upper case, and without the word Bearer before it"},
	{"scheme Token", "Token " + somePAT, "a personal access token after a word other than Bearer"},
	{"scheme token=", "Token token=" + somePAT, "a personal access token after a word other than Bearer"},
	{"token:", "token:" + somePAT, "a personal access token after a word other than Bearer"},
	{"scheme ApiKey", "ApiKey " + somePAT, "a personal access token after a word other than Bearer"},
	{"scheme PAT", "PAT " + somePAT, "a personal access token after a word other than Bearer"},
	{"Bearer twice", "Bearer Bearer " + somePAT, "a personal access token with the word Bearer twice"},
	{"Bearer twice, other case", "bearer BEARER " + somePAT, "a personal access token with the word Bearer twice"},
	{"the whole header in itself", "Bearer Authorization: Bearer " + somePAT, "a personal access token with the word Bearer twice"},
	{"the header's name", "Authorization: Bearer " + somePAT, "a personal access token after a word other than Bearer"},
	{"double quotes", `Bearer "` + somePAT + `"`, "a personal access token in quotation marks"},
	{"single quotes", "Bearer '" + somePAT + "'", "a personal access token in quotation marks"},
	{"typographic quotes", "Bearer \u201c" + somePAT + "\u201d", "a personal access token in quotation marks"},
	{"escaped quotes", `Bearer \"` + somePAT + `\"`, "a personal access token in quotation marks"},
	{"quote at the end", `Bearer ` + somePAT + `"`, "a personal access token in quotation marks"},
	{"quotes around all", `"Bearer ` + somePAT + `"`, "a personal access token in quotation marks"},
	{"two spaces", "Bearer  " + somePAT, "a personal access token with more or other white space than one space before it"},
	{"tab", "Bearer\t" + somePAT, "a personal access token with more or other white space than one space before it"},
	{"trailing space", "Bearer " + somePAT + " ", "a personal access token with white space or a line break after it"},
	{"written-out line break", "Bearer " + somePAT + `\n`, "a personal access token with white space or a line break after it"},
	{"encoded line break", "Bearer " + somePAT + "%0A", "a personal access token with white space or a line break after it"},
	{"no-break space", "Bearer " + somePAT + "\u00a0", "a personal access token with white space or a line break after it"},
	{"zero-width space", "Bearer " + somePAT + "\u200b", "a personal access token with other characters after it, which may be invisible"},
	{"byte order mark", "Bearer \ufeff" + somePAT, "a personal access token with other characters between the word Bearer and it"},
	{"semicolon", "Bearer " + somePAT + ";", "a personal access token with other characters after it, which may be invisible"},
	{"comment after it", "Bearer " + somePAT + " # of etl", "a personal access token with other characters after it, which may be invisible"},
	{"Bearer token:", "Bearer token:" + somePAT, "a personal access token with other characters between the word Bearer and it"},
	{"Bearer:", "Bearer: " + somePAT, "a personal access token with other characters between the word Bearer and it"},
	{"no space", "Bearer" + somePAT, "a personal access token without a space after the word Bearer"},
	{"upper case", "Bearer " + strings.ToUpper(somePAT), "a personal access token in upper case"},
	{"capital", "Bearer D" + somePAT[1:], "a personal access token in upper case"},
	{"percent before it", "Bearer%20" + somePAT, "a personal access token with percent-encoding before it"},
	{"percent-encoded", "Bearer %64%61%70%69" + somePAT[4:], "a personal access token in percent-encoding"},
	{"base64", "Bearer " + base64.StdEncoding.EncodeToString([]byte(somePAT)), "a personal access token in base64, which belongs after the word Basic only"},
	{"base64 with a line break in it", "Bearer " + base64.StdEncoding.EncodeToString([]byte(somePAT+"\n")), "a personal access token in base64, which belongs after the word Basic only"},
	{"base64 of token:", "Bearer " + strings.TrimPrefix(basic("token:"+somePAT), "Basic "), "a personal access token in base64, which belongs after the word Basic only"},
	{"base64 without Bearer", base64.StdEncoding.EncodeToString([]byte(somePAT)), "a personal access token in base64, which belongs after the word Basic only"},
	{"two", "Bearer " + somePAT + ", Bearer " + somePAT + "-2", "a personal access token and another one in one header"},
	{"cut off", "Bearer dapi0123456789", "a personal access token that is not complete, or has other characters in it"},
	{"space inside", "Bearer dapi01234567 89abcdef0123456789abcdef", "a personal access token that is not complete, or has other characters in it"},
	{"prefix only", "Bearer dapi", "a personal access token that is not complete, or has other characters in it"},
	{"too long", "Bearer dapi" + strings.Repeat("a", 129), "a personal access token that is longer than any"},
	{"no prefix", "Bearer 0123456789abcdef0123456789abcdef", "hexadecimal digits, perhaps of a personal access token without the letters before them"},

	// Basic.
	{"password", basic("me@example.com:hunter2"), "a user name and a password"},
	{"no user", basic(":hunter2"), "a user name and a password"},
	{"PAT of another user", basic("me@example.com:" + somePAT), "a personal access token with another user name than token"},
	{"capital user", basic("Token:" + somePAT), "a personal access token with another user name than token"},
	{"PAT as user", basic(somePAT + ":"), "a personal access token as a user name"},
	{"PAT alone in base64", basic(somePAT), "a personal access token in base64 without the user name token before it"},
	{"PAT after Basic", "Basic " + somePAT, "a personal access token that follows the word Basic and is not encoded for it"},
	{"token: after Basic", "Basic token:" + somePAT, "a personal access token that follows the word Basic and is not encoded for it"},
	{"line break in base64", basic("token:" + somePAT + "\n"), "a personal access token that is not a password by itself"},
	{"unpadded", strings.TrimRight(basic("token:"+somePAT+"-2"), "="), "a personal access token in a form of base64 that not every program reads alike"},
	{"no token", basic("token:"), "the user name token with no token as its password"},
	{"variable as token", basic("token:${DATABRICKS_TOKEN}"), "a placeholder, or a variable that was not replaced by its value"},
	{"no colon", basic("hunter2"), "a credential of the scheme Basic without a user name and a colon"},
	{"no base64", "Basic !!!!", "a credential of the scheme Basic that is not valid base64"},
	{"scheme Basic only", "Basic", noToken.What},

	// What stands for a token.
	{"scheme only", "Bearer", noToken.What},
	{"scheme and space", "Bearer ", noToken.What},
	{"scheme twice", "Bearer Bearer", noToken.What},
	{"scheme and quotes", `Bearer ""`, noToken.What},
	{"blank", " \t", "an empty Authorization header"},
	{"shell", "Bearer ${DATABRICKS_TOKEN}", "a placeholder, or a variable that was not replaced by its value"},
	{"shell, short", "Bearer $TOKEN", "a placeholder, or a variable that was not replaced by its value"},
	{"Windows", "Bearer %TOKEN%", "a placeholder, or a variable that was not replaced by its value"},
	{"angle brackets", "Bearer <token>", "a placeholder, or a variable that was not replaced by its value"},
	{"angle brackets with spaces", "Bearer <your access token>", "a placeholder, or a variable that was not replaced by its value"},
	{"template", "Bearer {{secrets/scope/key}}", "a placeholder, or a variable that was not replaced by its value"},
	{"template with spaces", "Bearer {{ env_var('TOKEN') }}", "a placeholder, or a variable that was not replaced by its value"},
	{"GitHub", "Bearer ${{ secrets.DATABRICKS_TOKEN }}", "a placeholder, or a variable that was not replaced by its value"},
	{"Caddy", "Bearer {env.TOKEN}", "a placeholder, or a variable that was not replaced by its value"},
	{"Azure DevOps", "Bearer $(DatabricksToken)", "a placeholder, or a variable that was not replaced by its value"},
	{"Octopus", "Bearer #{Token}", "a placeholder, or a variable that was not replaced by its value"},
	{"Key Vault", "Bearer @Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/t)", "a placeholder, or a variable that was not replaced by its value"},
	{"1Password", "Bearer op://vault/databricks/token", "a placeholder, or a variable that was not replaced by its value"},
	{"the variable's name", "Bearer DATABRICKS_TOKEN", "a placeholder, or a variable that was not replaced by its value"},
	{"from documentation", "Bearer YOUR_TOKEN", "a placeholder, or a variable that was not replaced by its value"},
	{"without Bearer", "${DATABRICKS_TOKEN}", "a placeholder, or a variable that was not replaced by its value"},
	{"JavaScript", "Bearer undefined", "what a program writes for a value that is not set, such as null or undefined"},
	{"null", "Bearer null", "what a program writes for a value that is not set, such as null or undefined"},
	{"Python", "Bearer None", "what a program writes for a value that is not set, such as null or undefined"},
	{"Go", "Bearer <nil>", "what a program writes for a value that is not set, such as null or undefined"},
	{"object", "Bearer [object Object]", "what a program writes for a value that is not set, such as null or undefined"},
	{"undefined without Bearer", "undefined", "what a program writes for a value that is not set, such as null or undefined"},
	{"masked PAT", "Bearer dapi****", masked},
	{"masked PAT, the end shown", "Bearer dapi****************************cdef", masked},
	{"masked PAT, most of it shown", "Bearer dapi0123456789abcdef****", masked},
	{"masked PAT, cut by an ellipsis", "Bearer dapi0123456789abcdef\u2026", masked},
	{"stars", "Bearer ***", masked},
	{"two stars", "Bearer **", masked},
	{"redacted", "Bearer [REDACTED]", masked},
	{"redacted, without brackets", "Bearer REDACTED", masked},
	{"ellipsis", "Bearer dapi\u2026", masked},
	{"dots", "Bearer dapi0123...", masked},
	{"bullets", "Bearer \u2022\u2022\u2022\u2022\u2022\u2022", masked},
	{"masked JWT", "Bearer eyJhbGci...", masked},
	{"path", "Bearer /var/run/secrets/token", "the path of a file, and not what is in it"},
	{"URL", "Bearer https://adb-1234567890123456.7.azuredatabricks.net", "a URL"},
	{"e-mail", "Bearer me@example.com", "a user name or an e-mail address"},
	{"look-alike", "Bearer d\u0430pi0123456789abcdef0123456789abcdef", "text with characters that no token has"},

	// Credentials of others.
	{"OpenAI", "Bearer sk-proj-AbCdEf0123456789", "a key of OpenAI or of a service like it"},
	{"OpenAI, old", "Bearer sk-AbCdEf0123456789", "a key of OpenAI or of a service like it"},
	{"OpenAI in quotes", `Bearer "sk-AbCdEf0123456789"`, "a key of OpenAI or of a service like it"},
	{"OpenAI without Bearer", "sk-AbCdEf0123456789", "a key of OpenAI or of a service like it"},
	{"OpenAI in another scheme", "ApiKey sk-AbCdEf0123456789", "a key of OpenAI or of a service like it"},
	{"OpenAI, Bearer twice", "Bearer Bearer sk-AbCdEf0123456789", "a key of OpenAI or of a service like it"},
	{"Anthropic", "Bearer sk-ant-api03-AbCdEf0123456789", "a key of Anthropic"},
	{"GitHub", "Bearer ghp_AbCdEf0123456789", "a GitHub token"},
	{"GitHub as a scheme", "token ghp_AbCdEf0123456789", "a GitHub token"},
	{"GitHub, fine-grained", "Bearer github_pat_AbCdEf0123456789", "a GitHub token"},
	{"GitLab", "Bearer glpat-AbCdEf0123456789", "a GitLab token"},
	{"Hugging Face", "Bearer hf_AbCdEf0123456789", "a token of Hugging Face"},
	{"Slack", "Bearer xoxb-0123456789", "a Slack token"},
	{"Google access token", "Bearer ya29.AbCdEf0123456789", "a Google access token"},
	{"Google API key", "Bearer AIzaAbCdEf0123456789", "a Google API key"},
	{"AWS key", "Bearer AKIAABCDEFGHIJKLMNOP", "an AWS access key"},
	{"AWS SigV4", "AWS4-HMAC-SHA256 Credential=AKIAABCDEFGHIJKLMNOP/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0123456789abcdef", "an AWS signature"},
	{"Azure storage", "SharedKey account:AbCdEf0123456789==", "a signature with an Azure storage key"},
	{"Azure storage, lite", "SharedKeyLite account:AbCdEf0123456789==", "a signature with an Azure storage key"},
	{"Azure SAS", "SharedAccessSignature sr=x&sig=AbCdEf0123456789&se=1", "a shared access signature of Azure"},
	{"Azure client secret", "Bearer abc8Q~AbCdEf0123456789AbCdEf0123456789", "a client secret of Azure AD"},
	{"PEM", "Bearer -----BEGIN PRIVATE KEY-----", "a key or certificate in PEM form"},

	// Other schemes.
	{"Digest", `Digest username="me", realm="x", response="0123456789abcdef"`, "a credential of the scheme Digest"},
	{"Negotiate", "Negotiate YIIAbCdEf0123456789", "a credential of the scheme Negotiate (Kerberos)"},
	{"NTLM", "NTLM TlRMTVNTUAABAAAA", "a credential of the scheme NTLM"},
	{"Digest with a PAT", `Digest username="token", response="` + somePAT + `"`, "a credential of the scheme Digest"},
	{"unknown scheme", "Magic 0123456789", "a credential of an authentication scheme that the gateway does not know"},

	{"unknown", "Bearer bad_token_1", unknownKind.What},
	{"unknown word", "Bearer secret", unknownKind.What},
	{"unknown, no scheme", "bad_token_1", unknownKind.What},
}

const masked = "a token of which a part is hidden, as in a log or on a screen"

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, test := range described {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := Describe(test.header, false)
			if got.What != test.what {
				t.Errorf("%q, want %q", got.What, test.what)
			}
			if got.Instead == "" {
				t.Error("nothing is said of what would work")
			}
			plain(t, got)
		})
	}
}

// TestDescribeTables: every row of the tables counts.
func TestDescribeTables(t *testing.T) {
	t.Parallel()
	for _, row := range prefixes {
		got := Describe("Bearer "+row.prefix+"7f3a9c1e5b8d2046", false)
		if got.What != row.what {
			t.Errorf("%s: %q, want %q", row.prefix, got.What, row.what)
		}
		plain(t, got)
	}
	for _, row := range issuers {
		for _, iss := range []string{"https://" + row.host, "https://x." + row.host + "/y"} {
			if got := Describe("Bearer "+jwtOf(`{"iss":"`+iss+`"}`), false); got.What != row.what {
				t.Errorf("%s: %q, want %q", iss, got.What, row.what)
			}
		}
	}
	for scheme, what := range schemes {
		if got := Describe(strings.ToUpper(scheme)+" x", false); got.What != what {
			t.Errorf("%s: %q, want %q", scheme, got.What, what)
		}
	}
}

// plain checks that what is said can be sent in a header and survives the search for
// secrets, which hides what follows the word Bearer.
func plain(t testing.TB, u Unsupported) {
	t.Helper()
	text := "What was sent is " + u.What + ". " + u.Instead
	if safe := sanitize.String(text, 4096); safe != text {
		t.Errorf("shown as %q", safe)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			t.Errorf("not printable ASCII: %q", text)
		}
	}
	if u.Instead != "" && !strings.HasSuffix(u.Instead, ".") || strings.HasSuffix(u.What, ".") {
		t.Errorf("no sentence: %q", text)
	}
}

// TestDescribeWithOAuth: where OAuth access tokens are accepted, one in the wrong form is
// described like a personal access token.
func TestDescribeWithOAuth(t *testing.T) {
	t.Parallel()
	token := jwtOf(databrick)
	for header, want := range map[string]string{
		token:                      databricksOAuth + " without the word Bearer before it",
		"Bearer Bearer " + token:   databricksOAuth + " with the word Bearer twice",
		`Bearer "` + token + `"`:   databricksOAuth + " in quotation marks",
		basic("token:" + token):    databricksOAuth + " that is not a password by itself",
		"Bearer  " + token:         databricksOAuth + " with more or other white space than one space before it",
		"Bearer " + token + `\n`:   databricksOAuth + " with white space or a line break after it",
		"Bearer ${TOKEN}":          "a placeholder, or a variable that was not replaced by its value",
		"Bearer dose0123456789abc": clientSecret,
	} {
		got := Describe(header, true)
		if got.What != want || strings.Contains(got.Instead, "operator") {
			t.Errorf("%q, want %q; %q", got.What, want, got.Instead)
		}
		plain(t, got)
	}
}

func TestDescribeForeign(t *testing.T) {
	t.Parallel()
	entra := jwtOf(`{"iss":"https://sts.windows.net/` + someUUID + `/"}`)
	own := jwtOf(`{"iss":"https://idp.example.com/oidc"}`)
	for _, test := range []struct {
		name, token string
		foreign     bool
		what        string
	}{
		{"Azure AD", entra, true, azureAD},
		{"Azure AD, odd otherwise", entra, false, azureAD},
		{"another workspace", jwtOf(databrick), true, databricksOAuth + " of another workspace or account"},
		{"perhaps this workspace", jwtOf(databrick), false, ""},
		{"unknown issuer", own, true, unknownIssuer},
		{"perhaps this workspace under a name of its own", own, false, ""},
		{"no issuer", jwtOf("{}"), false, ""},
	} {
		got := DescribeForeign(test.token, test.foreign)
		if got.What != test.what || (got.Instead == "") != (got.What == "") {
			t.Errorf("%s: %q, %q", test.name, got.What, got.Instead)
		}
		plain(t, got)
	}
}

// FuzzDescribe checks that nothing of a secret is told, whatever stands around it, and that
// no credential is described that is accepted.
func FuzzDescribe(f *testing.F) {
	const secret = "7f3a9c1e5b8d2046f1e3a7c9b5d80264"
	for _, test := range described {
		before, after, _ := strings.Cut(test.header, "0123456789abcdef")
		f.Add(before, after)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		header := before + secret + after
		forms := []string{secret, strings.ToUpper(secret)}
		if encoded, ok := strings.CutPrefix(header, "Basic "); ok {
			header = basic(encoded)
			forms = append(forms, strings.TrimPrefix(header, "Basic "))
		}
		for _, oauth := range []bool{false, true} {
			got := Describe(header, oauth)
			plain(t, got)
			if got.What == "" || got.Instead == "" {
				t.Fatalf("nothing is told: %+v", got)
			}
			for _, form := range forms {
				for i := 0; i+6 <= len(form); i++ {
					if strings.Contains(got.What+" "+got.Instead, form[i:i+6]) {
						t.Fatalf("told %q", got)
					}
				}
			}
		}
		if payload := base64.RawURLEncoding.EncodeToString([]byte(header)); len(payload) < maxJWTLength {
			plain(t, DescribeForeign("eyJ9."+payload+".x", true))
		}
	})
}

// TestDescribeIsLinear: ten times as much costs about ten times as much, whatever it is made
// of.
func TestDescribeIsLinear(t *testing.T) {
	if race.Enabled {
		t.Skip("timed")
	}
	for _, part := range []string{
		"dapi", "dapi.", "DAPI ", "eyJ", "eyJ.", "eyJ ", "eyJa.b.c ", "%64", "ZGFw", "Bearer ", "token:", `"`, "'", "{", "[", "$", "*", "0", "e", ".", "\u2026", "xxx",
		"dapi0123456789abcdef0123456789abcdef ", `\n`, "%0A",
	} {
		for _, scheme := range []string{"", "Bearer ", "Basic ", "Token "} {
			cost := func(size int) time.Duration {
				value := scheme + strings.Repeat(part, size/len(part))
				least := time.Hour
				for range 5 {
					began := time.Now()
					Describe(value, true)
					least = min(least, time.Since(began))
				}
				return least
			}
			if small, large := cost(1600), cost(16_000); large > 40*small && large > 2*time.Millisecond {
				t.Errorf("%s%s…: %v, then %v", scheme, part, small, large)
			}
		}
	}
}

func BenchmarkDescribe(b *testing.B) {
	for name, header := range map[string]string{
		"unknown": "Bearer bad_token_1", "raw": somePAT, "azure": "Bearer " + jwtOf(`{"iss":"https://sts.windows.net/`+someUUID+`/"}`),
		"long": "Bearer " + jwtOf(`{"x":"`+strings.Repeat("a", 8000)+`"}`), "huge": fmt.Sprintf("Bearer %01000000d", 0),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Describe(header, false)
			}
		})
	}
}
