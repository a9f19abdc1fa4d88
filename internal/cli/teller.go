package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// teller tells a gateway which tokens were changed, and notes once if it cannot.
type teller struct {
	cmd       *cobra.Command
	gateway   addressFlag
	workspace string

	last  told // the last change that was told
	noted bool
}

// forget makes the gateway and its fleet look up a token again.
func (t *teller) forget(id tokens.ID) {
	client, err := t.gateway.client()
	if err == nil {
		var latest told
		latest.client = client
		if latest.forgotten, err = client.Forget(id, t.workspace); err == nil && latest.forgotten.Untold == fleet.NoHandler {
			err = errNoHandler
		}
		if err == nil {
			t.last = latest
		}
	}
	if err != nil && !t.noted {
		t.noted = true
		fmt.Fprintf(t.cmd.ErrOrStderr(), "note: no gateway was notified (%v); gateways notice the change within their cache ttl\n", withHint(err))
	}
}

// await waits for the edges to apply the last change, and with it those before.
func (t *teller) await() {
	t.last.await(t.cmd)
	t.last = told{}
}

// say shows progress at once.
func say(cmd *cobra.Command) func(format string, args ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
		showNow(cmd)
	}
}
