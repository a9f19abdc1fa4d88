package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/didyoumean"
)

// The parent command.
const (
	Name  = "scopes"
	Usage = "explain|why|catalog|verify|report|recommend|replay|drift|fleet|revoke"
	Short = "Explains which Databricks API scopes requests need and tokens use"
	Long  = `
Answers questions about Databricks API scopes with the code that judges requests.

explain and catalog need no gateway, no network and no token. verify and revoke
call a workspace. why, report, recommend, replay, drift and fleet ask a running
gateway; why and replay also read audit logs.
`
)

// Deps are what the commands need of the program that they are part of.
type Deps struct {
	// LoadConfig reads a configuration file. An empty adapter means the one that fits
	// the file's name.
	LoadConfig func(path, adapter string) (Config, error)
	// AdminDo sends a request to a gateway's admin API.
	AdminDo adminapi.Do
	// FindAdmin returns where the gateway's admin API listens: at the address that is
	// given, or as a configuration file says, or where it is found. Each may be empty.
	FindAdmin func(address, config, adapter string) (string, error)
}

// Add makes a command the parent of the commands below scopes.
func Add(parent *cobra.Command, deps Deps) {
	parent.AddCommand(Commands(deps)...)
	parent.Example = "  scopegate scopes explain GET /api/2.1/jobs/list --scopes sql\n  scopegate scopes report --unscoped"
	parent.RunE = NeedCommand // without it, cobra prints help and succeeds
}

// NeedCommand fails because none of a command's own commands was named, and suggests one.
func NeedCommand(parent *cobra.Command, args []string) error {
	var names []string
	for _, child := range parent.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	if len(args) == 0 {
		return fmt.Errorf("%s needs a command: %s", parent.CommandPath(), strings.Join(names, ", "))
	}
	return fmt.Errorf("unknown command %q for %s; %s", args[0], parent.CommandPath(), didyoumean.Hint(args[0], names))
}

// Commands returns the commands below scopes.
func Commands(deps Deps) []*cobra.Command {
	commands := []*cobra.Command{
		explainCommand(deps),
		whyCommand(deps),
		catalogCommand(deps),
		verifyCommand(deps),
		reportCommand(deps),
		recommendCommand(deps),
		replayCommand(deps),
		driftCommand(deps),
		fleetCommand(deps),
		revokeCommand(deps),
	}
	for _, cmd := range commands {
		sanitizeOutput(cmd)
		completeValues(cmd)
	}
	return commands
}
