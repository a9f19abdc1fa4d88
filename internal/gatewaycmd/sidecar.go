package gatewaycmd

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/scopegate/scopegate/caddymodule"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// sidecarHelp is the help of the command.
const sidecarHelp = `
Runs a gateway to one workspace. To use it, set a client's DATABRICKS_HOST to the
address that it prints. The client keeps its token.

To look up tokens, scopegate signs in as a workspace admin with the Databricks
SDK's unified authentication: DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET
of a service principal (recommended), the SDK's other environment variables, or a
profile in ~/.databrickscfg.

With --authority the gateway is an edge: it holds no admin credential at all, and
asks other gateways, which have the directive databricks_authority. See scopes fleet.

--workspace is the URL of the workspace. Default: $DATABRICKS_HOST, then the
  host of the profile.
--insecure-http allows a workspace whose URL is http:// outside of this machine and
  private networks: tokens would cross the internet unencrypted.
--listen is the address that clients connect to. 127.0.0.1:8080, or
  http://127.0.0.1:8080, is without TLS: keep it on the loopback interface unless
  you trust the network, because tokens are sent unencrypted. https://localhost:8443
  is for clients that insist on TLS (https://localhost for those that insist on
  port 443): it has a certificate of an authority on this machine, for localhost,
  127.0.0.1 and ::1, or for the name or IP address in its place. https://:8443 is
  on all addresses, for localhost and this machine's name.
--ca-file is where to write the authority's root certificate, which clients have to
  trust. Default: $XDG_DATA_HOME/scopegate/ca.crt. The authority itself is beside it.
--mode observe records decisions but refuses nothing. Omit the flag to enforce.
--unscoped-tokens deny refuses tokens without scopes, which may otherwise do
  everything, as on Databricks.
--oauth says what happens to OAuth access tokens: deny refuses them, verify checks
  them with the workspace's own keys and enforces their scopes, pass forwards them
  without checking. Default: deny.
--cors is the origin of a web page that may call, such as http://localhost:3000; give
  it once for each, or separate them by commas. Browsers ask first, with a CORS
  preflight, which passes to the workspace unjudged; the workspace must allow the
  origin, too. * is for all origins. Default: none.
--unknown-expiry allow lets tokens pass whose expiry the workspace does not
  state. They are refused otherwise.
--discovery pass leaves the workspace's own address in the documents by which OAuth
  clients find it, and in redirects. Otherwise the address that the client used is put
  in its place, so that clients stay at the gateway.
--profile is the profile in ~/.databrickscfg to sign in with.
--authority is the URL of an authority, such as https://authority.example.com:9443;
  give it once for each, or separate them by commas. It excludes --profile; variables
  such as DATABRICKS_CLIENT_ID are not used. It needs one of the next two:
--authority-token-file is a file with the token that the authorities let in: one that
  edges share, or that of a Kubernetes service account. It is read again when it changes.
--authority-certificate and --authority-key are PEM files with a client certificate
  that the authorities let in, and its key.
--authority-trust is a PEM file with the certificate authorities to trust instead of
  the system's.
--edge-name is what this edge is called in scopes fleet. Default: the name of the
  machine. A certificate and a service account have names of their own.
--health is the address that serves the probes /livez and /readyz. Default: off.
--console is the address of a page that shows decisions and tokens, such as
  127.0.0.1:2020. Every user of this machine can look at it. Default: off.
--admin is the address of Caddy's admin API, which the commands scopes report and
  scopes recommend need. Who can connect to it can read the gateway's secrets. Default:
  unix, a Unix socket that only this user can open, in $XDG_RUNTIME_DIR/scopegate,
  /run/scopegate or a folder for temporary files, where the commands find it. off
  turns it off, unix//<path>|0600 puts it elsewhere.
--usage is how often to save the usage of each token, so that reports survive
  restarts. It is saved in Caddy's storage, in $XDG_DATA_HOME. Default: 5m. With
  off, it stays in memory.
--grace-period is how long requests may go on after SIGTERM or SIGINT; then their
  connections are cut, and records are written. Default: 10s, so that the process
  ends within 25 seconds. A second signal ends it at once.
--debug logs at the level DEBUG.

Each decision is one line on standard error: text on a terminal, JSON otherwise.
NO_COLOR turns colors off.

Exit codes: 0 after SIGTERM or SIGINT, 1 if it could not start, 2 if a second
signal or SIGQUIT forced the end, 3 if something could not be saved in time.
`

