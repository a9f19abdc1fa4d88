package fakeworkspace

import (
	"slices"
	"strings"
	"sync"
)

// ServicePrincipal is a machine identity with an OAuth secret.
type ServicePrincipal struct {
	ID            int64
	ApplicationID string
	DisplayName   string
	Secret        string
}

// person is a user or a service principal. A service principal's name is its application id, and it has
// a secret.
type person struct {
	ID          int64
	UserName    string
	DisplayName string
	Admin       bool
	secret      string
	// inactive people are known and cannot sign in; those who were removed are not known.
	inactive, removed bool
}

func (p person) isService() bool { return p.secret != "" }

// directory holds the users and service principals of the workspace. Only tests add to it.
type directory struct {
	mu     sync.RWMutex
	people []*person
	named  map[string]*person
}

// firstPersonID has sixteen digits, like the ids in real workspaces.
const firstPersonID = 4100000000000001

func newDirectory() *directory { return &directory{named: make(map[string]*person)} }

// ensure finds or adds a user.
func (d *directory) ensure(userName string, admin bool) person {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.named[userName]
	if p == nil {
		display, _, _ := strings.Cut(userName, "@")
		p = d.add(&person{UserName: userName, DisplayName: display})
	}
	p.Admin = p.Admin || admin
	return *p
}

// add stores a person under the next id. The caller holds the lock.
func (d *directory) add(p *person) *person {
	p.ID = firstPersonID + int64(len(d.people))
	d.people = append(d.people, p)
	d.named[p.UserName] = p
	return p
}

func (d *directory) byID(id int64) (person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	i := id - firstPersonID
	if i < 0 || i >= int64(len(d.people)) {
		return person{}, false
	}
	return *d.people[i], !d.people[i].removed
}

func (d *directory) byName(name string) (person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, found := d.named[name]
	if !found || p.removed {
		return person{}, false
	}
	return *p, true
}

// list returns either all users or all service principals, oldest first.
func (d *directory) list(services bool) []person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []person
	for _, p := range d.people {
		if p.isService() == services && !p.removed {
			out = append(out, *p)
		}
	}
	return slices.Clip(out)
}

// AddUser adds a user without a token, or makes an existing one an admin.
func (w *Workspace) AddUser(userName string, admin bool) (userID int64) {
	return w.people.ensure(userName, admin).ID
}

// Deactivate makes a user or service principal inactive: the workspace still knows it, and
// refuses its tokens.
func (w *Workspace) Deactivate(name string) {
	w.people.change(name, func(p *person) { p.inactive = true })
}

// RemovePerson removes a user or service principal. Its tokens stay, and are refused.
func (w *Workspace) RemovePerson(name string) {
	w.people.change(name, func(p *person) { p.removed = true })
}

// change changes a person, or panics if there is none of the name.
func (d *directory) change(name string, change func(*person)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.named[name]
	if p == nil {
		panic("fakeworkspace: no " + name) // a mistake in the test
	}
	change(p)
}

// AddServicePrincipal adds a service principal. It can get access tokens from /oidc/v1/token and own
// on-behalf-of tokens.
func (w *Workspace) AddServicePrincipal(displayName string, admin bool) ServicePrincipal {
	d := w.people
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.add(&person{UserName: newUUID(), DisplayName: displayName, Admin: admin, secret: "dose" + randomHex(16)})
	return ServicePrincipal{ID: p.ID, ApplicationID: p.UserName, DisplayName: displayName, Secret: p.secret}
}
