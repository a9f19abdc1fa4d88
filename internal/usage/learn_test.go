package usage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/scopes"
)

// check reports whether the map accepts a row.
func check(o scopes.Operation) error { return scopes.Format(io.Discard, []scopes.Operation{o}) }

func answerOf(o *scopes.Operation, held string, named ...string) Answer {
	return Answer{Operation: o, Held: strings.Fields(held), Named: named, Agreed: len(named) == 0 && o.Permits(strings.Fields(held)), At: noon}
}

func TestLearn(t *testing.T) {
	t.Parallel()
	r, _ := newTestRecorder(t, 0, 0)
	a, b := op("a: x"), op("b: y")
	for i := range 3 {
		one := answerOf(&a, "x z")
		one.At = noon.Add(time.Duration(i) * time.Minute)
		if r.Learn(one) {
			t.Error("an agreement is told")
		}
	}
	r.Learn(answerOf(&a, "x")) // says more than what is known
	r.Learn(answerOf(&a, "w x"))
	if !r.Learn(answerOf(&b, "x", "z")) || r.Learn(answerOf(&b, "w x", "z")) || r.Learn(answerOf(&b, "x", "y", "z")) {
		t.Error("not only the first disagreement is told")
	}
	want := []Lesson{
		{Operation: b, Disagreed: 3, First: noon, Last: noon, Refused: []Refusal{
			{Named: []string{"z"}, Held: []string{"w", "x"}, Count: 2, First: noon, Last: noon},
			{Named: []string{"y", "z"}, Held: []string{"x"}, Count: 1, First: noon, Last: noon},
		}},
		{Operation: a, Agreed: 5, First: noon, Last: noon.Add(2 * time.Minute), Passed: []Success{
			{Held: []string{"x"}, Count: 5, First: noon, Last: noon.Add(2 * time.Minute)},
		}},
	}
	if got := r.State().Lessons; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	// It is the same after it went through a store, JSON and other gateways.
	data, err := marshalState(r.Drain())
	if err != nil {
		t.Fatal(err)
	}
	if left := r.State().Lessons; len(left) != 0 {
		t.Errorf("drained, and %+v is left", left)
	}
	state, err := unmarshalState(data)
	if err != nil || !reflect.DeepEqual(state.Lessons, want) {
		t.Fatalf("%v, got %+v", err, state.Lessons)
	}
	text, err := json.Marshal(state.Lessons)
	if err != nil {
		t.Fatal(err)
	}
	var again []Lesson
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("%v, got %+v", err, again)
	}
	r.Merge(state)
	r.Learn(answerOf(&a, "x"))
	r.Merge(state)
	if got := r.State().Lessons; len(got) != 2 || got[0].Disagreed != 6 || got[0].Refused[0].Count != 4 || got[1].Agreed != 11 || got[1].Passed[0].Count != 11 {
		t.Errorf("merged twice: %+v", got)
	}
}

// A flood of different scopes stays within bounds, and the sets that say most stay.
func TestLearnBounds(t *testing.T) {
	t.Parallel()
	r, _ := newTestRecorder(t, 0, 0)
	o := op("a: x")
	for i := range 200 {
		r.Learn(answerOf(&o, fmt.Sprintf("x a%d b%d", i, i)))
		r.Learn(answerOf(&o, fmt.Sprintf("h%d", i), fmt.Sprintf("n%d", i)))
		r.Learn(answerOf(&o, fmt.Sprintf("h%d", i), "n0"))
	}
	r.Learn(answerOf(&o, "y"))
	odd := answerOf(&o, "x")
	odd.Held = []string{"x", "no scope, but text"}
	r.Learn(odd)
	l := r.State().Lessons[0]
	if len(l.Passed) > maxPassed || len(l.Refused) != maxRefused || !l.Cut || len(l.Refused[0].Held) > maxHeld {
		t.Errorf("%d %d %v %d", len(l.Passed), len(l.Refused), l.Cut, len(l.Refused[0].Held))
	}
	if !slices.ContainsFunc(l.Passed, func(p Success) bool { return slices.Equal(p.Held, []string{"y"}) }) {
		t.Error("the set that is proof was dropped")
	}
	if data, err := marshalState(r.State()); err != nil || bytes.Contains(data, []byte("text")) {
		t.Errorf("%v %s", err, data)
	} else if _, err := unmarshalState(data); err != nil {
		t.Error(err)
	}
	rows := make([]scopes.Operation, maxLessons+10)
	for i := range rows {
		rows[i] = op(fmt.Sprintf("row%d: x", i))
		r.Learn(answerOf(&rows[i], "x"))
	}
	if n := len(r.State().Lessons); n != maxLessons {
		t.Errorf("%d lessons", n)
	}
}

