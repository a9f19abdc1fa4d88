package usage

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCheckSnapshot(t *testing.T) {
	t.Parallel()
	const instance = "abcdefghijklmnopqrstuvwx23"
	prefix := "databricks_scopes/usage/0123456789abcdef"
	write := func(about envelope) string {
		data, err := marshalSnapshot(goodState(t), about)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	own := envelope{Workspace: "0123456789abcdef", Instance: instance, Until: time.Now().Add(24 * time.Hour).UnixMilli()}
	with := func(change func(*envelope)) envelope {
		e := own
		change(&e)
		return e
	}
	good := write(own)
	for _, test := range []struct {
		name, data, instance string
		want                 error
	}{
		{"its own", good, instance, nil},
		{"no lease", write(with(func(e *envelope) { e.Until = 0 })), instance, nil},
		{"another instance's", good, strings.Replace(instance, "a", "b", 1), ErrCorrupt},
		{"another workspace's", write(with(func(e *envelope) { e.Workspace = "fedcba9876543210" })), instance, ErrCorrupt},
		{"nowhere's", write(with(func(e *envelope) { e.Workspace = "" })), instance, ErrCorrupt},
		{"nobody's", write(with(func(e *envelope) { e.Instance = "" })), instance, ErrCorrupt},
		{"folded", write(with(func(e *envelope) { e.Folded = map[string]int64{"other": 1} })), instance, ErrCorrupt},
		{"shared", write(with(func(e *envelope) { e.Ledgers = map[string]sharedMark{"other": {1}} })), instance, ErrCorrupt},
		{"a lease without end", write(with(func(e *envelope) { e.Until = 1 << 52 })), instance, ErrCorrupt},
		{"no instance", good, "", ErrCorrupt},
		{"the folded one", good, "folded", ErrCorrupt},
		{"a path", good, "../../../etc/passwd", ErrCorrupt},
		{"empty", "", instance, ErrCorrupt},
		{"not JSON", "{", instance, ErrCorrupt},
		{"no version", `{"workspace":"0123456789abcdef"}`, instance, ErrCorrupt},
		{"a newer version", `{"version":99}`, instance, ErrNewerVersion},
		{"a name twice", strings.Replace(good, `"since"`, `"since":0,"since"`, 1), instance, ErrCorrupt},
		{"deep", `{"version":1,"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}", instance, ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := CheckSnapshot([]byte(test.data), prefix, test.instance)
			if !errors.Is(err, test.want) || (test.want == nil) != (err == nil) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if err := CheckSnapshot(make([]byte, maxSnapshot+1), prefix, instance); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("one that is too large: %v", err)
	}
}

func TestIsInstance(t *testing.T) {
	if id := newInstance(Options{}.withDefaults()).id; !IsInstance(id) {
		t.Errorf("%q is not the id of an instance", id)
	}
	for _, id := range []string{"", "folded", strings.Repeat("a", 25), strings.Repeat("a", 27), strings.Repeat("A", 26), strings.Repeat("1", 26), strings.Repeat("/", 26)} {
		if IsInstance(id) {
			t.Errorf("%q is the id of an instance", id)
		}
	}
}
