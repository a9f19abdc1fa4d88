package caddymodule

import (
	"maps"
	"slices"
	"sync"
)

// live are the handlers that are in use: those of the running configuration and,
// during a reload, of the one before. The admin API and the resolvers' events
// outlive configurations and have no other way to their handlers.
var live = liveHandlers{newRegister[*Handler]()}

type liveHandlers struct{ *register[*Handler] }

// register is a set that is safe for concurrent use.
type register[T comparable] struct {
	mu  sync.Mutex
	all map[T]struct{}
}

func newRegister[T comparable]() *register[T] { return &register[T]{all: make(map[T]struct{})} }

func (r *register[T]) add(one T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[one] = struct{}{}
}

func (r *register[T]) remove(one T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, one)
}

// list returns what is in it in no particular order.
func (r *register[T]) list() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.all))
}

// authorities returns the resolvers that they use, each once.
func (l *liveHandlers) authorities() []*authority {
	seen := make(map[authorityKey]bool)
	var all []*authority
	for _, h := range l.list() {
		if !seen[h.authority.key] {
			seen[h.authority.key] = true
			all = append(all, h.authority)
		}
	}
	return all
}
