package member

import (
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
)

const (
	// warnEvery is how often a kind of entry that is not believed is logged, at most.
	warnEvery = time.Minute
	// shownFor is how long it is shown after the last one.
	shownFor = time.Hour
)

// meanings say what a kind of entry that is not believed means, and what to do.
var meanings = map[string]string{
	"foreign":     fleet.SameKey + "; two fleets of one workspace need different databases",
	"corrupt":     "it was changed or damaged: only gateways may write to the fleet's database",
	"too_large":   "no gateway writes that much: only gateways may write to the fleet's database",
	"future":      "the clocks of the gateways differ: set them",
	"swapped":     "changes are missing: the store lost them, or somebody else writes to it",
	"rolled_back": "it is older than what was there before: the store was restored from a copy, or somebody else writes to it",
	"replayed":    "it was there before: the store was restored from a copy, or somebody else writes to it",
}

// disbelief is an observer that logs what is not believed, and remembers it for a status.
type disbelief struct {
	fleet.Observer
	logger func() *zap.Logger
	now    func() time.Time

	mu    sync.Mutex
	kinds map[string]*disbelieved
}

type disbelieved struct {
	fleet.Disbelieved
	warned time.Time
	untold int // since then
}

func newDisbelief(observer fleet.Observer, logger func() *zap.Logger, now func() time.Time) *disbelief {
	return &disbelief{Observer: observer, logger: logger, now: now, kinds: make(map[string]*disbelieved)}
}

// EntryRefused implements [fleet.Observer].
func (d *disbelief) EntryRefused(kind string) {
	d.Observer.EntryRefused(kind)
	now := d.now()
	d.mu.Lock()
	one := d.kinds[kind]
	if one == nil {
		one = &disbelieved{Disbelieved: fleet.Disbelieved{Kind: kind}}
		d.kinds[kind] = one
	}
	one.Count++
	one.Last = now
	one.untold++
	untold, warn := one.untold, one.warned.IsZero() || now.Sub(one.warned) >= warnEvery
	if warn {
		one.warned, one.untold = now, 0
	}
	d.mu.Unlock()
	if warn {
		d.logger().Warn("store has entries that are not believed",
			zap.String("kind", kind), zap.Int("entries", untold), zap.String("meaning", meanings[kind]))
	}
}

// lately returns what was not believed lately, sorted by kind.
func (d *disbelief) lately() (all []fleet.Disbelieved) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.kinds {
		if now.Sub(one.Last) <= shownFor {
			all = append(all, one.Disbelieved)
		}
	}
	slices.SortFunc(all, func(a, b fleet.Disbelieved) int { return strings.Compare(a.Kind, b.Kind) })
	return all
}
