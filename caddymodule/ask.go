package caddymodule

import (
	"bufio"
	"encoding/json"
	"errors"
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

// adminAddress is where a running gateway's admin API listens.
type adminAddress struct{ flag *string }

// addressHelp explains the flag of addAddress.
var addressHelp = `--address is where the gateway's admin API listens. Default: ` + caddy.DefaultAdminListen + `.
`

func addAddress(cmd *cobra.Command) adminAddress {
	return adminAddress{cmd.Flags().String("address", caddy.DefaultAdminListen, "address of the gateway's admin API")}
}

// print prints what the gateway answers.
func (a adminAddress) print(out io.Writer, route string, query url.Values) error {
	answer, err := a.do(http.MethodGet, route+"?"+query.Encode())
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(out, answer)
	return err
}

// read decodes the JSON that the gateway answers.
func (a adminAddress) read(route string, query url.Values, to any) error {
	answer, err := a.do(http.MethodGet, route+"?"+query.Encode())
	if err != nil {
		return err
	}
	defer answer.Close()
	if err := json.NewDecoder(answer).Decode(to); err != nil {
		return fmt.Errorf("reading the gateway's answer: %w", err)
	}
	return nil
}

// forget makes the gateway ask for a token anew, and says what follows where it
// cannot be told to.
func (a adminAddress) forget(to io.Writer, id tokens.ID) {
	answer, err := a.do(http.MethodDelete, "tokens/"+id.String())
	if err != nil {
		fmt.Fprintf(to, "note: no gateway was told (%v); gateways notice by themselves within their cache ttl\n", err)
		return
	}
	answer.Close()
}

func (a adminAddress) do(method, route string) (io.ReadCloser, error) {
	answer, err := caddycmd.AdminAPIRequest(*a.flag, method, adminPrefix+route, nil, nil)
	if err == nil {
		return answer.Body, nil
	}
	// A refusal comes as an error that ends in the answer's JSON.
	var refused caddy.APIError
	if _, text, ok := strings.Cut(err.Error(), ": {"); ok && json.Unmarshal([]byte("{"+text), &refused) == nil {
		return nil, fmt.Errorf("the gateway says: %s", refused.Message)
	}
	return nil, fmt.Errorf("asking the gateway at %s (name its admin API with --address; it may have to be switched on, by admin in a Caddyfile or --admin of sidecar): %w", *a.flag, err)
}

// errNotConfirmed ends a command that was told not to go on.
var errNotConfirmed = errors.New("nothing was changed")

// confirm asks whether to go on. The end of the input is a no.
func confirm(cmd *cobra.Command, question string) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	fmt.Fprintln(cmd.ErrOrStderr())
	return errNotConfirmed
}