const sidecarExamples = `  scopegate sidecar --workspace https://example.cloud.databricks.com
  scopegate sidecar --workspace https://example.cloud.databricks.com --mode observe --listen https://localhost:8443
  scopegate sidecar --workspace https://example.cloud.databricks.com --authority https://authority.example.com:9443 --authority-token-file /run/secrets/edge-token`

func sidecarCommand() caddycmd.Command {
	return caddycmd.Command{
		Name:  "sidecar",
		Usage: "[--workspace <url>] [--listen <address>|<url>] [--ca-file <file>] [--mode enforce|observe] [--cors <origin>] [--profile <name> | --authority <url> --authority-token-file <file>] [--discovery rewrite|pass] [--health <address>] [--console <address>] [--admin unix|<address>|off] [--usage <interval>] [--grace-period <duration>]",
		Short: "Runs a gateway to one workspace, without a Caddyfile",
		Long:  sidecarHelp,
		CobraFunc: func(cmd *cobra.Command) {
			addSidecarFlags(cmd)
			cmd.Args = cobra.NoArgs
			cmd.Example = sidecarExamples
			cmd.RunE = caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
				return caddy.ExitCodeFailedStartup, sanitize.Error(runSidecar(flags))
			})
		},
	}
}

// addSidecarFlags adds the flags that describe a gateway.
func addSidecarFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringP("workspace", "w", "", "URL of the workspace (default $DATABRICKS_HOST)")
	flags.Bool("insecure-http", false, "allow an http:// workspace outside of private networks")
	flags.StringP("listen", "l", "127.0.0.1:8080", "address that clients connect to, or https://host:port for TLS")
	flags.String("ca-file", "", "file for the root certificate that clients have to trust (default $XDG_DATA_HOME/scopegate/ca.crt)")
	flags.String("mode", "enforce", "enforce or observe")
	flags.String("unscoped-tokens", "allow", "allow or deny tokens without scopes")
	flags.String("oauth", "deny", "deny, verify or pass OAuth access tokens")
	flags.StringSlice("cors", nil, "origins of web pages that may call, or *")
	flags.String("unknown-expiry", "deny", "deny or allow tokens whose expiry is unknown")
	flags.String("profile", "", "profile in ~/.databrickscfg to sign in with")
	addEdgeFlags(cmd)
	flags.String("discovery", "rewrite", "what becomes of the workspace's own address in responses: rewrite or pass")
	flags.String("health", Off, "address for health probes, or off")
	flags.String("console", Off, "address of the page for operators, on the loopback interface, or off")
	flags.String("admin", "", "address of Caddy's admin API, unix or off (default unix, where there is a place for it)")
	flags.String("usage", "5m", "how often to save the usage of each token, or off")
	flags.String("grace-period", duration.Format(caddyserver.DefaultGracePeriod), "how long requests may go on after SIGTERM")
	flags.Bool("debug", false, "log at the level DEBUG")
}

// runSidecar returns only if the gateway cannot start.
func runSidecar(flags caddycmd.Flags) error {
	caddy.TrapSignals()
	gateway, err := sidecarGateway(flags)
	if err != nil {
		return err
	}
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	if !terminal {
		// The output writes the same lines as the log, at a lower cost.
		gateway.Enforce.Audit = &caddymodule.Audit{OutputRaw: caddyconfig.JSONModuleObject(caddy.StderrWriter{}, "output", "stderr", nil)}
	}
	level := zap.InfoLevel
	if flags.Bool("debug") {
		level = zap.DebugLevel
	}
	if gateway.Logging = LogLevel(level); terminal {
		gateway.Logging = terminalLog(level)
	}
	if err := gateway.Run(); err != nil {
		return err
	}
	if terminal {
		gateway.introduce(os.Stderr)
	} else {
		gateway.logTrust()
		caddy.Log().Info("point your client here", append([]zap.Field{
			zap.String("DATABRICKS_HOST", gateway.ClientURL()),
			zap.String("workspace", gateway.Workspace.String()),
			zap.String("mode", gateway.Enforce.Mode),
			zap.String("admin", gateway.Admin),
		}, gateway.edgeFields()...)...)
	}
	select {} // Caddy's signal handling ends the process
}

