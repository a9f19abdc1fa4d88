package cli

import (
	"cmp"
	"errors"
	"fmt"
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
const signInHelp = `--workspace is the URL of the workspace, or its name in the configuration file. Default:
  the only one of the configuration file, then $DATABRICKS_HOST, then the host of the
  profile.
--profile names the profile of ~/.databrickscfg to sign in with.
--config takes workspace and admin credential from a configuration file. If the file has
  several workspaces, choose one with --workspace. Default: the environment variables of the Databricks SDK.
` + adapterHelp

func addSignInFlags(cmd *cobra.Command) signInFlags {
	f := signInFlags{
		workspace: cmd.Flags().StringP("workspace", "w", "", "URL of the workspace, or its name in the file of --config"),
		profile:   cmd.Flags().String("profile", "", "profile of ~/.databrickscfg to sign in with"),
		config:    addConfigFlags(cmd, "configuration file to take workspace and credential from"),
	}
	cmd.MarkFlagsMutuallyExclusive("profile", "config")
	return f
}

// resolve returns the workspace and the credential for it. The workspace that is passed
// is used if neither a flag nor the configuration file names one.
func (f signInFlags) resolve(deps Deps, workspace string) (string, tokens.Admin, error) {
	use := FileWorkspace{URL: *f.workspace, Admin: tokens.Admin{Profile: *f.profile}}
	if *f.config.path != "" {
		config, err := deps.LoadConfig(*f.config.path, *f.config.adapter)
		if err == nil {
			use, err = config.workspace(*f.workspace, workspace)
		}
		if err != nil {
			return "", tokens.Admin{}, err
		}
	}
	named := cmp.Or(use.URL, workspace, os.Getenv(workspaceurl.Variable))
	url, err := workspaceurl.Find(named, use.Admin.Profile)
	if errors.Is(err, workspaceurl.ErrNone) {
		err = errors.New("no workspace is set; pass --workspace https://<name>.cloud.databricks.com, name the gateway's configuration with --config or a profile that has a host with --profile, or set the environment variable " + workspaceurl.Variable)
	}
	return url, use.Admin, err
}

// changer signs in to the workspace that a gateway judges for. Another program may listen at
// the gateway's address, and name a host that collects credentials: those of the environment go
// only to the host that stands beside them, if one does.
func (f signInFlags) changer(deps Deps, judged string) (*tokens.Changer, error) {
	workspace, credential, err := f.resolve(deps, judged)
	beside := ""
	if host := os.Getenv(workspaceurl.Variable); err == nil && host != "" && *f.workspace == "" && *f.config.path == "" && *f.profile == "" {
		beside, err = workspaceurl.Find(host, "")
	}
	switch {
	case err != nil:
		return nil, err
	case beside != "" && beside != judged:
		return nil, fmt.Errorf("the gateway judges for %s, but the environment variable %s names %s; if the credential is for the first one, set --workspace", judged, workspaceurl.Variable, beside)
	case workspace != judged:
		return nil, fmt.Errorf("the gateway judges for %s, but the credential is for %s; set --workspace, or use another credential", judged, workspace)
	}
	changer, err := tokens.NewChanger(workspace, credential)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", workspace, err)
	}
	return changer, nil
}

// asked returns the workspace to ask a gateway about: the URL that the flag names, or of which
// it has the name in the configuration file, or an empty string without the flag.
func (f signInFlags) asked(deps Deps) (string, error) {
	if *f.config.path == "" || *f.workspace == "" {
		return *f.workspace, nil
	}
	url, _, err := f.resolve(deps, "")
	return url, err
}
