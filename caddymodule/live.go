package caddymodule

import (
	"sync"
)

// live are the handlers that are in use: those of the running configuration and,
// during a reload, of the one before. The admin API and the resolvers' events
// outlive configurations and have no other way to their handlers.
var live = liveHandlers{all: make(map[*Handler]struct{})}

type liveHandlers struct {
	mu  sync.Mutex
	all map[*Handler]struct{}
}

func (l *liveHandlers) add(h *Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[h] = struct{}{}
}

func (l *liveHandlers) remove(h *Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, h)
}

// list returns the handlers in no particular order.
func (l *liveHandlers) list() []*Handler {
	l.mu.Lock()
	defer l.mu.Unlock()
	handlers := make([]*Handler, 0, len(l.all))
	for h := range l.all {
		handlers = append(handlers, h)
	}
	return handlers
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