// sidecarGateway returns the gateway that the flags describe.
func sidecarGateway(flags caddycmd.Flags) (*Gateway, error) {
	admin, err := sidecarAdmin(flags)
	if err != nil {
		return nil, err
	}
	workspace, err := sidecarWorkspace(flags.String("workspace"), flags.String("profile"))
	if err != nil {
		return nil, err
	}
	enforce := &caddymodule.Handler{Rules: caddymodule.Rules{
		Mode:           flags.String("mode"),
		UnscopedTokens: flags.String("unscoped-tokens"),
		OAuth:          flags.String("oauth"),
	}}
	if enforce.CORS, err = flags.GetStringSlice("cors"); err != nil {
		return nil, fmt.Errorf("--cors: %w", err)
	}
	enforce.UnknownExpiry = flags.String("unknown-expiry")
	enforce.InsecureHTTP = flags.Bool("insecure-http")
	if err := workspaceurl.CheckScheme(workspace, enforce.InsecureHTTP); err != nil {
		return nil, fmt.Errorf("%w (--insecure-http)", err)
	}
	// A list of all tokens for each of a thousand pods would be too many.
	enforce.Findings = &caddymodule.Findings{Every: -1}
	if enforce.Usage, err = sidecarUsage(flags.String("usage")); err != nil {
		return nil, err
	}
	enforce.Admin = admin
	gateway := &Gateway{
		Listen:    flags.String("listen"),
		CAFile:    flags.String("ca-file"),
		Workspace: workspace,
		Enforce:   enforce,
		Admin:     flags.String("admin"),
		Health:    flags.String("health"),
		Console:   flags.String("console"),
		Discovery: flags.String("discovery"),
	}
	if gateway.GracePeriod, err = sidecarGracePeriod(flags.String("grace-period")); err != nil {
		return nil, err
	}
	return gateway, nil
}

// introduce says on a terminal what runs, and last how to use it.
func (g *Gateway) introduce(out io.Writer) {
	does := "enforces scopes"
	if g.Enforce.Mode != "enforce" {
		does = "only observes"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "The gateway to %s %s%s. Ctrl-C ends it.\n", g.Workspace, does, g.edgeInWords())
	g.explainTrust(&text)
	if g.hasConsole() {
		fmt.Fprintf(&text, "Look at what it does: http://%s\n", g.Console)
	}
	fmt.Fprintf(&text, "Point your client here: export DATABRICKS_HOST=%s\n", g.ClientURL())
	_, _ = io.WriteString(out, sanitize.Text(text.String(), sanitize.MaxText)) // fails only if nobody reads it
}

// maxGracePeriod keeps a misplaced unit from holding a process forever.
const maxGracePeriod = time.Hour

// sidecarGracePeriod parses --grace-period.
func sidecarGracePeriod(flag string) (time.Duration, error) {
	period, err := caddy.ParseDuration(flag)
	if err != nil || period <= 0 || period > maxGracePeriod {
		return 0, fmt.Errorf("--grace-period must be a duration of more than 0 and at most %s, such as 10s, not %q", duration.Format(maxGracePeriod), flag)
	}
	return period, nil
}

// sidecarUsage parses --usage.
func sidecarUsage(flag string) (caddy.Duration, error) {
	if flag == Off {
		return -1, nil
	}
	every, err := caddy.ParseDuration(flag)
	if err != nil || every <= 0 {
		return 0, fmt.Errorf("--usage must be a duration such as 5m, or off, not %q", flag)
	}
	return caddy.Duration(every), nil
}

// sidecarWorkspace returns the workspace from the flag, DATABRICKS_HOST or the profile.
func sidecarWorkspace(flag, profile string) (*url.URL, error) {
	workspace := flag
	if workspace == "" && profile == "" {
		workspace = os.Getenv("DATABRICKS_HOST")
	}
	// Read a named profile even if its host is not needed, so that a misspelled name
	// fails now and not on the first request.
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
