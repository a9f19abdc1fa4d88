package usage

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/scopegate/scopegate/scopes"
)

// identity is what two operations must share to be counted as one. A row whose scopes
// a newer catalog changed has another identity, so that reports keep the scopes that
// were needed at the time.
type identity struct {
	method, template, name string
	evidence               scopes.Evidence
	access                 scopes.Access
	anyOf                  string // joined by commas, which no scope holds
	optional               bool
}

// handle is an identity in the size of a pointer. Equal identities share one handle,
// and unused ones are garbage-collected.
type handle = unique.Handle[identity]

func handleOf(o *scopes.Operation) handle {
	anyOf := o.AnyOf
	if slices.Contains(anyOf, "") {
		anyOf = slices.DeleteFunc(slices.Clone(anyOf), func(scope string) bool { return scope == "" })
	}
	clean := func(s string) string { return strings.ToValidUTF8(s, "") } // equal in JSON means equal here
	return unique.Make(identity{
		clean(o.Method), clean(o.Template), clean(o.Name), scopes.Evidence(clean(string(o.Evidence))), o.Access, clean(strings.Join(anyOf, ",")), o.Optional,
	})
}

// operation is the reverse of handleOf.
func (id identity) operation() scopes.Operation {
	o := scopes.Operation{Method: id.method, Template: id.template, Name: id.name, Evidence: id.evidence, Access: id.access, Optional: id.optional}
	if id.anyOf != "" {
		o.AnyOf = strings.Split(id.anyOf, ",")
	}
	return o
}

// maxKnown bounds the pointers that handles caches, and with them how many catalogs of
// earlier configurations stay in memory. It is a few times the size of the shipped
// catalog.
const maxKnown = 8192

// handles caches handles by the operation's address, so that calls of known operations
// neither hash text nor allocate.
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
