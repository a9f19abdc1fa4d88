package usage

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

func goodState(t testing.TB) State {
	r, clock := newTestRecorder(t, 2, 2)
	first := op("a: x y")
	r.Seen(allowed(id("first"), &first, noon)) // is left out soon
	for i, text := range []string{"b: *", "d: account", "c: unmapped", "a: x y"} {
		o := op(text)
		clock.Time = noon.Add(time.Duration(i) * 26 * time.Hour)
		for j := range 2 {
			c := allowed(id(j), &o, clock.Time)
			c.OwnerID, c.Creator = int64(j), `A "quoted" <ü>`
			c.Allowed, c.Enforced, c.Reason = i%2 == 0, j == 0, "missing_scope"
			r.Seen(c)
		}
	}
	return r.State()
}

func TestSnapshot(t *testing.T) {
	state := goodState(t)
	if state.Cut.Entries == 0 || len(state.Tokens[0].Uses) < 2 || state.Tokens[0].Cut.Entries == 0 {
		t.Fatal("the state is too simple")
	}
	data, err := Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(data)
	if err != nil || !reflect.DeepEqual(got, state) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, state)
	}
	r, _ := newTestRecorder(t, 0, 0)
	r.Merge(got)
	if again := r.State(); !reflect.DeepEqual(again, state) {
		t.Errorf("merged %+v\nwant %+v", again, state)
	}
	if empty, err := Marshal(State{}); err != nil {
		t.Error(err)
	} else if got, err := Unmarshal(empty); err != nil || !got.Since.IsZero() || len(got.Tokens) != 0 {
		t.Errorf("an empty state became %+v, %v", got, err)
	}
}

func TestUnmarshalMistakes(t *testing.T) {
	data, err := Marshal(goodState(t))
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for _, test := range []struct {
		name string
		data string
		want error
	}{
		{"good", good, nil},
		{"an unknown field", strings.Replace(good, `"since"`, `"hello":{"a":[1]},"since"`, 1), nil},
		{"a newer version", strings.Replace(good, `"version":1`, `"version":2`, 1), ErrNewerVersion},
		{"a newer version of another form", `{"version":7,"tokens":"none"}`, ErrNewerVersion},
		{"no version", strings.Replace(good, `"version":1,`, ``, 1), ErrCorrupt},
		{"version 0", strings.Replace(good, `"version":1`, `"version":0`, 1), ErrCorrupt},
		{"a version in words", strings.Replace(good, `"version":1`, `"version":"one"`, 1), ErrCorrupt},
		{"empty", "", ErrCorrupt},
		{"zeros", strings.Repeat("\x00", 100), ErrCorrupt},
		{"cut off", good[:len(good)/2], ErrCorrupt},
		{"something after it", good + "{", ErrCorrupt},
		{"another form", `{"version":1,"tokens":{}}`, ErrCorrupt},
		{"a token's value for an id", strings.Replace(good, id(1), "dapi"+id(1)[:32], 1), ErrCorrupt},
		{"a token twice", strings.Replace(good, id(1), id(0), 1), ErrCorrupt},
		{"an operation that is not there", strings.Replace(good, `"op":1`, `"op":99`, 1), ErrCorrupt},
		{"an operation twice", strings.Replace(good, `"op":1`, `"op":0`, 1), ErrCorrupt},
		{"a negative count", strings.Replace(good, `"calls":`, `"calls":-`, 1), ErrCorrupt},
		{"a huge count", strings.Replace(good, `"calls":`, `"calls":99999999999999999`, 1), ErrCorrupt},
		{"a time in no calendar", strings.Replace(good, `"last":`, `"last":99999`, 1), ErrCorrupt},
		{"an unknown access", strings.Replace(good, `"access":"scoped"`, `"access":"free"`, 1), ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name != "good" && test.data == good {
				t.Fatal("the mistake was not made")
			}
			_, err := Unmarshal([]byte(test.data))
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "dapi") {
				t.Error("the error quotes a token")
			}
		})
	}
}

func FuzzSnapshot(f *testing.F) {
	data, err := Marshal(goodState(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"operations":[{"any_of":["","a"]},{"access":"*","any_of":["a"]}],"tokens":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := Unmarshal(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		// What was read can be written, and reads the same.
		again, err := Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		same, err := Unmarshal(again)
		if err != nil || !reflect.DeepEqual(state, same) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, same, state)
		}
		// And none of it can upset what is made of it.
		r := NewRecorder(Options{MaxTokens: 3, MaxOperations: 3})
		r.Merge(state)
		report := NewReport(r.State(), nil, noon)
		if err := report.WriteCSV(new(strings.Builder)); err != nil {
			t.Fatal(err)
		}
	})
}

// memory is a Store.
type memory struct {
	values map[string]string
	err    error // of everything
	aside  error
	full   error // of Save
	locked error
	locks  int // held now
	saves  int
}

func newMemory() *memory { return &memory{values: make(map[string]string)} }

func (m *memory) Lock(context.Context, string) error {
	if m.locked == nil {
		m.locks++
	}
	return m.locked
}

func (m *memory) Unlock(context.Context, string) error {
	m.locks--
	return nil
}

func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
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
	if err := cmp.Or(m.err, m.full); err != nil {
		return err
	}
	m.saves++
	m.values[key] = string(value)
	return nil
}

func (m *memory) SetAside(_ context.Context, key string) error {
	if m.aside != nil {
		return m.aside
	}
	m.values[key+".aside"] = m.values[key]
	delete(m.values, key)
	return nil
}

func TestStore(t *testing.T) {
	down := errors.New("down")
	for _, test := range []struct {
		name  string
		value string
		store memory
		want  []error
		left  string // keys
	}{
		{"nothing there", "", memory{}, nil, ""},
		{"corrupted", "{", memory{}, []error{ErrCorrupt}, "usage.aside"},
		{"newer", `{"version":2}`, memory{}, []error{ErrNewerVersion}, "usage.aside"},
		{"cannot be set aside", "{", memory{aside: down}, []error{ErrCorrupt, ErrNotSetAside, down}, "usage"},
		{"down", "{", memory{err: down}, []error{down}, "usage"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.store.values = make(map[string]string)
			if test.value != "" {
				test.store.values["usage"] = test.value
			}
			state, err := Load(t.Context(), &test.store, "usage")
			if (err == nil) != (test.want == nil) || len(state.Tokens) != 0 {
				t.Errorf("got %+v, %v", state, err)
			}
			for _, want := range test.want {
				if !errors.Is(err, want) {
					t.Errorf("%v is not %v", err, want)
				}
			}
			left := ""
			for key := range test.store.values {
				left += key
			}
			if left != test.left {
				t.Errorf("left are %q, want %q", left, test.left)
			}
		})
	}
	store := newMemory()
	want := goodState(t)
	if err := Save(t.Context(), store, "usage", want); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(t.Context(), store, "usage"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	store.err = down
	if err := Save(t.Context(), store, "usage", want); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkSnapshot has 10,000 tokens of 30 operations, and tells the size of it.
func BenchmarkSnapshot(b *testing.B) {
	var before, after runtime.MemStats
	operations := scopes.Default().Operations()
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := NewRecorder(Options{})
	for i := range 10_000 {
		token := id(i)
		for j := range 30 {
			r.Seen(allowed(token, &operations[(i*7+j)%len(operations)], noon))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	var data []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if data, err = Marshal(r.State()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/300_000, "heapB/entry")
	b.ReportMetric(float64(len(data))/300_000, "fileB/entry")
}
