package gatewaycmd

import "github.com/spf13/cobra"

// text is the help of a command.
type text struct {
	short, long, example string
	// below are the texts of the commands below it.
	below map[string]text
}

func (t text) apply(cmd *cobra.Command) {
	cmd.Short, cmd.Long, cmd.Example = t.short, t.long, t.example
	for _, child := range cmd.Commands() {
		if below, ok := t.below[child.Name()]; ok {
			below.apply(child)
		}
	}
}

const envfileHelp = `--envfile reads variables from files with lines KEY=VALUE first.
`

const adminHelp = `It needs the admin API of the gateway. Without --address and --config, the gateway of this
user is found by itself, see scopegate help scopes report.
`

// caddyTexts are texts for those of Caddy's commands that scopegate has. Caddy's own call the
// program caddy and themselves Caddy, and have no examples.
var caddyTexts = map[string]text{
	"run": {
		short: "Runs the gateways of a Caddyfile",
		long: `
Runs the gateways and other sites of a configuration until a signal ends it. Without
--config it reads the file Caddyfile in the current directory, if there is one.

--config is a Caddyfile, or Caddy's JSON, which --adapter json says. - reads standard input.
` + envfileHelp + `--environ prints the environment first. It may contain secrets.
--resume runs the configuration that was last in force instead, if it was saved.
--watch loads the file again when it changes. Use it for development only.
--pidfile is where to write the process id.

Exit codes: 0 after SIGTERM or SIGINT, 1 if it could not start, 2 if a second
signal or SIGQUIT forced the end, 3 if something could not be saved in time.
`,
		example: `  scopegate run --config Caddyfile
  scopegate run --config /etc/scopegate/Caddyfile --envfile /etc/scopegate/environment`,
	},
	"start": {
		short: "Runs the gateways of a Caddyfile in the background",
		long: `
Does what run does in another process, and returns when that process serves or has failed.
Under systemd or in a container, use run.

` + envfileHelp + `--watch loads the file again when it changes. Use it for development only.
--pidfile is where to write the process id.
`,
		example: "  scopegate start --config Caddyfile\n  scopegate stop --config Caddyfile",
	},
	"stop": {
		short:   "Stops a running gateway",
		long:    "\nStops a running gateway gracefully. " + adminHelp,
		example: "  scopegate stop\n  scopegate stop --config Caddyfile",
	},
	"reload": {
		short: "Gives a running gateway a new configuration",
		long: `
Gives a running gateway a new configuration, without interrupting requests. If the
configuration is invalid, the old one stays in force.

` + adminHelp + `--force loads it even if it is the same, so that files that it names are read again.
`,
		example: "  scopegate reload --config Caddyfile\n  scopegate reload --config Caddyfile --force",
	},
	"adapt": {
		short: "Prints a Caddyfile as JSON",
		long: `
Prints a configuration in Caddy's own format, JSON, and warnings on standard error.

--config - reads standard input.
--pretty indents the JSON.
--validate checks the configuration, too, as validate does.
` + envfileHelp,
		example: "  scopegate adapt --config Caddyfile --pretty",
	},
	"validate": {
		short: "Checks a configuration",
		long: `
Reads a configuration and sets up what it names, without serving. It fails if a gateway
could not start with it, apart from addresses that are in use.

` + envfileHelp,
		example: "  scopegate validate --config Caddyfile",
	},
	"fmt": {
		short: "Formats a Caddyfile",
		long: `
Prints a Caddyfile with the usual indentation and spaces. It fails if the file was not
formatted. - reads standard input.

--overwrite writes the file instead.
--diff marks lines that change with - and +.
`,
		example: "  scopegate fmt Caddyfile\n  scopegate fmt --overwrite Caddyfile",
	},
	"list-modules": {
		short:   "Lists the modules in this program",
		long:    "\nLists Caddy's modules, scopegate's among them, whose last names begin with databricks.\n",
		example: "  scopegate list-modules --versions\n  scopegate list-modules --skip-standard",
	},
	"environ": {
		short: "Prints the environment that a configuration sees",
		long: `
Prints the environment that variables such as {$HOME} and {env.HOME} of a configuration are
taken from, and where data are stored. It may contain secrets. Under systemd or in a
container it is another one than that of your shell.

` + envfileHelp,
		example: "  scopegate environ\n  scopegate environ --envfile /etc/scopegate/environment",
	},
	"storage": {
		short: "Copies what Caddy stores, such as certificates and usage",
		long: `
Exports and imports what Caddy stores: certificates and keys, and the usage of tokens. Run
it as the user that runs the gateway.
`,
		example: "  scopegate storage export --config Caddyfile.old --output - | scopegate storage import --config Caddyfile.new --input -",
		below: map[string]text{
			"export": {
				short:   "Writes what is stored to a tar archive",
				long:    "\nWrites what is stored to a tar archive, which then contains private keys.\n\n--output - writes to standard output.\n",
				example: "  scopegate storage export --config Caddyfile --output storage.tar",
			},
			"import": {
				short:   "Stores what is in a tar archive",
				long:    "\nStores what is in a tar archive that export wrote.\n\n--input - reads standard input.\n",
				example: "  scopegate storage import --config Caddyfile --input storage.tar",
			},
		},
	},
	"trust": {
		short: "Makes this machine trust a gateway's own certificate authority",
		long: `
Asks a running gateway for the root certificate of its local certificate authority and
installs it in the trust stores of this machine.

--ca is the id of the authority. Default: local.
--address is the address of the admin API; --config names the gateway by its configuration.
`,
		example: "  scopegate trust --config Caddyfile",
	},
	"untrust": {
		short: "Makes this machine no longer trust a gateway's own certificate authority",
		long: `
Removes a root certificate that trust installed from the trust stores of this machine. The
certificate itself is not deleted.

--cert is the file of the certificate. Without it, a running gateway is asked.
--ca is the id of the authority. Default: local.
--address is the address of the admin API; --config names the gateway by its configuration.
`,
		example: "  scopegate untrust --cert root.crt\n  scopegate untrust --config Caddyfile",
	},
	"hash-password": {
		short: "Hashes a password, for the directive basic_auth",
		long: `
Prints the hash of a password from standard input, for Caddy's directive basic_auth, which
can protect sites beside a gateway. On a terminal the password is not shown.

--algorithm is bcrypt or argon2id. The other flags tune them.
--plaintext is the password. Other processes of this machine can see it: leave it out.
`,
		example: "  scopegate hash-password --algorithm argon2id",
	},
}
