package cli

import (
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

// FileWorkspace is a workspace that handlers of a configuration file use.
type FileWorkspace struct {
	// Name is what the file calls it; empty where only a handler names its URL.
	Name string
	// URL has placeholders replaced. It is empty where the file names none.
	URL string
	// Admin is the credential with which the gateway signs in to the workspace. The
	// zero value means the Databricks SDK's unified authentication.
	Admin tokens.Admin
}

func (w FileWorkspace) String() string {
	switch {
	case w.Name == "":
		return w.URL
	case w.URL == "":
		return w.Name
	default:
		return w.Name + " (" + w.URL + ")"
	}
}

// workspace returns the workspace of the file that a name or URL means. A credential goes to no
// other workspace than the file says. Without a name it is the one that is wanted, if the file
// has it, or else the only one.
func (c *Config) workspace(named, wanted string) (FileWorkspace, error) {
	if named != "" {
		for _, w := range c.Workspaces {
			if w.Name == named || w.URL != "" && w.URL == normalized(named) {
				return w, nil
			}
		}
		if isURL(named) && len(c.Workspaces) == 1 && c.Workspaces[0].URL == "" { // the file leaves it open
			w := c.Workspaces[0]
			w.URL = named
			return w, nil
		}
		return FileWorkspace{}, fmt.Errorf("the configuration file has no workspace %s; pass --workspace with one of its own: %s", named, c.listed())
	}
	for _, w := range c.Workspaces {
		if w.URL != "" && w.URL == wanted {
			return w, nil
		}
	}
	if len(c.Workspaces) == 1 {
		return c.Workspaces[0], nil
	}
	return FileWorkspace{}, fmt.Errorf("the configuration file has several workspaces; pass --workspace with one of them: %s", c.listed())
}

// listed lists the workspaces for messages.
func (c *Config) listed() string {
	var texts []string
	for _, w := range c.Workspaces {
		if text := w.String(); text != "" {
			texts = append(texts, text)
		}
	}
	return joinOr(texts, "none")
}

// isURL reports whether a text cannot be the name of a workspace in a file.
func isURL(text string) bool { return strings.ContainsAny(text, ".:") }

// normalized writes a URL as configuration files are read.
func normalized(text string) string {
	u, err := workspaceurl.Parse(text)
	if err != nil {
		return ""
	}
	return u.String()
}
