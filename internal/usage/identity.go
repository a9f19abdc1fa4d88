package usage

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/scopegate/scopegate/scopes"
)

// identity is what makes two operations the same one. A row whose scopes changed
// with a newer catalogue is another one: what was asked for at the time stays
// known.
type identity struct {
	method, template, name string
	evidence               scopes.Evidence
	access                 scopes.Access
	anyOf                  string // joined by commas, which no scope holds
}

// handle names an identity in the size of a pointer. Equal identities share one
// handle, and the runtime forgets those that nobody holds any more.
type handle = unique.Handle[identity]

func handleOf(o *scopes.Operation) handle {
	anyOf := o.AnyOf
	if slices.Contains(anyOf, "") {
		anyOf = slices.DeleteFunc(slices.Clone(anyOf), func(scope string) bool { return scope == "" })
	}
	clean := func(s string) string { return strings.ToValidUTF8(s, "") } // what JSON cannot tell apart is the same
	return unique.Make(identity{
		clean(o.Method), clean(o.Template), clean(o.Name), scopes.Evidence(clean(string(o.Evidence))), o.Access, clean(strings.Join(anyOf, ",")),
	})
}

// operation is the reverse of handleOf.
func (id identity) operation() scopes.Operation {
	o := scopes.Operation{Method: id.method, Template: id.template, Name: id.name, Evidence: id.evidence, Access: id.access}
	if id.anyOf != "" {
		o.AnyOf = strings.Split(id.anyOf, ",")
	}
	return o
}

// maxKnown bounds the pointers that handles remembers, and with them how many
// catalogues of former configurations it keeps from being collected. It is a few
// times the size of the shipped catalogue.
const maxKnown = 8192

// handles finds an operation's handle by its address, so that a call of a known
// one neither hashes its text nor allocates.
type handles struct {
	known sync.Map // *scopes.Operation → handle
	n     atomic.Int64
}

func (h *handles) of(o *scopes.Operation) handle {
	if found, ok := h.known.Load(o); ok {
		return found.(handle)
	}
	made := handleOf(o)
	if h.n.Add(1) > maxKnown {
		h.known.Clear()
		h.n.Store(1)
	}
	h.known.Store(o, made)
	return made
}
