package gatewaycmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/webhook"
)

const webhookHelp = `
Runs a mutating admission webhook of Kubernetes, which adds the gateway as a native
sidecar to Pods with the label scopegate.io/inject: "true", and points their other
containers at it with DATABRICKS_HOST. It answers at the path ` + webhook.Path + `.

--listen is the address for reviews. They come with TLS 1.2 or newer.
--certificate and --key are PEM files. They are read again when they change.
--config is a YAML file that describes the gateway: image, workspace, credential and
  more. It is read again when it changes. If it is then wrong, the old one stays in
  use, and the log and /readyz say why.
--health is the address that serves the probes /livez and /readyz, without TLS.
  off turns it off.
--on-error says what becomes of a Pod that cannot get the gateway, because a port is
  taken or because it shares its processes, for example: deny refuses it, allow lets it
  start without the gateway, with a warning. A Pod that asks for what the configuration
  does not allow is always refused. What happens while no webhook answers is up to the
  failurePolicy of the MutatingWebhookConfiguration.

Each review is one line of JSON on standard error, without the Pod itself.

Exit codes: 0 after SIGTERM or SIGINT, 1 if it could not start or failed.
`

const webhookExample = `  scopegate webhook --certificate /etc/scopegate/tls/tls.crt --key /etc/scopegate/tls/tls.key --config /etc/scopegate/sidecar.yaml`

// Caddy's command line finds the command when it makes its tree.
func webhookCommand() caddycmd.Command {
	return caddycmd.Command{
		Name:  "webhook",
		Usage: "--certificate <file> --key <file> --config <sidecar.yaml> [--listen <address>] [--health <address>|off] [--on-error deny|allow]",
		Short: "Runs an admission webhook that adds the gateway to Pods",
		Long:  webhookHelp,
		CobraFunc: func(cmd *cobra.Command) {
			flags := cmd.Flags()
			flags.StringP("listen", "l", ":8443", "address for reviews")
			flags.String("certificate", "", "PEM file with the certificate, and those between it and the root")
			flags.String("key", "", "PEM file with its key")
			flags.StringP("config", "c", "", "YAML file that describes the gateway to add")
			flags.String("health", ":8081", "address for health probes, or off")
			flags.String("on-error", string(webhook.Deny), "deny or allow Pods that cannot get the gateway")
			for _, name := range []string{"certificate", "key", "config"} {
				if err := cmd.MarkFlagFilename(name); err != nil {
					panic(err) // the flag was just added
				}
			}
			cmd.Args = cobra.NoArgs
			cmd.Example = webhookExample
			cmd.RunE = caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
				if err := runWebhook(flags); err != nil {
					return caddy.ExitCodeFailedStartup, sanitize.Error(err)
				}
				return caddy.ExitCodeSuccess, nil
			})
		},
	}
}

// runWebhook answers reviews until a signal ends the process.
func runWebhook(flags caddycmd.Flags) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	health := flags.String("health")
	if health == Off {
		health = ""
	}
	server, err := webhook.New(webhook.Options{
		Listen:      flags.String("listen"),
		Certificate: flags.String("certificate"),
		Key:         flags.String("key"),
		Config:      flags.String("config"),
		Health:      health,
		OnError:     webhook.ErrorPolicy(flags.String("on-error")),
		Log:         slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	if err := server.Serve(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
