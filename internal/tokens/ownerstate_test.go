package tokens

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestOwnerState(t *testing.T) {
	t.Parallel()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	clientID, secret := workspace.AdminClient()
	c, err := NewChanger(workspace.URL(), Admin{ClientID: clientID, ClientSecret: func() (string, error) { return secret, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, ok := c.OwnToken(); ok {
		t.Error("a service principal signs in with a token")
	}
	service := workspace.AddServicePrincipal("etl", false)
	for _, name := range []string{"here@example.com", "off@example.com", "gone@example.com"} {
		workspace.AddUser(name, false)
	}
	idOf := func(name string) int64 { return workspace.AddUser(name, false) }
	off, gone := idOf("off@example.com"), idOf("gone@example.com")
	workspace.Deactivate("off@example.com")
	workspace.RemovePerson("gone@example.com")
	if err := c.ProveOwners(t.Context()); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		id    int64
		name  string
		state OwnerState
	}{
		{idOf("here@example.com"), "here@example.com", OwnerActive},
		{service.ID, service.ApplicationID, OwnerActive},
		{off, "off@example.com", OwnerInactive},
		{gone, "", OwnerGone},
	} {
		owner, state, err := c.Owner(t.Context(), test.id)
		if name, _ := owner.Name(); err != nil || name != test.name || state != test.state {
			t.Errorf("%d: %s, %s, %v; want %s, %s", test.id, owner, state, err, test.name, test.state)
		}
	}
	// An API that knows no one, or does not answer, is no evidence that everyone has left.
	for says, kind := range map[string]fakeworkspace.Kind{
		"it does not know the credential that asks": fakeworkspace.Refuse(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found"),
		"API failed": fakeworkspace.InternalError(),
		"429":        fakeworkspace.TooManyRequests("1"),
		"not that of Databricks' Token Management API": fakeworkspace.HTML(),
	} {
		workspace.Faults().Set("/api/2.0/preview/scim/v2/Users/", kind)
		workspace.Faults().Set("/api/2.0/preview/scim/v2/ServicePrincipals/", kind)
		if err := c.ProveOwners(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
		workspace.Faults().Clear()
	}
}

func TestReadMember(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer string
		name   string
		active bool
		fails  bool
	}{
		{`{"id":"7","userName":"a@example.com","active":true}`, "a@example.com", true, false},
		{`{"id":"7","userName":"a@example.com"}`, "a@example.com", true, false},
		{`{"id":"7","userName":"a@example.com","active":false}`, "a@example.com", false, false},
		{`{"id":"7","userName":"\u202e","active":false}`, "", false, false},
		{`{"id":"8","userName":"a@example.com","active":false}`, "", false, true},
		{`{"id":"7","active":true,"active":false}`, "", false, true},
		{`{"id":"7","active":"false"}`, "", false, true},
		{`[]`, "", false, true},
	} {
		owner, active, err := readMember([]byte(test.answer), 7, "userName")
		if name, _ := owner.Name(); name != test.name || active != test.active || (err != nil) != test.fails {
			t.Errorf("%s: %s, %v, %v", test.answer, owner, active, err)
		}
	}
}

func TestOwnToken(t *testing.T) {
	t.Parallel()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	admin := Admin{Token: func() (string, error) { return workspace.AdminToken(), nil }}
	c, err := NewChanger(workspace.URL(), admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if id, ok := c.OwnToken(); !ok || id != IDOf(workspace.AdminToken()) {
		t.Errorf("%v, %v", id, ok)
	}
	r := NewResolver(NewService(workspace.URL(), admin, changeTimeout), Settings{Size: 10, Rate: 10, Concurrency: 2, Timeout: changeTimeout})
	t.Cleanup(r.Close)
	if _, ok := r.OwnToken(); ok {
		t.Error("it is known before the first look-up")
	}
	if _, _, err := r.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id, ok := r.OwnToken(); !ok || id != IDOf(workspace.AdminToken()) {
		t.Errorf("%v, %v", id, ok)
	}
}
