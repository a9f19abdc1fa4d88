package localca

import "strings"

// Hint says how clients in one language are told to trust a root certificate.
type Hint struct {
	// Language is a lower-case word.
	Language string
	// Command is for a shell: it sets variables of the environment, or is an option of the
	// client's command.
	Command string
}

// Hints returns how to trust the root certificate in a file, in the languages of Databricks'
// clients.
func Hints(file string) []Hint {
	path := quote(file)
	return []Hint{
		{"node", "export NODE_EXTRA_CA_CERTS=" + path},
		{"python", "export REQUESTS_CA_BUNDLE=" + path + " SSL_CERT_FILE=" + path},
		{"java", "keytool -importcert -noprompt -alias scopegate -file " + path + ` -storetype PKCS12 -keystore "$HOME/scopegate.p12" -storepass changeit` +
			`; export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore=$HOME/scopegate.p12 -Djavax.net.ssl.trustStorePassword=changeit"`},
		{"go", "export SSL_CERT_FILE=" + path},
		{"curl", "curl --cacert " + path},
	}
}

// quote makes a path one word of a shell.
func quote(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@,") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
