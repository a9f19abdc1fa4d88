// Command scopegate-demo demonstrates the gateway. It starts a fake Databricks workspace
// and, in front of it, the same gateway as the command scopegate, both in this process
// and on the loopback interface.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/caddymodule"
)

const description = `Starts a fake Databricks workspace with the gateway in front of it, both in this
process and on the loopback interface. Prints tokens and curl commands to try, and
how to run a sidecar in front of the same workspace. It needs no account, no network
and no configuration, and runs until you press Ctrl-C.

With --tour, makes calls through the gateway with the Databricks SDK for Go and with
plain HTTP, prints what each client saw, and exits. The exit code is 0 only if every
decision was as expected.

With --traffic, simulates a week of traffic in a few seconds, with the gateway in
mode observe, and prints the report, the recommendations and the tokens. Then it
keeps running so that you can try the commands it prints.`

// flags are those of the command line.
type flags struct {
	tour, traffic bool
	listen        string
	admin         string
	mode          string
}

func main() {
	var f flags
	command := &cobra.Command{
		Use:           "scopegate-demo [--tour | --traffic]",
		Short:         "Demonstrates the gateway in front of a fake workspace",
		Long:          description,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(*cobra.Command, []string) error { return run(f) },
	}
	set := command.Flags()
	set.BoolVar(&f.tour, "tour", false, "make calls through the gateway, print the decisions and exit")
	set.BoolVar(&f.traffic, "traffic", false, "simulate a week of traffic and report on it")
	set.StringVarP(&f.listen, "listen", "l", "", "address of the gateway (default "+defaultListen+", or any free port if that is in use)")
	set.StringVar(&f.admin, "admin", "", "address of Caddy's admin API, unix for a Unix socket that only you can open, or off (default off; with --traffic unix)")
	set.StringVar(&f.mode, "mode", "enforce", "enforce, or observe to record decisions without refusing requests")
	if err := command.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "scopegate-demo:", err)
		os.Exit(1)
	}
}

func run(f flags) error {
	switch {
	case f.tour && f.traffic:
		return errors.New("--tour and --traffic cannot be combined; choose one")
	case f.tour && f.mode != "enforce":
		return errors.New("the tour shows refusals, and --mode observe refuses nothing; omit --mode or --tour")
	}
	caddy.TrapSignals()
	out := newPrinter(os.Stdout)
	if f.traffic {
		return runTraffic(out, f.listen, f.admin)
	}
	d, err := start(options{
		listen:  f.listen,
		admin:   f.admin,
		enforce: caddymodule.Handler{Rules: caddymodule.Rules{Mode: f.mode}},
		logging: logging(f.tour),
	})
	if err != nil {
		return err
	}
	samples := mintSamples(d.workspace)
	if !f.tour {
		if err := d.introduce(out, f.mode, samples); err != nil {
			return err
		}
		select {} // Caddy's signal handling ends the process
	}
	ok := d.tour(out, samples)
	if err := d.stop(); err != nil {
		return err
	}
	if !ok {
		return errors.New("some decisions were not as expected")
	}
	return nil
}
