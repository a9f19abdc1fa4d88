package findings

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/scopegate/scopegate/internal/usage"
)

// memory is a usage.Store. An operation with an error in faults fails.
type memory struct {
	mu     sync.Mutex
	values map[string]string
	faults map[string]error
	hangs  map[string]bool // until hung is closed, whatever the context
	hung   chan struct{}
	saves  map[string]int
	lock   chan struct{}
}

func newMemory() *memory {
	return &memory{
		values: make(map[string]string), faults: make(map[string]error), hangs: make(map[string]bool), hung: make(chan struct{}),
		saves: make(map[string]int), lock: make(chan struct{}, 1),
	}
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *memory) value(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key]
}

// fail returns the fault of an operation.
func (m *memory) fail(operation string) error {
	m.mu.Lock()
	err, hangs := m.faults[operation], m.hangs[operation]
	m.mu.Unlock()
	if hangs {
		<-m.hung
	}
	return err
}

func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
	if err := m.fail("load"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.values[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(value), nil
}

func (m *memory) Save(_ context.Context, key string, value []byte) error {
	if err := m.fail("save"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = string(value)
	m.saves[key]++
	return nil
}

func (m *memory) Move(_ context.Context, from, to string) error {
	if err := m.fail("move"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[to] = m.values[from]
	delete(m.values, from)
	return nil
}

func (m *memory) Lock(ctx context.Context, _ string) error {
	if err := m.fail("lock"); err != nil {
		return err
	}
	select {
	case m.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *memory) Unlock(context.Context, string) error {
	select {
	case <-m.lock:
		return m.fail("unlock")
	default:
		return errors.New("it is not locked")
	}
}

func (m *memory) Delete(context.Context, string) error           { return errors.New("not used") }
func (m *memory) List(context.Context, string) ([]string, error) { return nil, errors.New("not used") }

// Interface guard
var _ usage.Store = (*memory)(nil)