// Files of versions that know no lessons are read, and they ignore ours.
func TestLessonsInSnapshots(t *testing.T) {
	t.Parallel()
	r, _ := newTestRecorder(t, 0, 0)
	o := op("a: x")
	r.Learn(answerOf(&o, "y", "z"))
	r.Learn(answerOf(&o, "x"))
	data, err := marshalState(r.State())
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	if !strings.Contains(good, `"version":1`) {
		t.Error("older versions do not read it")
	}
	before, _, _ := strings.Cut(good, `,"lessons":`)
	if state, err := unmarshalState([]byte(before + "}")); err != nil || len(state.Lessons) != 0 {
		t.Errorf("%v, %+v", err, state.Lessons)
	}
	for name, bad := range map[string]string{
		"an operation that is not there": strings.Replace(good, `"op":0`, `"op":9`, 1),
		"a name that is text":            strings.Replace(good, `"named":["z"]`, `"named":["<b>z"]`, 1),
		"no names":                       strings.Replace(good, `"named":["z"]`, `"named":[]`, 1),
		"names that are not sorted":      strings.Replace(good, `"named":["z"]`, `"named":["z","a"]`, 1),
		"a token instead of a scope":     strings.Replace(good, `"held":["x"]`, `"held":["DAPI"]`, 1),
		"a negative count":               strings.Replace(good, `"agreed":1`, `"agreed":-1`, 1),
		"a huge count":                   strings.Replace(good, `"agreed":1`, `"agreed":99999999999999999`, 1),
		"a lesson twice":                 strings.Replace(good, `"lessons":[{`, `"lessons":[{"op":0,"agreed":1,"first":1,"last":1},{`, 1),
	} {
		if bad == good {
			t.Fatalf("%s: the mistake was not made", name)
		}
		if _, err := unmarshalState([]byte(bad)); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}

// What every request pays must not allocate. Not parallel: allocations are counted for the
// whole process.
func TestLearnAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	r, _ := newTestRecorder(t, 0, 0)
	o := op("a: x")
	var answers []Answer
	slots := make(map[uint64]bool) // two sets of scopes in one slot take turns there
	for i := 0; len(answers) < 3; i++ {
		a := answerOf(&o, fmt.Sprintf("x other-%d", i))
		if slot := hash(a.Held) % uint64(len(lesson{}.recent)); !slots[slot] {
			slots[slot] = true
			answers = append(answers, a)
			r.Learn(a)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, a := range answers {
			r.Repeat(a)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLearn(b *testing.B) {
	r := newRecorder(Options{})
	o := op("a: jobs")
	for name, sets := range map[string]int{"one token": 1, "tokens alike": 4, "many tokens": 50} {
		answers := make([]Answer, sets)
		for i := range answers {
			answers[i] = answerOf(&o, fmt.Sprintf("jobs sql clusters unity-catalog other-%d", i))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if a := answers[i%sets]; !r.Repeat(a) {
					r.Learn(a)
				}
			}
		})
	}
}

func TestLearned(t *testing.T) {
	t.Parallel()
	clock := &clock{noon}
	store := newMemory()
	strict, both, wide, pair := op("a: x"), op("b: x"), op("c: x"), op("d: x+y")
	first := newTestLedger(store, clock.now)
	first.Learn(answerOf(&strict, "x", "y"))    // the workspace wants y
	first.Learn(answerOf(&both, "x", "x", "y")) // x was not enough, so both are needed
	first.Learn(answerOf(&wide, "z"))           // passed, which is no word of the workspace
	first.Learn(Answer{Operation: &wide, Held: []string{"x"}, Named: []string{"v", "w"}, Together: true, At: noon})
	first.Learn(Answer{Operation: &pair, Held: []string{"z"}, Named: []string{"x", "y"}, Agreed: true, At: noon})
	flush(t, first)
	restarted := newTestLedger(store, clock.now)
	if restarted.Learned().Permits(&strict, []string{"y"}) {
		t.Error("it is known before it is read")
	}
	if err := restarted.Recall(); err != nil {
		t.Fatal(err)
	}
	changed := op("a: z")
	for _, l := range []*Ledger{first, restarted} {
		for _, test := range []struct {
			name      string
			operation *scopes.Operation
			held      string
			want      bool
		}{
			{"what was named", &strict, "y", true},
			{"what was named and more", &strict, "q y", true},
			{"something else", &strict, "q", false},
			{"nothing", &strict, "", false},
			{"a row that has changed since", &changed, "y", false},
			{"what is not enough", &both, "y", false},
			{"what passed", &wide, "z", false},
			{"one of those that are needed together", &wide, "v", false},
			{"those that are needed together", &wide, "v w", true},
			{"half of what the row asks for, as a refusal confirmed", &pair, "x", false},
		} {
			if got := l.Learned().Permits(test.operation, strings.Fields(test.held)); got != test.want {
				t.Errorf("%s: %v", test.name, got)
			}
		}
	}

	// What another gateway learns is read within the hour, and not at every flush.
	first.Learn(answerOf(&strict, "x", "q"))
	flush(t, first)
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{time.Minute, false}, {time.Hour, true}} {
		clock.Time = noon.Add(step.after)
		restarted.recallAgain(t.Context())
		if got := restarted.Learned().Permits(&strict, []string{"q"}); got != step.want {
			t.Errorf("after %s: %v", step.after, got)
		}
	}
}

// Answers that come while lessons are drained are counted once, before or after.
func TestLearnWhileDrained(t *testing.T) {
	t.Parallel()
	r, sum := newRecorder(Options{}), newRecorder(Options{})
	rows := []scopes.Operation{op("a: x"), op("b: x"), op("c: y")}
	const workers, each = 4, 2000
	var learning sync.WaitGroup
	for w := range workers {
		learning.Go(func() {
			for i := range each {
				r.Learn(answerOf(&rows[i%3], fmt.Sprintf("x s%d", (i+w)%9)))
			}
		})
	}
	done := make(chan struct{})
	go func() { learning.Wait(); close(done) }()
	for more := true; more; {
		select {
		case <-done:
			more = false
		default:
		}
		sum.Merge(r.Drain())
	}
	total := uint64(0)
	for _, l := range sum.State().Lessons {
		total += l.Agreed + l.Disagreed
	}
	if total != workers*each {
		t.Errorf("%d answers of %d", total, workers*each)
	}
}

// A store that hangs keeps no request waiting, and delays a start for two seconds.
func TestLearnWhileStoreHangs(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"save", "list", "load"} {
		synctest.Test(t, func(t *testing.T) {
			o := op("a: x")
			store := &stuck{memory: newMemory(), in: in, release: make(chan struct{})}
			l := newTestLedger(store, time.Now)
			first := newTestLedger(store.memory, time.Now) // which has something to load
			first.Learn(answerOf(&o, "x", "z"))
			flush(t, first)
			l.Learn(answerOf(&o, "x"))
			flushed := make(chan error)
			go func() { flushed <- l.flush(t.Context()) }()
			synctest.Wait()
			began := time.Now()
			l.Learn(answerOf(&o, "x", "y"))
			if !l.Learned().Permits(&o, []string{"y"}) || time.Since(began) != 0 {
				t.Errorf("%s: learned after %s", in, time.Since(began))
			}
			err := l.Recall()
			if took := time.Since(began); (err != nil) != (in != "save") || took > recallTimeout+grace {
				t.Errorf("%s: %v after %s", in, err, took)
			}
			close(store.release)
			<-flushed
			if err := l.Recall(); err != nil || !l.Learned().Permits(&o, []string{"z"}) {
				t.Errorf("%s: %v", in, err)
			}
		})
	}
}
