package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// addressFlag says which running gateway to ask.
type addressFlag struct {
	value  *string
	config configFlags
	deps   Deps
}

func addAddressFlag(cmd *cobra.Command, deps Deps, config configFlags) addressFlag {
	return addressFlag{
		value:  cmd.Flags().String("address", "", "address of the gateway's admin API (default: found by itself)"),
		config: config,
		deps:   deps,
	}
}

// addressHelp explains the flag of addAddressFlag.
const addressHelp = `--address is where the gateway's admin API listens, such as
  unix//run/scopegate/admin.sock or localhost:2019. Default: what the file of --config
  says, then $CADDY_ADMIN, then the socket of the one gateway that this user runs, in
  $XDG_RUNTIME_DIR/scopegate, /run/scopegate or a folder for temporary files, then
  localhost:2019.
`

// client returns a client of the gateway, or says how to name one.
func (f addressFlag) client() (adminapi.Client, error) {
	address, err := f.deps.FindAdmin(*f.value, *f.config.path, *f.config.adapter)
	return adminapi.Client{Address: address, Do: f.deps.AdminDo}, err
}

// withHint adds to an error what to do if the gateway cannot be reached.
func withHint(err error) error {
	if _, ok := errors.AsType[*adminapi.UnreachableError](err); !ok {
		return err
	}
	return fmt.Errorf("%w (name its admin API with --address; it may be off: turn it on with admin in the Caddyfile, or --admin of sidecar)", err)
}

// errNoHandler says that a gateway forgot nothing. It may be about to end.
var errNoHandler = errors.New("the gateway has no databricks_scopes handler, or is shutting down")

// forget makes the gateway and its fleet look up a token again. Where it cannot be told, a
// note says what follows: the change itself was made. It is false then.
func (f addressFlag) forget(notes io.Writer, id tokens.ID, workspace string) (told, bool) {
	client, err := f.client()
	var forgotten adminapi.Forgotten
	if err == nil {
		forgotten, err = client.Forget(id, workspace)
	}
	if err == nil && forgotten.Untold == fleet.NoHandler {
		err = errNoHandler
	}
	if err != nil {
		fmt.Fprintf(notes, "note: no gateway was notified (%v); gateways notice the change within their cache ttl\n", withHint(err))
		return told{}, false
	}
	return told{client, forgotten}, true
}
