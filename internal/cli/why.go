package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/ocsf"
	"github.com/scopegate/scopegate/internal/why"
	"github.com/scopegate/scopegate/scopes"
)

const whyScreen = `
Tells why one request was refused or let through: who asked for what, which rule
decided, what would permit it, and what the client saw.

  scopegate scopes why <request-id>                       asks the running gateway
  scopegate scopes why <request-id> --audit audit.jsonl   reads audit logs

The request id is the UUID after ReqId in a refusal, or in the response header
x-request-id. Its first 8 characters are enough if no other id begins with them. The
gateway holds its last decisions in memory; audit logs have the older ones.

--audit <file>       read this audit log, also from gzip or - for standard input; repeat
                     it for several files
--format <form>      table or json
--config <file>      find the gateway by its configuration file; with --audit, the map
                     to compare the record with
--adapter  --address    how to read that file, and where the gateway's admin API is

Example: scopegate scopes why 5d41402a
Exit code: 0 the decision was found, whatever it is; 1 otherwise
`

func whyCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why <request-id> [--audit <file>…] [--format table|json]",
		Short: "Tells why one request was permitted or refused",
		Long: `
Tells one decision: who asked for what, which rule decided, what the scopes of the
operation rest on, what would permit the request, and what the client saw. The
request id is the UUID after ReqId in a refusal, or in the response header
x-request-id; its first 8 characters are enough if no other id begins with them.

The running gateway is asked, which holds its last decisions in memory.

--audit reads audit logs instead: files with a line of JSON for each decision, also
  rotated ones that gzip has compressed, or - for standard input. Repeat it for
  several files. No gateway is needed then.
--format is table or json. Default: table.
--config names the gateway by its configuration file; with --audit, it names the map
  to compare the record with. Default for that: the map of this program.
` + adapterHelp + addressHelp + `
The exit code is 0 if the decision was found, whatever it is, and otherwise 1.
`,
		Example: `  scopegate scopes why 5d41402a-bc4b-4a76-b971-9d911017c592
  scopegate scopes why 5d41402a --format json
  scopegate scopes why 5d41402a --audit /var/log/scopegate/audit.jsonl --audit audit-2026-03-01.jsonl.gz`,
		Args:         oneRequestID,
		SilenceUsage: true,
	}
	oneScreen(cmd, whyScreen)
	flags := cmd.Flags()
	logs := flags.StringArray("audit", nil, "audit log to read instead of asking the gateway")
	format := flags.String("format", "table", "table or json")
	config := addConfigFlags(cmd, "configuration file of the gateway")
	gateway := addAddressFlag(cmd, deps, config)
	cmd.MarkFlagsMutuallyExclusive("audit", "address")
	if err := cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"table", "json"}, only)); err != nil {
		panic(err) // the flag is there
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *format != "table" && *format != "json" {
			return fmt.Errorf("--format must be table or json, not %q", *format)
		}
		id, err := why.ParseID(args[0])
		if err != nil {
			return err
		}
		var story *why.Story
		if len(*logs) > 0 {
			story, err = storyFromLogs(cmd, id, *logs, config, deps)
		} else {
			story, err = gateway.story(id)
		}
		switch {
		case err != nil:
			return err
		case *format == "json":
			return printJSON(cmd.OutOrStdout(), story, "\t")
		}
		return story.WriteText(cmd.OutOrStdout())
	}
	return cmd
}

// oneRequestID is the arguments of why.
func oneRequestID(_ *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("pass one request id, not %d; it is the UUID after ReqId in a refusal, or in the response header x-request-id", len(args))
}

// story asks the gateway.
func (f addressFlag) story(id string) (*why.Story, error) {
	client, err := f.client()
	if err != nil {
		return nil, err
	}
	story, err := client.Why(id)
	return story, withHint(err)
}

// storyFromLogs reads audit logs.
func storyFromLogs(cmd *cobra.Command, id string, logs []string, config configFlags, deps Deps) (*why.Story, error) {
	judge, err := config.judge(deps)
	if err != nil {
		return nil, err
	}
	maps := why.Maps{Catalogs: []*scopes.Catalog{judge.Catalog}, Name: "the map of this program"}
	if *config.path != "" {
		maps.Name = "the map of " + *config.path
	}
	search := why.NewSearch(id)
	for _, name := range logs {
		if err := readAuditLog(cmd.InOrStdin(), name, search.Read); err != nil {
			return nil, fmt.Errorf("reading the audit log %s: %w", name, err)
		}
	}
	if search.TooLong > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %d lines are too long for a record, and were not read\n", search.TooLong)
	}
	found := search.Found()
	switch {
	case search.Lines == 0:
		return nil, errors.New("the audit log is empty; name the file that audit { output } or Caddy's log writes, and rotated ones")
	case len(found) == 0 && search.Events > 0:
		return nil, fmt.Errorf("%d of the %d lines were %w", search.Events, search.Lines, ocsf.ErrFormat)
	case len(found) == 0:
		return nil, fmt.Errorf("none of the %d lines is the decision with this request id; name rotated files, too, or the audit log of the gateway that judged the request; lines must be JSON", search.Lines)
	case len(found) > 1:
		return nil, why.Several(len(found), found[0].RequestID(), found[1].RequestID())
	}
	story := found[0].Tell(maps)
	story.NoteSame(found[0].Same())
	return story, nil
}
