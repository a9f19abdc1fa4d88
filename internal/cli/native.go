package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/native"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

const nativeHelp = `--native writes what Databricks' own mechanisms would take instead: the tokens' scopes,
  and a network policy with rules for their owners that only logs. It says what the
  policy does to each call that was seen. Several token ids make one policy.
  --format is json or terraform then. Default: json.
  --enforce-native writes a policy that refuses requests.
  --allow-others lets everyone pass who owns none of the tokens. Without it, what no
    rule allows is refused.
  --owner-type is user or service-principal. Default: by the owner's name.
  The exit code is 1 if the policy would refuse a call that works today.
`

// nativeFlags are the flags of recommend that write for Databricks' own mechanisms.
type nativeFlags struct {
	on, enforce, allowOthers *bool
	format, ownerType        *string
}

func addNativeFlags(cmd *cobra.Command) nativeFlags {
	flags := cmd.Flags()
	f := nativeFlags{
		on:          flags.Bool("native", false, "write what Databricks' own mechanisms would take"),
		format:      flags.String("format", "", "table, json or csv for many tokens; json or terraform with --native"),
		enforce:     flags.Bool("enforce-native", false, "write a policy that refuses requests"),
		allowOthers: flags.Bool("allow-others", false, "let everyone pass who owns none of the tokens"),
		ownerType:   flags.String("owner-type", "", "user or service-principal"),
	}
	cmd.MarkFlagsMutuallyExclusive("native", "apply")
	cmd.MarkFlagsMutuallyExclusive("native", "json")
	return f
}

// ownerTypes are the values of --owner-type.
var ownerTypes = map[string]native.PrincipalType{"": "", "user": native.User, "service-principal": native.ServicePrincipal}

// check reports flags that do not fit together.
func (f nativeFlags) check(cmd *cobra.Command) error {
	if !*f.on {
		for _, name := range []string{"enforce-native", "allow-others", "owner-type"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--%s goes with --native", name)
			}
		}
		return nil
	}
	if *f.format == "" {
		*f.format = "json"
	}
	if *f.format != "json" && *f.format != "terraform" {
		return fmt.Errorf("--format is json or terraform with --native, not %q", *f.format)
	}
	if _, ok := ownerTypes[*f.ownerType]; !ok {
		return fmt.Errorf("--owner-type is user or service-principal, not %q", *f.ownerType)
	}
	return nil
}

// args accepts one token id, or several with --native.
func (f nativeFlags) args(args []string) error {
	if *f.on && len(args) > 1 {
		return nil
	}
	return oneTokenID(args, "--all or --where")
}

// run writes the document of some tokens.
func (f nativeFlags) run(cmd *cobra.Command, ids []tokens.ID, client adminapi.Client, workspace, used string) error {
	report, err := readReport(client, workspace)
	if err != nil {
		return err
	}
	var subjects []native.Subject
	for _, id := range ids {
		recommendation, err := client.Recommend(adminapi.RecommendQuery{TokenID: id, Workspace: workspace, Used: used})
		switch {
		case err != nil:
			return withHint(err)
		case recommendation.TokenID != id.String():
			return errors.New("the gateway answered for another token")
		}
		subjects = append(subjects, f.subject(recommendation, report))
	}
	document, err := native.Build(subjects, native.Options{Enforce: *f.enforce, AllowOthers: *f.allowOthers})
	if err != nil {
		return err
	}
	write := document.WriteJSON
	if *f.format == "terraform" {
		write = document.WriteTerraform
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if *f.enforce && !*f.allowOthers {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: once it is attached to a workspace, this policy refuses everyone and everything that no rule allows; rehearse it without --enforce-native first")
	}
	if refused := document.Refused(); len(refused) > 0 {
		return fmt.Errorf("the policy would refuse %d operations that work today, see its notes", len(refused))
	}
	return nil
}

// subject joins a recommendation with what the report says of its token.
func (f nativeFlags) subject(recommendation *usage.Recommendation, report *usage.Report) native.Subject {
	s := native.Subject{Recommendation: recommendation}
	for i := range report.Rows {
		row := &report.Rows[i]
		if row.ID != recommendation.TokenID {
			continue
		}
		s.Owner = native.Principal{ID: row.OwnerID, Type: native.TypeOf(row.OwnerName), Name: row.OwnerName}
		if row.Seen != nil {
			s.Seen = row.Seen.Uses
		}
	}
	if *f.ownerType != "" {
		s.Owner.Type = ownerTypes[*f.ownerType]
	}
	return s
}

// readReport reads a report on all tokens of a workspace.
func readReport(client adminapi.Client, workspace string) (*usage.Report, error) {
	answer, err := client.Report(adminapi.ReportQuery{Workspace: workspace})
	if err != nil {
		return nil, withHint(err)
	}
	defer answer.Close()
	report := new(usage.Report)
	if err := json.NewDecoder(answer).Decode(report); err != nil {
		return nil, fmt.Errorf("reading the gateway's report: %w", err)
	}
	return report, nil
}

// uniqueIDs reads token ids, of which none may come twice.
func uniqueIDs(gateway addressFlag, texts []string, workspace string) (ids []tokens.ID, err error) {
	seen := make(map[tokens.ID]string)
	for _, text := range texts {
		id, err := gateway.tokenID(text, workspace)
		if err != nil {
			return nil, err
		}
		if before, ok := seen[id]; ok {
			return nil, fmt.Errorf("%s and %s are the same token; pass each one once", strings.TrimSpace(before), strings.TrimSpace(text))
		}
		seen[id] = text
		ids = append(ids, id)
	}
	return ids, nil
}
