package fakeworkspace

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/iam"
)

func (w *Workspace) registerSCIM() {
	w.on(w.scimMe, "GET /api/2.0/preview/scim/v2/Me")
	w.on(w.scimUsers, "GET /api/2.0/preview/scim/v2/Users")
	w.on(w.scimUser, "GET /api/2.0/preview/scim/v2/Users/{id}")
	w.on(w.scimServicePrincipals, "GET /api/2.0/preview/scim/v2/ServicePrincipals")
	w.on(w.scimServicePrincipal, "GET /api/2.0/preview/scim/v2/ServicePrincipals/{id}")
}

func (w *Workspace) scimMe(rw http.ResponseWriter, r *http.Request) {
	p, found := w.people.byID(callOf(r).caller.UserID)
	if !found {
		fail(rw, r, doesNotExist("The caller is not in this workspace."))
		return
	}
	ok(rw, scimPerson(p))
}

func (w *Workspace) scimUser(rw http.ResponseWriter, r *http.Request) {
	if p, found := w.scimFind(rw, r, "User", false); found {
		ok(rw, scimPerson(p))
	}
}

func (w *Workspace) scimServicePrincipal(rw http.ResponseWriter, r *http.Request) {
	if p, found := w.scimFind(rw, r, "ServicePrincipal", true); found {
		ok(rw, scimPrincipal(p))
	}
}

// scimFind answers 404 for an unknown person, or one of the other kind.
func (w *Workspace) scimFind(rw http.ResponseWriter, r *http.Request, kind string, service bool) (person, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	p, found := w.people.byID(id)
	if err == nil && found && p.isService() == service {
		return p, true
	}
	writeJSON(rw, http.StatusNotFound, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
		"detail":  kind + " with id " + clip(r.PathValue("id")) + " not found.",
		"status":  "404",
	})
	return person{}, false
}

func (w *Workspace) scimUsers(rw http.ResponseWriter, r *http.Request) {
	people := w.people.list(false)
	if filter := r.URL.Query().Get("filter"); filter != "" {
		name, isName := strings.CutPrefix(filter, "userName eq ")
		p, found := w.people.byName(strings.Trim(name, `"`))
		people = nil
		if isName && found && !p.isService() {
			people = []person{p}
		}
	}
	scimList(rw, r, people)
}

func (w *Workspace) scimServicePrincipals(rw http.ResponseWriter, r *http.Request) {
	scimList(rw, r, w.people.list(true))
}

// scimList counts pages from 1, as SCIM does. Clients read pages until one is empty.
func scimList(rw http.ResponseWriter, r *http.Request, people []person) {
	total := int64(len(people))
	from := min(max(intQuery(r, "startIndex", 1)-1, 0), total)
	to := min(from+min(max(intQuery(r, "count", 100), 0), 10000), total)
	resources := []any{}
	for _, p := range people[from:to] {
		if p.isService() {
			resources = append(resources, scimPrincipal(p))
			continue
		}
		resources = append(resources, scimPerson(p))
	}
	ok(rw, map[string]any{
		"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": total, "startIndex": from + 1, "itemsPerPage": len(resources), "Resources": resources,
	})
}

func scimPrincipal(p person) iam.ServicePrincipal {
	return iam.ServicePrincipal{
		Id: strconv.FormatInt(p.ID, 10), ApplicationId: p.UserName, DisplayName: p.DisplayName, Active: !p.inactive, ForceSendFields: []string{"Active"},
	}
}

func scimPerson(p person) iam.User {
	groups := []iam.ComplexValue{{Display: "users", Value: "600000000000001", Type: "direct"}}
	if p.Admin {
		groups = append(groups, iam.ComplexValue{Display: "admins", Value: "600000000000002", Type: "direct"})
	}
	u := iam.User{
		Id: strconv.FormatInt(p.ID, 10), UserName: p.UserName, DisplayName: p.DisplayName, Active: !p.inactive, ForceSendFields: []string{"Active"},
		Groups:  groups,
		Schemas: []iam.UserSchema{iam.UserSchemaUrnIetfParamsScimSchemasCore20User},
	}
	if !p.isService() {
		u.Emails = []iam.ComplexValue{{Type: "work", Value: p.UserName, Primary: true}}
	}
	return u
}
