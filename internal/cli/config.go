package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

// Config is what commands need of a configuration file.
type Config struct {
	// Workspaces are those that handlers of the file use.
	Workspaces []FileWorkspace
	// Judge returns a judge by the file's rules, without tokens. It reads the routes
	// file.
	Judge func() (*judge.Judge, error)
	// Draft returns the rules of the handlers of one of Workspaces. It reads the routes file.
	Draft func(FileWorkspace) (Draft, error)
	// MapDate is the day of the shipped map that the file's map is based on; zero for that
	// of this program.
	MapDate time.Time
}

// Draft is what a configuration file says about one workspace.
type Draft struct {
	// Judge judges by its rules, without tokens.
	Judge *judge.Judge
	// Handlers is how many handlers have them.
	Handlers int
	// Rules is the hash of the rules, as in records.
	Rules string
	// Learned means that what the workspace was seen to accept counts (routes learned). Only
	// a running gateway knows it.
	Learned bool
}

// configFlags are the flags that name a configuration file.
type configFlags struct{ path, adapter *string }

func addConfigFlags(cmd *cobra.Command, use string) configFlags {
	return configFlags{
		path:    cmd.Flags().StringP("config", "c", "", use),
		adapter: cmd.Flags().StringP("adapter", "a", "", "adapter of the configuration file"),
	}
}

// adapterHelp explains the flag --adapter of addConfigFlags.
const adapterHelp = `--adapter names the adapter of the configuration file. Default: caddyfile, or none
  for a file whose name ends in .json.
`

// judge returns a judge by the rules of the file, or by the default rules if no file is
// named.
func (f configFlags) judge(deps Deps) (*judge.Judge, error) {
	if *f.path == "" {
		return &judge.Judge{Catalog: scopes.Default(), Rules: policy.Rules{AllowUnscoped: true}, OAuth: judge.OAuthVerify, Now: time.Now}, nil
	}
	config, err := deps.LoadConfig(*f.path, *f.adapter)
	if err != nil {
		return nil, err
	}
	return config.Judge()
}
