package scopenames

import (
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// maxNotices bounds how many names [Notices] tells: others choose them.
const maxNotices = 64

// Notices tells of names on tokens, each once, however many tokens carry it. The zero
// value is ready. It is safe for concurrent use.
type Notices struct {
	full atomic.Bool
	mu   sync.Mutex
	told map[string]struct{} // by what is shown
}

// See looks at the scopes of a token. Fields say which token it is; they are made only if
// there is something to tell.
func (n *Notices) See(logger func() *zap.Logger, names []string, place Place, fields func() []zap.Field) {
	for _, name := range names {
		if Fine(name, place) || n.full.Load() {
			continue
		}
		switch first, last := n.add(name, place); {
		case last:
			logger().Warn("more names of scopes on tokens are unknown, and are not told", fields()...)
		case first:
			warn(logger(), name, Problem(name, place), fields())
		}
	}
}

// add reports whether a name is to be told, or instead that there are too many.
func (n *Notices) add(name string, place Place) (first, last bool) {
	key := sanitize.String(name, MaxName)
	if place == OnPAT && Known(name) {
		key += " on a personal access token"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.told[key]; ok || n.full.Load() {
		return false, false
	}
	if len(n.told) == maxNotices {
		n.full.Store(true)
		return false, true
	}
	if n.told == nil {
		n.told = make(map[string]struct{})
	}
	n.told[key] = struct{}{}
	return true, false
}
