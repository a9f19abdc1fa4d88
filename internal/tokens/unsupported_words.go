package tokens

import (
	"encoding/hex"
	"strings"
)

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
