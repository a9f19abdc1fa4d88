package usage

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The keys of the tests' ledgers.
const (
	prefix    = "usage"
	foldedKey = prefix + "/folded.json"
	sharedKey = prefix + ".json"
	otherKey  = prefix + "/abcdefghijklmnopqrstuvwxyz.json" // of another gateway
)

// memory is a Store.
type memory struct {
	mu     sync.Mutex
	values map[string]string
	err    error // of everything
	aside  error // of setting aside
	full   error // of saves
	locked error
	locks  int // held now
	saves  int
}

func newMemory() *memory { return &memory{values: make(map[string]string)} }

// set lets the store fail, or work again.
func (m *memory) set(change func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.aside, m.full, m.locked = nil, nil, nil, nil
	if change != nil {
		change(m)
	}
}

func (m *memory) Lock(context.Context, string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked == nil {
		m.locks++
	}
	return m.locked
}

func (m *memory) Unlock(context.Context, string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locks--
	return nil
}

func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	value, ok := m.values[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(value), nil
}

func (m *memory) Save(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.err, m.full); err != nil {
		return err
	}
	m.saves++
	m.values[key] = string(value)
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		delete(m.values, key)
	}
	return m.err
}

func (m *memory) Move(_ context.Context, from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.err, m.aside); err != nil {
		return err
	}
	m.saves++
	m.values[to] = m.values[from]
	delete(m.values, from)
	return nil
}

func (m *memory) List(_ context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	var keys []string
	for key := range m.values {
		if path.Dir(key) == prefix {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// keys returns the last parts of all keys, sorted. Instances are called "instance".
func (m *memory) keys() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for key := range m.values {
		name := path.Base(key)
		if id, rest, _ := strings.Cut(name, "."); isInstanceID(id) && key != otherKey {
			name = "instance." + rest
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestRead(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	newer := `{"version":2}`
	for _, test := range []struct {
		name   string
		values map[string]string
		harm   func(*memory)
		want   []error
		left   string // keys
	}{
		{"nothing there", nil, nil, nil, ""},
		{"corrupted", map[string]string{otherKey: "{"}, nil, []error{ErrCorrupt}, "abcdefghijklmnopqrstuvwxyz.json.unreadable-20260701T120000.000Z"},
		{"newer", map[string]string{foldedKey: newer}, nil, []error{ErrNewerVersion}, "folded.json.unreadable-20260701T120000.000Z"},
		{"cannot be set aside", map[string]string{sharedKey: "{"}, func(m *memory) { m.aside = down }, []error{ErrCorrupt, ErrNotSetAside, down}, "usage.json"},
		{"down", map[string]string{otherKey: "{"}, func(m *memory) { m.err = down }, []error{down}, "abcdefghijklmnopqrstuvwxyz.json"},
		{"what is not ours", map[string]string{prefix + "/notes.txt": "{", otherKey + ".unreadable-01": "{", otherKey + ".tmp": "{"}, nil, nil,
			"abcdefghijklmnopqrstuvwxyz.json.tmp abcdefghijklmnopqrstuvwxyz.json.unreadable-01 notes.txt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := newMemory()
			for key, value := range test.values {
				store.values[key] = value
			}
			store.set(test.harm)
			p := place{store, prefix}
			found, err := p.read(t.Context(), "")
			for _, u := range found.unreadable {
				err = p.setAside(t.Context(), u, noon)
			}
			if (err == nil) != (test.want == nil) || len(found.parts) != 0 || len(found.folded.state.Tokens) != 0 {
				t.Errorf("got %+v, %v", found, err)
			}
			for _, want := range test.want {
				if !errors.Is(err, want) {
					t.Errorf("%v is not %v", err, want)
				}
			}
			if left := strings.ReplaceAll(store.keys(), "instance", "abcdefghijklmnopqrstuvwxyz"); left != test.left {
				t.Errorf("left are %q, want %q", left, test.left)
			}
		})
	}
}

func TestReadBack(t *testing.T) {
	t.Parallel()
	store, want := newMemory(), goodState(t)
	data, err := marshalSnapshot(want, envelope{Until: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{otherKey, sharedKey, foldedKey} {
		store.values[key] = string(data)
	}
	found, err := place{store, prefix}.read(t.Context(), "")
	if err != nil || len(found.parts) != 2 {
		t.Fatalf("%d parts: %v", len(found.parts), err)
	}
	for _, one := range append(found.parts, found.folded) {
		if !reflect.DeepEqual(one.state, want) || one.key != sharedKey && one.Until != 7 {
			t.Errorf("%s: %+v", one.key, one)
		}
	}
	if found, err = (place{store, prefix}).read(t.Context(), found.parts[0].name); err != nil || len(found.parts) != 1 {
		t.Errorf("without its own: %d parts: %v", len(found.parts), err)
	}
}
