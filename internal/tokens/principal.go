package tokens

import (
	"strconv"
	"unique"
)

// Principal is a user or service principal, as far as it is known who that is: by its
// number in the workspace, by its name, by both, or not at all. The zero value is an
// unknown one. Values of one state are equal (==) if all that is known of them is.
type Principal struct {
	id   int64                   // 0 while unknown
	name unique.Handle[spelling] // the zero handle while unknown
}

// spelling is a name that is believed.
type spelling struct {
	normal string // see [NormalName]
	shown  string // as the workspace spells it
}

// NoPrincipal is where there is none at all, as with a request that carries no token.
var NoPrincipal = Principal{name: unique.Make(spelling{})}

// NewPrincipal returns a principal. A number of 0 is unknown, and so is a name that
// [NormalName] does not accept.
func NewPrincipal(id int64, name string) Principal { return Principal{id: id}.Named(name) }

// Named returns the principal with another name.
func (p Principal) Named(name string) Principal {
	p.name = unique.Handle[spelling]{}
	if normal, ok := NormalName(name); ok {
		p.name = unique.Make(spelling{normal, name})
	}
	return p
}

// None reports whether there is no principal. It is false for an unknown one.
func (p Principal) None() bool { return p == NoPrincipal }

// ID returns the number, and whether it is known.
func (p Principal) ID() (id int64, known bool) { return p.id, p.id != 0 }

// Name returns the name as the workspace spells it, and whether it is known. It is a
// user name, or the application id of a service principal.
func (p Principal) Name() (name string, known bool) {
	s := p.spelling()
	return s.shown, s.normal != ""
}

// NormalName is [Principal.Name] in the form in which names are compared.
func (p Principal) NormalName() (name string, known bool) {
	s := p.spelling()
	return s.normal, s.normal != ""
}

func (p Principal) spelling() spelling {
	if p.name == (unique.Handle[spelling]{}) {
		return spelling{}
	}
	return p.name.Value()
}

// Unknown is how texts for people call a principal of which nothing is known.
const Unknown = "unknown"

// String returns the name, else the number, else [Unknown]. It is empty for
// [NoPrincipal].
func (p Principal) String() string {
	if name, known := p.Name(); known {
		return name
	}
	switch {
	case p.None():
		return ""
	case p.id != 0:
		return strconv.FormatInt(p.id, 10)
	}
	return Unknown
}

// Equal is ==, for packages that compare values by their fields.
func (p Principal) Equal(q Principal) bool { return p == q }
