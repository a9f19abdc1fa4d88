//go:build unix

package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/certmagic"
)

// TestTamperedFiles puts everything that a folder can hold where a gateway looks for what
// others saved. Reports tell of it and have what else there is, it is set aside unchanged,
// saving goes on, and nothing hangs or fills the memory. Not in parallel: it measures memory.
func TestTamperedFiles(t *testing.T) {
	jobs := op("a: jobs")
	good := string(savedBy(t, otherKey, goodState(t)))
	write := func(content string) func(string) error {
		return func(file string) error { return os.WriteFile(file, []byte(content), 0o600) }
	}
	for _, test := range []struct {
		name   string
		make   func(file string) error
		counts bool // it can be read
	}{
		{"as it was saved", write(good), true},
		{"zero length", write(""), false},
		{"zeros", write(strings.Repeat("\x00", 4096)), false},
		{"another format", write("\x1f\x8b\x08\x00" + strings.Repeat("\xff\xfe", 100)), false},
		{"UTF-16", write("\xff\xfe{\x00\"\x00v\x00"), false},
		{"byte order mark", write("\ufeff" + good), false},
		{"two of them", write(good + good), false},
		{"newer version", write(strings.Replace(good, `"version":1`, `"version":2`, 1)), false},
		{"newer version, if the second counts", write(strings.Replace(good, `"version":1`, `"version":1,"version":2`, 1)), false},
		{"older version, if the second counts", write(strings.Replace(good, `"version":1`, `"version":2,"version":1`, 1)), false},
		{"tokens twice", write(strings.Replace(good, `"tokens":`, `"tokens":[],"tokens":`, 1)), false},
		{"an id in two letter cases", write(strings.Replace(good, `"id":`, `"Id":"`+id("x")+`","id":`, 1)), false},
		{"deep", write(`{"version":1,"x":` + strings.Repeat("[", 5_000_000)), false},
		{"deep and closed", write(`{"version":1,"x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "}"), false},
		{"many rows", write(`{"version":1,"tokens":[` + strings.Repeat("null,", 2_000_000) + "null]}"), false},
		{"many operations", write(`{"version":1,"operations":[` + strings.Repeat("{},", 2_000_000) + "{}]}"), false},
		{"many uses", write(`{"version":1,"tokens":[{"uses":[` + strings.Repeat("{},", 4_000_000) + "{}]}]}"), false},
		{"a negative count", write(strings.Replace(good, `"calls":`, `"calls":-`, 1)), false},
		{"more than can be counted", write(strings.Replace(good, `"calls":`, `"calls":18446744073709551616`, 1)), false},
		{"a count in exponents", write(strings.Replace(good, `"calls":`, `"calls":1e300,"x":`, 1)), false},
		{"an evicted token with operations", write(strings.Replace(good, `"uses":[{`, `"evicted":true,"uses":[{`, 1)), false},
		{"of another workspace", write(strings.Replace(good, `"workspace":"usage"`, `"workspace":"other-\u001b[31m"`, 1)), false},
		{"of another gateway", write(strings.Replace(good, `"instance":"abc`, `"instance":"cba`, 1)), false},
		{"400 MB", func(file string) error {
			return errors.Join(os.WriteFile(file, []byte(good), 0o600), os.Truncate(file, 400<<20))
		}, false},
		{"a directory", func(file string) error { return os.MkdirAll(filepath.Join(file, "with", "content"), 0o700) }, false},
		{"a FIFO", func(file string) error { return syscall.Mkfifo(file, 0o600) }, false},
		{"endless zeros", func(file string) error { return os.Symlink("/dev/zero", file) }, false},
		{"a link to itself", func(file string) error { return os.Symlink(file, file) }, false},
		{"a link to a secret", func(file string) error {
			return errors.Join(os.WriteFile(file+".secret", []byte("root:secret"), 0o600), os.Symlink(file+".secret", file))
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder, clock := t.TempDir(), &clock{noon}
			storage := &certmagic.FileStorage{Path: folder}
			file := storage.Filename(otherKey)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), test.make(file)); err != nil {
				t.Fatal(err)
			}
			size := func() int64 { info, _ := os.Lstat(file); return info.Size() }()
			l := newTestLedger(CaddyStorage(storage), clock.now)
			l.Seen(allowed(id("own"), &jobs, noon))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			state, err := l.State(t.Context())
			runtime.ReadMemStats(&after)
			if used := int64(after.TotalAlloc - before.TotalAlloc); used > 4<<20+3*min(size, maxSnapshot) {
				t.Errorf("%d bytes of memory for a file of %d", used, size)
			}
			own, _ := state.Token(id("own"))
			if own.Calls != 1 || (err == nil) != test.counts || (len(state.Unread) == 0) != test.counts || (len(state.Tokens) > 1) != test.counts {
				t.Fatalf("%d tokens, %+v, %v", len(state.Tokens), state.Unread, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x1b\x00") {
				t.Errorf("%q has what a terminal obeys", err)
			}
			if err := l.flush(t.Context()); (err == nil) != test.counts || !test.counts && !SetAside(err) {
				t.Fatalf("flush: %v", err)
			}
			state, err = l.State(t.Context())
			if err != nil || (len(state.Unread) == 0) != test.counts {
				t.Errorf("after a flush: %+v, %v", state.Unread, err)
			}
			if test.counts {
				return
			}
			if _, text := textOf(t, state, id("unseen"), TokenFacts{}, 0, noon); !strings.Contains(text, "1 saved file could not be read, set aside since 2026-07-01") {
				t.Error(text)
			}
			aside, err := os.Lstat(storage.Filename(place{prefix: prefix}.asideKey(otherKey, noon)))
			if err != nil || aside.Size() != size && !aside.IsDir() {
				t.Errorf("it was not set aside as it was: %v, %v", aside, err)
			}
			// The next gateway reads what this one saved.
			next := newTestLedger(CaddyStorage(storage), clock.now)
			if got := callsOf(t, next); got != 1 {
				t.Errorf("the next gateway has %d calls", got)
			}
		})
	}
}

// savedBy returns a file as a gateway saves it.
func savedBy(t testing.TB, key string, state State) []byte {
	t.Helper()
	about := envelope{Until: noon.UnixMilli()}
	about.Workspace, about.Instance = place{prefix: prefix}.address(key)
	data, err := marshalSnapshot(state, about)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTruncatedEverywhere cuts a file off after every byte.
func TestTruncatedEverywhere(t *testing.T) {
	t.Parallel()
	data := savedBy(t, otherKey, goodState(t))
	for i := range data {
		_, err := unmarshalState(data[:i])
		if whole := i == len(data)-1; whole != (err == nil) || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("after %d of %d bytes: %v", i, len(data), err)
		}
	}
}

// TestFlippedEverywhere changes every byte: what is read then is whole, and can be
// reported, or it is not read.
func TestFlippedEverywhere(t *testing.T) {
	t.Parallel()
	data := savedBy(t, otherKey, goodState(t))
	for i := range data {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			data[i] ^= flip
			state, err := unmarshalState(data)
			data[i] ^= flip
			if err != nil {
				continue
			}
			report := NewReport(state, nil, noon)
			var text strings.Builder
			if err := errors.Join(report.WriteTable(&text), report.WriteCSV(&text), report.WriteJSON(&text)); err != nil {
				t.Fatalf("byte %d: %v", i, err)
			}
			if _, err := marshalState(state); err != nil {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
}

// TestCountsDoNotOverflow adds up files with the largest counts that are read. What comes
// out can be folded and read again.
func TestCountsDoNotOverflow(t *testing.T) {
	t.Parallel()
	store, clock := newMemory(), &clock{noon.Add(2 * day)}
	state := State{Since: noon, Tokens: []Token{{
		ID: id("t"), First: noon, Last: noon, ActiveDays: 1<<31 - 1, Calls: maxCount, Denied: maxCount, WouldDeny: maxCount, Unmapped: maxCount,
		Uses: []Use{{Operation: op("a: jobs"), Calls: maxCount, Denied: maxCount - 1, First: noon, Last: noon}},
		Cut:  Cut{Entries: maxCount, Calls: maxCount, Since: noon, First: noon, Last: noon},
	}}, Cut: Cut{Entries: maxCount, Calls: maxCount, Since: noon}}
	state.Tokens = append(state.Tokens, state.Tokens[0])
	state.Tokens[1].ID = id("u")
	sortTokens(state.Tokens)
	for i := range 5 {
		key := fmt.Sprintf("%s/%s.json", prefix, strings.Repeat(string(rune('a'+i)), instanceIDLength))
		store.values[key] = string(savedBy(t, key, state))
	}
	l := newTestLedger(store, clock.now)
	o := op("a: jobs")
	l.Seen(allowed(id("t"), &o, clock.Time))
	flush(t, l)
	for range 2 {
		got, err := l.State(t.Context())
		if err != nil || len(got.Tokens) != 2 || got.Calls() != maxCount || got.Tokens[0].Uses[0].Calls != maxCount || got.Cut.Entries != maxCount {
			t.Fatalf("%+v, %v", got, err)
		}
		clock.Time = clock.Add(2 * day) // which folds again
		flush(t, l)
	}
	if keys := store.keys(); strings.Contains(keys, "unreadable") {
		t.Errorf("left are %s", keys)
	}
}

// TestTerminalEscapes: names in files are not obeyed.
func TestTerminalEscapes(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b]0;owned\x07\u009b31m\u202e\r\n"
	store := newMemory()
	o := op("a: jobs")
	o.Name, o.Method, o.Template, o.AnyOf = hostile, hostile, hostile, []string{strings.ReplaceAll(hostile, "\n", "")}
	state := State{Since: noon, Tokens: []Token{{
		ID: id("t"), First: noon, Last: noon, ActiveDays: 1, Calls: 1, Creator: hostile,
		Uses: []Use{{Operation: o, Calls: 1, First: noon, Last: noon, Reason: hostile}}, Cut: Cut{Entries: 1, Since: noon, Needs: [][]string{{"a\x1b[31m"}}},
	}}}
	store.values[otherKey] = string(savedBy(t, otherKey, state))
	store.values[otherKey+asideMark+hostile] = ""
	l := newTestLedger(store, nil)
	got, err := l.State(t.Context())
	if err != nil || len(got.Tokens) != 1 || len(got.Unread) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	_, text := textOf(t, got, id("t"), TokenFacts{}, 0, noon)
	report := NewReport(got, nil, noon)
	var table, csv strings.Builder
	if err := errors.Join(report.WriteTable(&table), report.WriteCSV(&csv)); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text, table.String(), csv.String(), fmt.Sprint(got.Unread)} {
		if strings.ContainsAny(out, "\x1b\x07\u009b\u202e\r") {
			t.Errorf("%q has what a terminal obeys", out)
		}
	}
}

// ghosts is a store with keys that vanish between being listed and being read, or that
// may not be read.
type ghosts struct {
	*memory
	err error
}

func (g ghosts) Load(ctx context.Context, key string) ([]byte, error) {
	if key == otherKey {
		return nil, g.err
	}
	return g.memory.Load(ctx, key)
}

func TestGhosts(t *testing.T) {
	t.Parallel()
	jobs := op("a: jobs")
	for _, test := range []struct {
		name   string
		err    error
		unread int
	}{
		{"vanished", fs.ErrNotExist, 0},
		{"not ours to read", fs.ErrPermission, 1},
		{"a broken disk", &fs.PathError{Op: "read", Path: "x", Err: syscall.EIO}, 1},
	} {
		store := ghosts{newMemory(), test.err}
		store.values[otherKey] = "?"
		l := newTestLedger(store, nil)
		l.Seen(allowed(id("t"), &jobs, noon))
		flush(t, l)
		if got, err := l.State(t.Context()); len(got.Tokens) != 1 || len(got.Unread) != test.unread || (err == nil) != (test.unread == 0) {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
		if store.values[otherKey] != "?" {
			t.Errorf("%s: it was touched", test.name)
		}
	}
}

// TestDuplicatesDoNotMix: decoders reuse the memory of the first of two arrays, so that a
// token without uses would get those of another.
func TestDuplicatesDoNotMix(t *testing.T) {
	t.Parallel()
	data := savedBy(t, otherKey, goodState(t))
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		t.Fatal(err)
	}
	mixed := strings.TrimSuffix(strings.TrimSpace(string(data)), "}") +
		fmt.Sprintf(`,"tokens":[{"id":%q,"first":1,"last":1,"days":1,"calls":1}]}`, id("mixed"))
	var in snapshot
	if err := json.Unmarshal([]byte(mixed), &in); err != nil || len(in.Tokens) != 1 || reflect.DeepEqual(in.Tokens[0].Uses, []useRow(nil)) {
		t.Logf("the decoder no longer mixes them: %+v, %v", in.Tokens, err)
	}
	if state, err := unmarshalState([]byte(mixed)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%+v, %v", state, err)
	}
}
