package gatewaycmd

import "github.com/spf13/cobra"

// values complete flags of commands that are not below scopes.
var values = map[string]map[string][]string{
	"sidecar": {
		"workspace":       {"https://"},
		"mode":            {"enforce\trefuse what is out of scope", "observe\trecord decisions, refuse nothing"},
		"unscoped-tokens": {"allow", "deny"},
		"oauth":           {"deny", "verify", "pass"},
		"unknown-expiry":  {"deny", "allow"},
		"discovery":       {"rewrite", "pass"},
		"listen":          {"127.0.0.1:8080", "https://localhost:8443"},
		"health":          {"127.0.0.1:8081", Off},
		"console":         {"127.0.0.1:2020", Off},
		"admin":           {"unix", Off},
		"usage":           {"5m", Off},
		"grace-period":    {"10s"},
	},
	"run":           {"adapter": adapters},
	"start":         {"adapter": adapters},
	"stop":          {"adapter": adapters},
	"reload":        {"adapter": adapters},
	"adapt":         {"adapter": adapters},
	"validate":      {"adapter": adapters},
	"trust":         {"adapter": adapters, "ca": {"local"}},
	"untrust":       {"adapter": adapters, "ca": {"local"}},
	"hash-password": {"algorithm": {"bcrypt", "argon2id"}},
}

var adapters = []string{"caddyfile", "json"}

// completeValues makes shells complete the flags of a command.
func completeValues(cmd *cobra.Command) {
	for name, of := range values[cmd.Name()] {
		directive := cobra.ShellCompDirectiveNoFileComp
		if name == "workspace" {
			directive |= cobra.ShellCompDirectiveNoSpace // the rest follows
		}
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(of, directive)); err != nil {
			panic(err) // a flag that is not there, or that completes itself already
		}
	}
}
