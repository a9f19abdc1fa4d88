package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

const description = `scopegate enforces API scopes on Databricks personal access tokens. It is Caddy
with the modules databricks_scopes and databricks_gateway, and every command of
Caddy works here too.

To see it at work:      scopegate demo
To run it by a client:  scopegate sidecar --workspace https://<name>.cloud.databricks.com
To run a Caddyfile:     scopegate run --config Caddyfile
`

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "sidecar",
		Usage: "[--workspace <url>] [--listen <address>] [--mode enforce|observe] [--profile <name>] [--health <address>] [--admin <address>] [--usage <interval>]",
		Short: "Runs the gateway to one workspace, without a Caddyfile",
		Long: `
Runs the gateway to one workspace. Point a client at it by setting its
DATABRICKS_HOST to the address that is printed, and leave its token as it is.

For its own look-ups of tokens, scopegate signs in as a workspace admin with the
Databricks SDK's unified authentication: DATABRICKS_CLIENT_ID and
DATABRICKS_CLIENT_SECRET of a service principal (recommended), or any other of
the SDK's environment variables, or a profile of ~/.databrickscfg.

--workspace is the URL of the workspace. Default: $DATABRICKS_HOST, then the
  host of the profile.
--listen is where clients connect, without TLS. Keep it on the loopback
  interface unless the network in between is yours: tokens pass in clear.
--mode observe decides and records but refuses nothing.
--unscoped-tokens deny refuses tokens that have no scopes. Databricks lets them
  do everything.
--oauth pass lets OAuth access tokens through unjudged.
--profile names the profile of ~/.databrickscfg to sign in with.
--health is where probes are answered, at /livez and /readyz; it is off by default.
--admin is where Caddy's admin API listens; it is off by default. scopes report and
  scopes recommend ask there.
--usage is how often what tokens were seen to use is saved in Caddy's storage, below
  $XDG_DATA_HOME, so that reports survive restarts. Default: 5m; off keeps it in
  memory.
--debug logs more.

Every decision is a line on the standard error output: of JSON, unless that is a
terminal.
`,
		CobraFunc: func(cmd *cobra.Command) {
			flags := cmd.Flags()
			flags.StringP("workspace", "w", "", "URL of the workspace (default $DATABRICKS_HOST)")
			flags.StringP("listen", "l", "127.0.0.1:8080", "address on which clients connect")
			flags.String("mode", "enforce", "enforce or observe")
			flags.String("unscoped-tokens", "allow", "allow or deny tokens that have no scopes")
			flags.String("oauth", "deny", "deny or pass OAuth access tokens")
			flags.String("profile", "", "profile of ~/.databrickscfg to sign in with")
			flags.String("health", "off", "address on which probes are answered")
			flags.String("admin", "off", "address of Caddy's admin API")
			flags.String("usage", "5m", "how often to save what tokens were seen to use, or off")
			flags.Bool("debug", false, "log more")
			cmd.RunE = caddycmd.WrapCommandFuncForCobra(runSidecar)
		},
	})
}

func runSidecar(flags caddycmd.Flags) (int, error) {
	caddy.TrapSignals()
	workspace, err := sidecarWorkspace(flags.String("workspace"), flags.String("profile"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	enforce := &caddymodule.Handler{
		Mode:           flags.String("mode"),
		UnscopedTokens: flags.String("unscoped-tokens"),
		OAuth:          flags.String("oauth"),
	}
	if enforce.Usage, err = sidecarUsage(flags.String("usage")); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		// The lines are those of the log, which nobody is reading now, for less.
		enforce.Audit = &caddymodule.Audit{OutputRaw: caddyconfig.JSONModuleObject(caddy.StderrWriter{}, "output", "stderr", nil)}
	}
	if profile := flags.String("profile"); profile != "" {
		enforce.Admin = &caddymodule.Admin{Profile: profile}
	}
	gateway := gateway{
		listen:    flags.String("listen"),
		workspace: workspace,
		enforce:   enforce,
		admin:     flags.String("admin"),
		health:    flags.String("health"),
		logging:   logLevel(zap.InfoLevel),
	}
	if flags.Bool("debug") {
		gateway.logging = logLevel(zap.DebugLevel)
	}
	if err := gateway.run(); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	caddy.Log().Info("point your client here",
		zap.String("DATABRICKS_HOST", "http://"+gateway.listen),
		zap.String("workspace", workspace.String()),
		zap.String("mode", enforce.Mode))
	select {} // Caddy's signal handling ends the process
}

// sidecarUsage reads --usage.
func sidecarUsage(flag string) (caddy.Duration, error) {
	if flag == off {
		return -1, nil
	}
	every, err := caddy.ParseDuration(flag)
	if err != nil || every <= 0 {
		return 0, fmt.Errorf("--usage must be a duration such as 5m, or off, not %q", flag)
	}
	return caddy.Duration(every), nil
}

// sidecarWorkspace finds the workspace where the SDK would.
func sidecarWorkspace(flag, profile string) (*url.URL, error) {
	workspace := flag
	if workspace == "" && profile == "" {
		workspace = os.Getenv("DATABRICKS_HOST")
	}
	// A profile that was named is looked at in any case, so that a misspelt one
	// does not wait for the first request to show.
	if workspace == "" || profile != "" {
		host, err := tokens.ProfileHost(profile)
		switch {
		case err != nil:
			return nil, fmt.Errorf("reading the Databricks configuration file: %w", err)
		case profile != "" && host == "":
			return nil, fmt.Errorf("profile %q has no host, or there is no Databricks configuration file; create it with databricks configure --profile %s", profile, profile)
		case workspace == "":
			workspace = host
		}
	}
	if workspace == "" {
		return nil, errors.New("no workspace: pass --workspace https://<name>.cloud.databricks.com, or set DATABRICKS_HOST")
	}
	return workspaceurl.Parse(workspace)
}
