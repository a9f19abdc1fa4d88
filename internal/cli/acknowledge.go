package cli

import (
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/findings"
)

const acknowledgeScreen = `
Marks findings that may stay, so that they are not new any more. They stay acknowledged
until their cause has ended, or until --until, at all gateways that share a storage.

  scopegate scopes findings acknowledge <key>... --note <text>

A key is the first column of scopes findings, or as much of it as is unique.

--note <text>        why, or where that is written down; at most 1,000 characters
--until <time>       new again after this: a date, or a time from now such as 30d
--by <name>          who acknowledges; default: your user on this machine, not verified
--workspace <url>    needed if the gateway serves several
--config  --adapter  --address    how to find the gateway

Example: scopegate scopes findings acknowledge never_expires:3f2a81c09d4e --note JIRA-42
`

func acknowledgeCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "acknowledge <key>... [--note <text>] [--by <name>] [--until 30d]",
		Short: "Marks findings as known, so that they are not new any more",
		Long: `
Marks findings that hold as acknowledged, with who says so and why. They stay so until
their cause has ended. All gateways that share a storage know of it, also after a
restart. A key may be cut off, as scopes findings shows it, if only one begins so.

--note says why, or where that is written down; at most 1,000 characters.
--by is who acknowledges. Default: the name of this user on this machine. The gateway
  does not verify it: whoever can use its admin API can acknowledge.
--until ends the acknowledgment: a date, a time in RFC 3339, or a time from now such as
  30d. The finding is new again then, if it still holds. Default: no end.
--workspace is the URL of the workspace. It is needed if the gateway serves several.
--config names the gateway by its configuration file.
` + adapterHelp + addressHelp,
		Example: `  scopegate scopes findings acknowledge never_expires:3f2a81c09d4e --note JIRA-42
  scopegate scopes findings acknowledge unused:77b0c2d5 unscoped:77b0c2d5 --until 90d`,
		SilenceUsage: true,
	}
	oneScreen(cmd, acknowledgeScreen)
	flags := cmd.Flags()
	note := flags.String("note", "", "why")
	by := flags.String("by", "", "who acknowledges (default this user)")
	until := flags.String("until", "", "when it ends: a date, or a time from now such as 30d")
	workspace := flags.StringP("workspace", "w", "", "URL of the workspace")
	gateway := addAddressFlag(cmd, deps, addConfigFlags(cmd, "configuration file of the gateway"))
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New("name one finding or more by their keys; scopegate scopes findings shows them")
		}
		return nil
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ends, err := parseUntil(*until, time.Now())
		if err != nil {
			return err
		}
		if *by == "" {
			*by = thisUser()
		}
		client, err := gateway.client()
		if err != nil {
			return err
		}
		keys, err := findingKeys(client, *workspace, args)
		if err != nil {
			return err
		}
		for _, key := range keys {
			found, err := client.Acknowledge(*workspace, findings.Acknowledge{Key: key, By: *by, Note: *note, Until: ends})
			if err != nil {
				return fmt.Errorf("%s: %w", key, withHint(err))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "acknowledged %s: %s\n", found.Key, found.Text)
		}
		return nil
	}
	return cmd
}

// findingKeys completes keys that may be cut off. None is acknowledged unless all are found.
func findingKeys(client adminapi.Client, workspace string, args []string) (keys []string, err error) {
	report, err := client.Findings(adminapi.FindingsQuery{Workspace: workspace})
	if err != nil {
		return nil, withHint(err)
	}
	for _, arg := range args {
		key, err := findingKey(report.Findings, strings.TrimSuffix(arg, "…"))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func findingKey(all []findings.Finding, begins string) (key string, err error) {
	for i := range all {
		switch one := all[i].Key; {
		case one == begins:
			return one, nil
		case !strings.HasPrefix(one, begins):
		case key != "":
			return "", fmt.Errorf("several keys begin with %q, such as %s and %s; type more of it", begins, key, one)
		default:
			key = one
		}
	}
	if key == "" {
		return "", fmt.Errorf("no finding that holds has a key that begins with %q; scopegate scopes findings lists them", begins)
	}
	return key, nil
}

// parseUntil reads a date, a time or a time from now. Nothing is the zero time.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return at, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	d, err := duration.Parse(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--until must be a date such as 2027-01-31, a time in RFC 3339, or a time from now such as 30d, not %q", text)
	}
	return now.Add(d), nil
}

// thisUser is the name of the user on this machine, empty if unknown.
func thisUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
