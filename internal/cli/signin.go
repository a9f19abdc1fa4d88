package cli

import (
	"cmp"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// signInFlags say how a command signs in to a workspace as its administrator: with the
// credential of a configuration file, with a profile, or with the Databricks SDK's
// unified authentication.
type signInFlags struct {
	workspace, profile *string
	config             configFlags
}

// signInHelp explains the flags of addSignInFlags.
const signInHelp = `--workspace is the URL of the workspace. Default: that of the configuration file,
  then $DATABRICKS_HOST, then the host of the profile.
--profile names the profile of ~/.databrickscfg to sign in with.
--config takes workspace and admin credential from the databricks_scopes handler in
  a configuration file. Default: the environment variables of the Databricks SDK.
` + adapterHelp

func addSignInFlags(cmd *cobra.Command) signInFlags {
	f := signInFlags{
		workspace: cmd.Flags().StringP("workspace", "w", "", "URL of the workspace"),
		profile:   cmd.Flags().String("profile", "", "profile of ~/.databrickscfg to sign in with"),
		config:    addConfigFlags(cmd, "configuration file to take workspace and credential from"),
	}
	cmd.MarkFlagsMutuallyExclusive("profile", "config")
	return f
}

// resolve returns the workspace and the credential for it. The workspace that is passed
// is used if neither a flag nor the configuration file names one.
func (f signInFlags) resolve(deps Deps, workspace string) (string, tokens.Admin, error) {
	var config Config
	if *f.config.path != "" {
		var err error
		if config, err = deps.LoadConfig(*f.config.path, *f.config.adapter); err != nil {
			return "", tokens.Admin{}, err
		}
	}
	if *f.profile != "" {
		config.Admin = tokens.Admin{Profile: *f.profile}
	}
	named := cmp.Or(*f.workspace, config.Workspace, workspace, os.Getenv(workspaceurl.Variable))
	url, err := workspaceurl.Find(named, config.Admin.Profile)
	if errors.Is(err, workspaceurl.ErrNone) {
		err = errors.New("no workspace is set; pass --workspace https://<name>.cloud.databricks.com, name the gateway's configuration with --config or a profile that has a host with --profile, or set the environment variable " + workspaceurl.Variable)
	}
	return url, config.Admin, err
}
