package main

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// startWorkspace starts a workspace, which ends with the test.
func startWorkspace(t *testing.T) *fakeworkspace.Workspace {
	t.Helper()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	return workspace
}

// startSidecar runs a sidecar in front of a workspace, and returns where its admin API listens.
func startSidecar(t *testing.T, workspace *fakeworkspace.Workspace) (p *processtest.Process, admin string) {
	t.Helper()
	id, secret := workspace.AdminClient()
	listen, admin := processtest.FreeAddress(t), processtest.FreeAddress(t)
	p = processtest.Start(t, listen, []string{"DATABRICKS_CLIENT_ID=" + id, "DATABRICKS_CLIENT_SECRET=" + secret},
		"scopegate", "sidecar", "--workspace", workspace.URL(), "--listen", listen, "--admin", admin)
	p.AwaitListener(t, admin)
	return p, admin
}
