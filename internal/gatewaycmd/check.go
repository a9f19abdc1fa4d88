package gatewaycmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/preflight"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

const checkHelp = `
Checks what a gateway needs, before it starts and after it was installed: that its
configuration is valid, its secrets are there and no other user can read them, the
workspace answers, the credential may look up tokens, the id of a token is the hash of its
value, scope names agree, addresses are free, and files can be written. It says which
clients can go around the gateway. It prints no secret.

Run it as the gateway's user, with the gateway's environment. It takes a configuration file,
or the flags of sidecar.

--config is the configuration file of the gateway.
--adapter names its adapter. Default: caddyfile, or none for a file whose name ends in .json.
--read-only creates nothing: no token of one minute to prove the id rule, and no file to see
  whether a folder can be written to.
--from-client is for the place where clients run. It needs no configuration and no
  credential: it checks that --workspace cannot be reached there, and that the gateway at the
  URL of --gateway can, and judges.
--timeout bounds each request.
--format is table or json.

Exit codes: 0 if nothing failed, even if there is something to look at; 1 if a check failed,
or for a mistake in the command line.
`

// The flags of check that are not those of sidecar.
const (
	flagConfig     = "config"
	flagAdapter    = "adapter"
	flagFromClient = "from-client"
	flagGateway    = "gateway"
	flagReadOnly   = "read-only"
	flagTimeout    = "timeout"
	flagFormat     = "format"
)

func preflightCommand() caddycmd.Command {
	return caddycmd.Command{
		Name:  "check",
		Usage: "(--config <file> | --workspace <url> [<flags of sidecar>] | --from-client --workspace <url> [--gateway <url>]) [--read-only] [--format table|json]",
		Short: "Checks what a gateway needs, before it starts and after it was installed",
		Long:  checkHelp,
		CobraFunc: func(cmd *cobra.Command) {
			addSidecarFlags(cmd)
			flags := cmd.Flags()
			flags.VisitAll(func(f *pflag.Flag) { f.Usage += " (as of sidecar)" })
			flags.StringP(flagConfig, "c", "", "configuration file of the gateway")
			flags.StringP(flagAdapter, "a", "", "adapter of the configuration file")
			flags.Bool(flagFromClient, false, "check the place where clients run")
			flags.String(flagGateway, "", "URL of the gateway, as clients use it")
			flags.Bool(flagReadOnly, false, "create neither a token nor a file")
			flags.Duration(flagTimeout, 10*time.Second, "how long a request may take")
			flags.String(flagFormat, "table", "table or json")
			cmd.Args = cobra.NoArgs
			cmd.SilenceUsage = true
			cmd.Example = `  scopegate check --config /etc/scopegate/Caddyfile
  scopegate check --workspace https://example.cloud.databricks.com --health 127.0.0.1:8081
  scopegate check --from-client --workspace https://example.cloud.databricks.com --gateway http://127.0.0.1:8080`
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				return sanitize.Error(runCheck(cmd))
			}
		},
	}
}

// runCheck makes the checks and prints the results.
func runCheck(cmd *cobra.Command) error {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	if err := checkUsage(flags); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop() // a new token is deleted even then
	var report preflight.Report
	if flags.Bool(flagFromClient) {
		if err := checkClient(ctx, flags, &report); err != nil {
			return err
		}
	} else {
		checkPlan(ctx, flags, &report)
	}
	if err := writeReport(cmd.OutOrStdout(), &report, flags.String(flagFormat)); err != nil {
		return err
	}
	if report.Failures > 0 {
		return fmt.Errorf("%d of %d checks failed", report.Failures, len(report.Results))
	}
	return nil
}

// checkUsage refuses flags that do not go together.
func checkUsage(flags caddycmd.Flags) error {
	own := []string{flagConfig, flagAdapter, flagFromClient, flagGateway, flagReadOnly, flagTimeout, flagFormat}
	var ofSidecar []string
	flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains(own, f.Name) {
			ofSidecar = append(ofSidecar, f.Name)
		}
	})
	fromClient, config := flags.Bool(flagFromClient), flags.String(flagConfig) != ""
	switch format := flags.String(flagFormat); {
	case format != "table" && format != "json":
		return fmt.Errorf("--format must be table or json, not %q", format)
	case flags.Duration(flagTimeout) <= 0:
		return errors.New("--timeout must be more than 0, such as 10s")
	case config && fromClient:
		return errors.New("--from-client needs no configuration: clients should have none; pass --workspace and --gateway")
	case config && len(ofSidecar) > 0:
		return fmt.Errorf("--%s and --config exclude each other: the configuration file says it", ofSidecar[0])
	case !config && flags.String(flagAdapter) != "":
		return errors.New("--adapter goes with --config <file>")
	case !fromClient && flags.String(flagGateway) != "":
		return errors.New("--gateway goes with --from-client")
	case fromClient && flags.String("workspace") == "":
		return errors.New("--from-client needs --workspace https://<name>.cloud.databricks.com; DATABRICKS_HOST is the gateway for clients")
	case fromClient && flags.String(flagGateway) == "":
		return errors.New("--from-client needs --gateway, the URL of the gateway as clients have it in DATABRICKS_HOST")
	}
	return nil
}

// checkPlan checks what the configuration needs.
func checkPlan(ctx context.Context, flags caddycmd.Flags, report *preflight.Report) {
	const check = "configuration"
	subject := flags.String(flagConfig)
	var content []byte
	var folders []string
	var err error
	if subject != "" {
		content, err = caddyserver.ReadConfig(subject, flags.String(flagAdapter))
	} else {
		content, folders, err = sidecarConfig(flags)
	}
	if err == nil {
		err = validate(content)
	}
	var plan preflight.Plan
	if err == nil {
		plan, err = planOf(content)
	}
	report.Add(check, subject, "valid", err)
	if err != nil {
		return
	}
	plan.Folders = append(plan.Folders, folders...)
	preflight.Run(ctx, &plan, preflight.Options{Timeout: flags.Duration(flagTimeout), ReadOnly: flags.Bool(flagReadOnly)}, report)
}

// sidecarConfig returns the configuration that the flags of sidecar describe.
func sidecarConfig(flags caddycmd.Flags) ([]byte, []string, error) {
	gateway, err := sidecarGateway(flags)
	if err != nil {
		return nil, nil, err
	}
	return gateway.checkable()
}

// checkClient makes the checks of --from-client.
func checkClient(ctx context.Context, flags caddycmd.Flags, report *preflight.Report) error {
	workspace, err := workspaceurl.Parse(flags.String("workspace"))
	if err != nil {
		return err
	}
	gateway, err := parseListen(flags.String(flagGateway))
	if err != nil || gateway.host == "" {
		return fmt.Errorf("--gateway must be the URL of the gateway, such as http://127.0.0.1:8080, not %q", flags.String(flagGateway))
	}
	preflight.RunFromClient(ctx, workspace.String(), gateway.url(), flags.Duration(flagTimeout), report)
	return nil
}

func writeReport(out io.Writer, report *preflight.Report, format string) error {
	if format == "json" {
		return report.WriteJSON(out)
	}
	return report.WriteTable(out)
}
