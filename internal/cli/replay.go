package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/usage"
)

const replayScreen = `
Tells who a draft configuration would refuse that passes today, and the reverse.

  scopegate scopes replay --config draft.Caddyfile           compared with the gateway
  scopegate scopes replay --config Caddyfile --as-enforced   if all of it were enforced
  scopegate scopes replay --config … --audit audit.jsonl     for what audit logs hold

--config <file>      the draft; its admin address names the gateway
--as-enforced        judge as if the draft enforced all of its rules; say which policy
                     would refuse calls of how many tokens at which percentage
--audit <file>       judge an audit log instead, also from gzip or - for standard input;
                     repeat it for several files
--token <id>         only this token: 8 digits of its id or more
--owner <name>       only this owner's tokens; * and ? are wildcards
--policy <name>      only what this policy refuses
--format <form>      table, json or csv
--catalog <which>    for audit logs: current (default), the draft's map; or recorded,
                     the map of each record's time
--map <file>         a map of that time, as scopes catalog prints it
--workspace  --adapter  --address    which workspace of the draft, and which gateway

Exit code: 0 no call would be refused; 1 calls would be, or none could be judged
`

func replayCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay --config <draft> [--as-enforced] [--audit <file>…] [--token <id>] [--owner <name>] [--policy <name>] [--format table|json|csv]",
		Short: "Tells who a draft configuration would refuse that passes today, and the reverse",
		Long: `
Judges by a draft what a running gateway saw its tokens call, and compares with the
gateway's own rules. --config names the draft, and its admin address the gateway.

--as-enforced judges as if the draft enforced all of its rules: who would break if
  rehearsed policies were enforced, by policy and percentage of tokens.
--audit judges the decisions of audit logs instead, also compressed by gzip, or - for
  standard input. Repeat it for several files. No gateway is needed then.
--catalog is current, the draft's map, or recorded, the map of each record's time, if
  it is the draft's, that of this program or in a file of --map. Default: current.
--map is a file with a map of that time, as scopes catalog prints it. Repeat it for several.
--config is the file of the draft.
--token, --owner and --policy keep what begins with this token id (8 digits or more),
  what this owner's tokens called (* and ? are wildcards), what this policy refuses.
--format is table, json or csv. Default: table.
--workspace is the URL or name of the workspace, if the draft has several.
` + adapterHelp + addressHelp + `
The exit code is 1 if calls would be refused that pass, or if none can be judged.
`,
		Example: `  scopegate scopes replay --config draft.Caddyfile
  scopegate scopes replay --config Caddyfile --as-enforced --policy analysts
  scopegate scopes replay --config draft.Caddyfile --audit audit.jsonl --audit audit-2026-03-01.jsonl.gz --format csv`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	oneScreen(cmd, replayScreen)
	flags := cmd.Flags()
	r := replayFlags{deps: deps}
	r.config = addConfigFlags(cmd, "draft to judge by")
	r.gateway = addAddressFlag(cmd, deps, r.config)
	flags.BoolVar(&r.asEnforced, "as-enforced", false, "judge as if the draft enforced all of its rules")
	flags.StringArrayVar(&r.logs, "audit", nil, "audit log to judge instead of asking the gateway")
	flags.StringVar(&r.catalog, "catalog", "current", "map to judge audit logs by: current or recorded")
	flags.StringArrayVar(&r.maps, "map", nil, "file with a map of the time of audit logs, as scopes catalog prints it")
	flags.StringVar(&r.filter.Token, "token", "", "token id, or its beginning")
	flags.StringVar(&r.filter.Owner, "owner", "", "owner of tokens")
	flags.StringVar(&r.filter.Policy, "policy", "", "policy that refuses")
	flags.StringVar(&r.format, "format", "table", "table, json or csv")
	flags.StringVarP(&r.workspace, "workspace", "w", "", "URL or name of the workspace")
	cmd.MarkFlagsMutuallyExclusive("audit", "address")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return r.run(cmd) }
	return cmd
}

// replayFlags are the flags of replay.
type replayFlags struct {
	deps       Deps
	config     configFlags
	gateway    addressFlag
	asEnforced bool
	logs, maps []string
	catalog    string
	filter     replay.Filter
	format     string
	workspace  string
}

func (r *replayFlags) check() error {
	switch {
	case *r.config.path == "":
		return errors.New("pass the draft to judge by with --config <file>; for what the present configuration would refuse once it enforces, pass its own file with --as-enforced")
	case !slices.Contains([]string{"table", "json", "csv"}, r.format):
		return fmt.Errorf("--format must be table, json or csv, not %q", r.format)
	case r.catalog != "current" && r.catalog != "recorded":
		return fmt.Errorf("--catalog must be current or recorded, not %q", r.catalog)
	case len(r.logs) == 0 && r.catalog == "recorded":
		return errors.New("--catalog recorded goes with --audit: use is compared by the maps in force and of the draft")
	case len(r.maps) > 0 && r.catalog != "recorded":
		return errors.New("--map goes with --catalog recorded")
	}
	return r.checkToken()
}

