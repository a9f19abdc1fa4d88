package gatewaycmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/preflight"
	"github.com/scopegate/scopegate/internal/sanitize"
)

const probeHelp = `
Asks a running gateway whether it is ready, for the health checks of containers and for
scripts: the image has neither a shell nor curl. It ignores proxy variables and follows
no redirects.

--address is where the gateway's health listener is: --health of sidecar, or a site with
  databricks_scopes_health. host:port, :port for this machine, or unix//<path> as Caddy
  writes it.
--live asks whether the gateway runs (/livez), instead of whether it is ready (/readyz).
--timeout bounds the whole question.
--verbose also prints what was answered if all is well.

Exit codes: 0 if the answer is yes; 1 otherwise, with one line that says why.
`

// defaultHealth is the address of the health listener in our files and examples.
const defaultHealth = "127.0.0.1:8081"

func probeCommand() caddycmd.Command {
	return caddycmd.Command{
		Name:  "probe",
		Usage: "[--address <address>] [--live] [--timeout <duration>] [--verbose]",
		Short: "Asks a running gateway whether it is ready",
		Long:  probeHelp,
		CobraFunc: func(cmd *cobra.Command) {
			flags := cmd.Flags()
			address := flags.String("address", defaultHealth, "address of the health listener")
			live := flags.Bool("live", false, "ask whether it runs, not whether it is ready")
			timeout := flags.Duration("timeout", 3*time.Second, "how long to wait for the answer")
			verbose := flags.BoolP("verbose", "v", false, "print the answer if all is well")
			cmd.Args = cobra.NoArgs
			cmd.SilenceUsage = true
			cmd.Example = `  scopegate probe
  scopegate probe --live --address unix//run/scopegate/health.sock`
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				probe, err := parseProbe(*address)
				if err == nil && *timeout <= 0 {
					err = fmt.Errorf("--timeout must be more than 0, such as 3s, not %s", *timeout)
				}
				if err != nil {
					return sanitize.Error(err)
				}
				probe.Live = *live
				ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
				defer cancel()
				answer, err := probe.Ask(ctx)
				if err == nil && *verbose {
					fmt.Fprintln(cmd.OutOrStdout(), sanitize.Text(answer, sanitize.MaxText))
				}
				if err = sanitize.Error(err); err != nil {
					// One line, also if what listens there answers several.
					err = errors.New(strings.Join(strings.Fields(err.Error()), " "))
				}
				return err
			}
		},
	}
}

// parseProbe reads the address of a health listener, as Caddy writes it.
func parseProbe(text string) (preflight.Probe, error) {
	const forms = "--address must be host:port, such as 127.0.0.1:8081, or unix//<path>"
	address, err := caddy.ParseNetworkAddress(text)
	switch {
	case err != nil, strings.Contains(text, "://"):
		return preflight.Probe{}, fmt.Errorf("%s, not %q", forms, text)
	case address.Network == "unix":
		path, _, _ := strings.Cut(address.Host, "|")
		if path == "" {
			return preflight.Probe{}, errors.New(forms + "; the path is missing")
		}
		return preflight.Probe{Network: "unix", Address: path}, nil
	case !strings.HasPrefix(address.Network, "tcp") || address.StartPort == 0 || address.PortRangeSize() != 1:
		return preflight.Probe{}, fmt.Errorf("%s, not %q", forms, text)
	}
	host := address.Host
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1" // a listener on all addresses is here, too
	}
	return preflight.Probe{Network: address.Network, Address: net.JoinHostPort(host, strconv.FormatUint(uint64(address.StartPort), 10))}, nil
}
