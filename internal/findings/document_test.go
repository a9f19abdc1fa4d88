package findings

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// saved is a document with one of everything.
func saved(t testing.TB) (states, []byte) {
	t.Helper()
	s := newStates()
	s.apply(&evaluation{found: []Finding{unscoped(1), unscoped(2), unscoped(3), {
		Key: keyOf(MapDisagreement, "jobs.List"), Kind: MapDisagreement, Severity: Medium, Operation: "jobs.List", Text: "text", Do: "do",
	}}}, now)
	s.apply(&evaluation{found: []Finding{unscoped(1), unscoped(2)}}, now.Add(time.Hour))
	if _, err := s.acknowledge(unscoped(2).Key, Acknowledgment{By: "ops", Note: "why", At: now, Until: now.Add(days)}); err != nil {
		t.Fatal(err)
	}
	s.samples[idOf(1)] = sample{now, 5, 3}
	data, err := marshal(&s, "w-1234")
	if err != nil {
		t.Fatal(err)
	}
	return s, data
}

func TestDocument(t *testing.T) {
	t.Parallel()
	s, data := saved(t)
	got, err := unmarshal(data, "w-1234")
	if err != nil {
		t.Fatal(err)
	}
	again, err := marshal(&got, "w-1234")
	if err != nil || !bytes.Equal(data, again) || len(got.findings) != len(s.findings) || got.samples[idOf(1)] != s.samples[idOf(1)] {
		t.Errorf("%v\n%s\n%s", err, data, again)
	}
}

func TestDocumentIsRefused(t *testing.T) {
	t.Parallel()
	_, data := saved(t)
	id := idOf(1)
	for _, test := range []struct{ name, old, new string }{
		{"no JSON", "}", ""},
		{"no version", `"version":1`, `"version":0`},
		{"of another workspace", "w-1234", "w-5678"},
		{"a member twice", `"version":1`, `"version":1,"findings":[]`},
		{"an unknown kind", `"kind":"unscoped"`, `"kind":"unheard"`},
		{"another kind than its key", `"kind":"unscoped"`, `"kind":"unused"`},
		{"an unknown state", `"state":"new"`, `"state":"old"`},
		{"an unknown severity", `"severity":"high"`, `"severity":"huge"`},
		{"about another token", `"token_id":"` + id + `","text`, `"token_id":"` + idOf(9) + `","text`},
		{"a token's value for an id", id, "dapi0123456789abcdef0123456789abcdef"},
		{"acknowledged by no one", `"state":"new"`, `"state":"acknowledged"`},
		{"resolved at no time", `"state":"new"`, `"state":"resolved"`},
		{"no time", `"since":"2026-03-01T12:00:00Z"`, `"since":"0001-01-01T00:00:00Z"`},
		{"a long text", `"text":"text"`, `"text":"` + strings.Repeat("x", maxSentence+1) + `"`},
		{"a long note", `"note":"why"`, `"note":"` + strings.Repeat("x", maxNote+1) + `"`},
		{"twice", idOf(2), id},
		{"refusals of no one", `"token_id":"` + id + `","at"`, `"token_id":"x","at"`},
		{"fewer refusals than before", `"count":5`, `"count":1`},
		{"a time without end", `"at":1772366400000`, `"at":9223372036854775807`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.ReplaceAll(string(data), test.old, test.new)
			if changed == string(data) {
				t.Fatal("nothing was changed")
			}
			_, err := unmarshal([]byte(changed), "w-1234")
			if !errors.Is(err, ErrCorrupt) || strings.Contains(err.Error(), "dapi0") {
				t.Errorf("%v", err)
			}
		})
	}
	newer := strings.Replace(string(data), `"version":1`, `"version":2,"findings":7`, 1)
	if _, err := unmarshal([]byte(newer), "w-1234"); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("a newer version: %v", err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	_, data := saved(f)
	f.Add(data)
	f.Add([]byte(`{"version":1,"workspace":"w-1234","findings":[]}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := unmarshal(data, "w-1234")
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) {
				t.Fatal(err)
			}
			return
		}
		// What is read can be used, and is read again as it is written.
		once, err := marshal(&s, "w-1234")
		if err != nil {
			t.Fatal(err)
		}
		again, err := unmarshal(once, "w-1234")
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice, err := marshal(&again, "w-1234"); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s", err, once, twice)
		}
		s.apply(&evaluation{found: []Finding{unscoped(1)}}, now)
		s.sorted()
	})
}