// checkToken reads the beginning of a token's id. Its errors do not repeat the text, which may
// be a token that was pasted by mistake.
func (r *replayFlags) checkToken() error {
	prefix := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(r.filter.Token), "…"))
	switch {
	case r.filter.Token == "":
		return nil
	case strings.Trim(prefix, "0123456789abcdef") != "" || len(prefix) > 64:
		return fmt.Errorf("--token takes the hexadecimal digits of a token id; the first %d or more are enough, as scopes report shows them", minIDPrefix)
	case len(prefix) < minIDPrefix:
		return fmt.Errorf("--token needs at least the first %d digits of a token id, not %d", minIDPrefix, len(prefix))
	}
	r.filter.Token = prefix
	return nil
}

// checkPolicy refuses a name of --policy that no rules have: with a typing error, it would look as
// if nothing were refused.
func (r *replayFlags) checkPolicy(judges ...*judge.Judge) error {
	if r.filter.Policy == "" {
		return nil
	}
	var known []string
	for _, j := range judges {
		for i := range j.Rules.Policies {
			if name := usage.Clean(j.Rules.Policies[i].Name); !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	switch {
	case slices.Contains(known, r.filter.Policy):
		return nil
	case len(known) == 0:
		return fmt.Errorf("--policy %q: the draft has no policies, nor has what it is compared with", r.filter.Policy)
	}
	return fmt.Errorf("--policy: unknown policy %q; %s", r.filter.Policy, didyoumean.Hint(r.filter.Policy, known))
}

// replayed is what replay answers.
type replayed struct {
	Config     string `json:"config"`
	Workspace  string `json:"workspace,omitempty"`
	Rules      string `json:"policy_hash"`
	Catalog    string `json:"catalog"`
	Handlers   int    `json:"handlers"`
	AsEnforced bool   `json:"as_enforced,omitempty"`
	// Since is when the gateway began to record use.
	Since time.Time `json:"since,omitzero"`
	replay.AuditReport
}

func (r *replayFlags) run(cmd *cobra.Command) error {
	if err := r.check(); err != nil {
		return err
	}
	config, err := r.deps.LoadConfig(*r.config.path, *r.config.adapter)
	if err != nil {
		return err
	}
	workspace, err := config.workspace(r.workspace, "")
	if err != nil {
		return err
	}
	draft, err := config.Draft(workspace)
	if err != nil {
		return err
	}
	answer := replayed{
		Config: *r.config.path, Workspace: workspace.URL, Rules: draft.Rules, Catalog: draft.Judge.Catalog.Version(),
		Handlers: draft.Handlers, AsEnforced: r.asEnforced,
	}
	if len(r.logs) > 0 {
		err = r.readLogs(cmd, draft, &answer)
	} else {
		err = r.askGateway(draft, &answer)
	}
	if err != nil {
		return err
	}
	if answer.Refused.Calls == 0 && answer.Permitted.Calls == 0 && len(r.logs) > 0 {
		if err := r.checkPolicy(draft.Judge); err != nil {
			return err
		}
	}
	answer.Notes = append(answer.Notes, r.rehearsing(&draft)...)
	if err := r.print(cmd, &answer); err != nil {
		return err
	}
	return answer.verdict()
}

// lines is how many lines of each list are shown: a terminal has its limits.
func (r *replayFlags) lines() int {
	if r.format == "table" {
		return replay.MaxLines
	}
	return -1
}

// askGateway judges what the gateway saw.
func (r *replayFlags) askGateway(draft Draft, answer *replayed) error {
	client, err := r.gateway.client()
	if err != nil {
		return err
	}
	asked := ""
	if strings.HasPrefix(answer.Workspace, "http") { // else the file leaves it open
		asked = answer.Workspace
	}
	seen, err := client.Seen(asked)
	if err != nil {
		return withHint(err)
	}
	in, notes, err := seen.Input()
	if err != nil {
		return fmt.Errorf("reading the gateway's answer: %w", err)
	}
	if draft.Learned {
		draft.Judge.Rules.Learned = seen.LearnedRules()
	}
	if err := r.checkPolicy(append(slices.Clone(in.Now), draft.Judge)...); err != nil {
		return err
	}
	in.Then, in.AsEnforced, in.Filter, in.Lines = []*judge.Judge{draft.Judge}, r.asEnforced, r.filter, r.lines()
	answer.Report = replay.Usage(in)
	answer.Notes = append(answer.Notes, notes...)
	answer.Workspace, answer.Since = seen.Workspace, seen.Since
	return nil
}

// rehearsing says what the draft does not refuse although its rules would.
func (r *replayFlags) rehearsing(draft *Draft) (notes []string) {
	if r.asEnforced {
		return nil
	}
	if draft.Judge.Observe {
		return []string{"the draft refuses nothing, because its mode is observe; --as-enforced tells what it would refuse"}
	}
	var names []string
	for i := range draft.Judge.Rules.Policies {
		if p := &draft.Judge.Rules.Policies[i]; p.Rehearsed() {
			names = append(names, usage.Clean(p.Name))
		}
	}
	if len(names) > 0 {
		notes = append(notes, "the draft rehearses policies, for all or some tokens: "+strings.Join(names, ", ")+"; --as-enforced tells what they would refuse")
	}
	return notes
}

// verdict is an error if calls would be refused, or if it is not known.
func (a *replayed) verdict() error {
	switch refused := &a.Refused; {
	case refused.Calls > 0:
		return fmt.Errorf("%s would refuse %s", a.Config, summaryOf(refused))
	case a.Judged.Calls == 0 && len(a.Unjudged) > 0:
		return errors.New("nothing could be judged, so it is not known what the draft would refuse")
	}
	return nil
}
