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
	return *d.people[i], true
}

func (d *directory) byName(name string) (person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, found := d.named[name]
	if !found {
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
		if p.isService() == services {
			out = append(out, *p)
		}
	}
	return slices.Clip(out)
}

// AddUser adds a user without a token, or makes an existing one an admin.
func (w *Workspace) AddUser(userName string, admin bool) (userID int64) {
	return w.people.ensure(userName, admin).ID
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
