package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
)

func reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report [--format table|json|csv] [--address <admin address>]",
		Short: "Tells what tokens were seen to use",
		Long: `
Asks a running gateway what each token was seen to use since it started: scopes,
operations, calls, and what was or would have been refused.

--format is table, json or csv.
--address is where the gateway's admin API listens. Default: ` + caddy.DefaultAdminListen + `.
`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	format := cmd.Flags().String("format", "table", "table, json or csv")
	address := cmd.Flags().String("address", caddy.DefaultAdminListen, "address of the admin API")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return askGateway(cmd.OutOrStdout(), *address, "usage", url.Values{"format": {*format}})
	}
	return cmd
}

func recommendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recommend <token-id> [--address <admin address>]",
		Short: "Tells the smallest set of scopes for what a token was seen to use",
		Long: `
Asks a running gateway which scopes cover what a token was seen to use, how much
evidence there is for that, what would be dropped, and how to apply it.

--address is where the gateway's admin API listens. Default: ` + caddy.DefaultAdminListen + `.
`,
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
	}
	address := cmd.Flags().String("address", caddy.DefaultAdminListen, "address of the admin API")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// Here already, so that a token which was pasted by mistake goes nowhere.
		id, err := tokens.ParseID(args[0])
		if err != nil {
			return err
		}
		return askGateway(cmd.OutOrStdout(), *address, "recommend", url.Values{"token_id": {id.String()}})
	}
	return cmd
}

// askGateway prints what a running gateway's admin API answers.
func askGateway(out io.Writer, address, route string, query url.Values) error {
	answer, err := caddycmd.AdminAPIRequest(address, http.MethodGet, adminPrefix+route+"?"+query.Encode(), nil, nil)
	if err != nil {
		// A refusal comes as an error that ends in the answer's JSON.
		var refused caddy.APIError
		if _, text, ok := strings.Cut(err.Error(), ": {"); ok && json.Unmarshal([]byte("{"+text), &refused) == nil {
			return fmt.Errorf("the gateway says: %s", refused.Message)
		}
		return fmt.Errorf("asking the gateway at %s (name its admin API with --address; it may have to be switched on, by admin in a Caddyfile or --admin of sidecar): %w", address, err)
	}
	defer answer.Body.Close()
	_, err = io.Copy(out, answer.Body)
	return err
}
