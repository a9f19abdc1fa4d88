package usage

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

func marshalState(state State) ([]byte, error) { return marshalSnapshot(state, envelope{}) }

func unmarshalState(data []byte) (State, error) {
	state, _, err := unmarshalSnapshot(data)
	return state, err
}

func goodState(t testing.TB) State {
	clock := &clock{noon}
	r := newRecorder(Options{MaxTokens: 2, MaxOperations: 2, MaxSummaries: 1, Now: clock.now})
	first := op("a: x y")
	r.Seen(allowed(id("first"), &first, noon))                   // is left out soon
	r.Seen(allowed(id("second"), &first, noon.Add(time.Minute))) // leaves a summary
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
	t.Parallel()
	state := goodState(t)
	second, _ := state.Token(id("second"))
	if other, _ := state.Token(id(0)); state.Cut.Entries == 0 || !second.Evicted || len(second.Cut.Needs) == 0 || len(other.Uses) < 2 || other.Cut.Entries == 0 {
		t.Fatal("the state is too simple")
	}
	about := envelope{Until: noon.UnixMilli(), Folded: map[string]int64{"a": 5}}
	data, err := marshalSnapshot(state, about)
	if err != nil {
		t.Fatal(err)
	}
	got, envelope, err := unmarshalSnapshot(data)
	if err != nil || !reflect.DeepEqual(got, state) || !reflect.DeepEqual(envelope, about) {
		t.Errorf("got %+v, %+v, %v\nwant %+v", got, envelope, err, state)
	}
	r, _ := newTestRecorder(t, 0, 0)
	r.Merge(got)
	if again := r.State(); !reflect.DeepEqual(again, state) {
		t.Errorf("merged %+v\nwant %+v", again, state)
	}
	if empty, err := marshalState(State{}); err != nil {
		t.Error(err)
	} else if got, err := unmarshalState(empty); err != nil || !got.Since.IsZero() || len(got.Tokens) != 0 {
		t.Errorf("an empty state became %+v, %v", got, err)
	}
}

func TestUnmarshalMistakes(t *testing.T) {
	t.Parallel()
	data, err := marshalState(goodState(t))
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
			_, err := unmarshalState([]byte(test.data))
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
	data, err := marshalState(goodState(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"operations":[{"any_of":["","a"]},{"access":"*","any_of":["a"]}],"tokens":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := unmarshalState(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		// What was read can be written, and reads the same.
		again, err := marshalState(state)
		if err != nil {
			t.Fatal(err)
		}
		same, err := unmarshalState(again)
		if err != nil || !reflect.DeepEqual(state, same) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, same, state)
		}
		// And none of it can upset what is made of it.
		r := newRecorder(Options{MaxTokens: 3, MaxOperations: 3})
		r.Merge(state)
		report := NewReport(r.State(), nil, noon)
		if err := report.WriteCSV(new(strings.Builder)); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkSnapshot has 10,000 tokens of 30 operations, and reports its size.
func BenchmarkSnapshot(b *testing.B) {
	var before, after runtime.MemStats
	operations := scopes.Default().Operations()
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := newRecorder(Options{})
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
		if data, err = marshalState(r.State()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/300_000, "heapB/entry")
	b.ReportMetric(float64(len(data))/300_000, "fileB/entry")
}
