package hardening

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
)

// TestOverrides: headers that override the method or the path never arrive, in any
// spelling. [rig.clean] lists them.
func TestOverrides(t *testing.T) {
	r := startRig(t, "")
	for _, header := range attacks.Overrides {
		t.Run(header.Name, func(t *testing.T) {
			for _, c := range header.Cases() {
				r.try(t, c.Text, c.Want...)
			}
		})
	}
}

// TestOtherOverrides: less common override headers do not arrive either.
func TestOtherOverrides(t *testing.T) {
	r := startRig(t, "")
	for _, c := range attacks.OtherOverrides() {
		for _, got := range r.try(t, c.Text, c.Want...) {
			if got.Header.Get(c.Name) != "" {
				t.Errorf("%s arrived", c.Name)
			}
		}
	}
}

// TestWorkspaces: the workspace that a request names is checked, in every form that names
// one.
func TestWorkspaces(t *testing.T) {
	r := startRig(t, "")
	r.all(t, attacks.Workspaces(r.Workspace.WorkspaceID()))
}
