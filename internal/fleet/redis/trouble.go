package redis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// maxKinds limits the kinds of errors that are told apart.
const maxKinds = 32

// trouble logs the errors that a server replies with, once for each kind until it is over:
// until each operation that met it went well.
type trouble struct {
	logger func() *zap.Logger
	mu     sync.Mutex
	kinds  map[string]*refusals
}

// refusals are those of one kind.
type refusals struct {
	operations []string // that met it, each with its command, such as change XADD
	reason     error    // what the server said last
	last       time.Time
}

func (t *trouble) begin(operation, kind string, reason error) {
	t.mu.Lock()
	r, known := t.kinds[kind]
	if t.kinds == nil {
		t.kinds = map[string]*refusals{}
	}
	switch {
	case known:
	case len(t.kinds) < maxKinds:
		r = new(refusals)
		t.kinds[kind] = r
	default:
		r, known = new(refusals), true // too many to be told
	}
	if !slices.Contains(r.operations, operation) {
		r.operations = append(r.operations, operation)
	}
	r.reason, r.last = reason, time.Now()
	t.mu.Unlock()
	if !known {
		t.logger().Warn("store refuses an operation", zap.String("operation", operation), zap.String("kind", kind), zap.Error(reason))
	}
}

func (t *trouble) end(operation string) {
	var over []string
	t.mu.Lock()
	for kind, r := range t.kinds {
		i := slices.Index(r.operations, operation)
		if i < 0 {
			continue
		}
		if r.operations = slices.Delete(r.operations, i, i+1); len(r.operations) > 0 {
			continue
		}
		delete(t.kinds, kind)
		over = append(over, kind)
	}
	t.mu.Unlock()
	for _, kind := range over {
		t.logger().Info("store accepts operations again", zap.String("operation", operation), zap.String("kind", kind))
	}
}

// believed is how long a refusal that concerns the whole server counts without another one. A
// gateway writes that it lives every other second, so that it hears of it again.
const believed = time.Minute

// refused says which operations are refused and why, nil if none is.
func (t *trouble) refused() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		r := t.kinds[kind]
		if ofServer(kind) && time.Since(r.last) > believed {
			continue // an operation that nobody asked for again does not keep it alive
		}
		all = append(all, fmt.Sprintf("%s: %v", strings.Join(r.operations, ", "), r.reason))
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// ofServer reports whether a kind says how the server is, and not what a user may do.
func ofServer(kind string) bool { return kind == "OOM" || kind == "MISCONF" || kind == "NOREPLICAS" }
