package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/tokens"
)

// addressFlag is the address of a running gateway's admin API.
type addressFlag struct {
	value *string
	do    adminapi.Do
}

func addAddressFlag(cmd *cobra.Command, deps Deps) addressFlag {
	return addressFlag{
		value: cmd.Flags().String("address", deps.DefaultAdminAddress, "address of the gateway's admin API"),
		do:    deps.AdminDo,
	}
}

// addressHelp explains the flag of addAddressFlag.
func addressHelp(deps Deps) string {
	return `--address is where the gateway's admin API listens. Default: ` + deps.DefaultAdminAddress + `;
  $CADDY_ADMIN changes it.
`
}

func (f addressFlag) client() adminapi.Client {
	return adminapi.Client{Address: *f.value, Do: f.do}
}

// withHint adds to an error what to do if the gateway cannot be reached.
func withHint(err error) error {
	if _, ok := errors.AsType[*adminapi.UnreachableError](err); !ok {
		return err
	}
	return fmt.Errorf("%w (name its admin API with --address; it may be off: turn it on with admin in the Caddyfile, or --admin of sidecar)", err)
}

// forget makes the gateway look up a token again. Where it cannot be told, a note says
// what follows: the change itself was made.
func (f addressFlag) forget(notes io.Writer, id tokens.ID) {
	if err := f.client().Forget(id); err != nil {
		fmt.Fprintf(notes, "note: no gateway was notified (%v); gateways notice the change within their cache ttl\n", withHint(err))
	}
}
