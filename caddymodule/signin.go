package caddymodule

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
)

// signIn is how a command signs in to a workspace as its administrator: with the
// credential of a configuration, or with a profile, or with the Databricks SDK's
// unified authentication.
type signIn struct {
	workspace, profile, config, adapter *string
}

// signInHelp explains the flags of addSignIn.
const signInHelp = `--workspace is the URL of the workspace. Default: that of the configuration, then
  $DATABRICKS_HOST, then the host of the profile.
--profile names the profile of ~/.databrickscfg to sign in with.
--config takes workspace and admin credential from a configuration's
  databricks_scopes handler. Without either, the Databricks SDK's environment
  variables are used.
`

func addSignIn(cmd *cobra.Command) signIn {
	flags := cmd.Flags()
	s := signIn{
		workspace: flags.StringP("workspace", "w", "", "URL of the workspace"),
		profile:   flags.String("profile", "", "profile of ~/.databrickscfg to sign in with"),
		config:    flags.StringP("config", "c", "", "configuration to take workspace and credential from"),
		adapter:   flags.StringP("adapter", "a", "", "adapter of the configuration"),
	}
	cmd.MarkFlagsMutuallyExclusive("profile", "config")
	return s
}

// resolve returns the workspace and the credential. The workspace that is given is
// used where no flag names one.
func (s signIn) resolve(workspace string) (string, tokens.Admin, error) {
	handler := new(Handler)
	if *s.config != "" {
		var err error
		if handler, err = handlerOf(*s.config, *s.adapter); err != nil {
			return "", tokens.Admin{}, err
		}
	}
	if *s.profile != "" {
		handler.Admin = &Admin{Profile: *s.profile}
	}
	handler.Workspace = cmp.Or(*s.workspace, handler.Workspace, workspace)
	if err := handler.validate(); err != nil {
		return "", tokens.Admin{}, err
	}
	url, err := resolveWorkspace(handler.Workspace, handler.Admin)
	if err != nil || handler.Admin == nil {
		return url, tokens.Admin{}, err
	}
	return url, handler.Admin.credential(), nil
}
