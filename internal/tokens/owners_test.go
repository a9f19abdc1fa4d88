package tokens

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestOwners(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	user := workspace.AddUser("etl@example.com", false)
	robot := workspace.AddServicePrincipal("robot", false)
	owners := NewOwners(workspace.URL(), m2m(workspace), 5*time.Second)
	t.Cleanup(owners.Close)
	await := func(id int64, want string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			got := owners.Name(id)
			if got == want {
				return
			}
			if got != "" || time.Now().After(deadline) {
				t.Fatalf("owner %d is called %q, want %q", id, got, want)
			}
		}
	}
	if got := owners.Name(user); got != "" {
		t.Errorf("a name was known before it was looked up: %q", got)
	}
	await(user, "etl@example.com")
	await(robot.ID, robot.ApplicationID)

	asked := workspace.Counts().Requests
	for range 100 {
		owners.Name(user)
		owners.Name(0)
	}
	if got := workspace.Counts().Requests; got != asked {
		t.Errorf("%d requests for known names", got-asked)
	}
}

func TestOwnersInAnOutage(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	user := workspace.AddUser("etl@example.com", false)
	c := newClock()
	source := &scimSource{workspace: workspace.URL(), admin: m2m(workspace), timeout: 5 * time.Second, transport: NewTransport(5 * time.Second)}
	owners := newOwners(source.name, source.transport.Close, c.Now)
	t.Cleanup(owners.Close)
	fault := workspace.Faults().Set("/api/2.0/preview/scim/", fakeworkspace.InternalError())
	owners.Name(user)
	for deadline := time.Now().Add(30 * time.Second); fault.Hits() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no request was made")
		}
	}
	for range 10 {
		if got := owners.Name(user); got != "" {
			t.Fatalf("a name during an outage: %q", got)
		}
	}
	workspace.Faults().Clear()
	for deadline := time.Now().Add(30 * time.Second); owners.Name(user) != "etl@example.com"; time.Sleep(5 * time.Millisecond) {
		c.advance(ownerRetry)
		if time.Now().After(deadline) {
			t.Fatal("no recovery")
		}
	}
	if hits := fault.Hits(); hits > 2 {
		t.Errorf("%d requests in the outage", hits)
	}
}
