package bulk

import (
	"reflect"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/usage"
)

func TestParseWhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		texts []string
		want  Where
		says  string
	}{
		{name: "nothing"},
		{name: "one", texts: []string{"unscoped"}, want: Where{Unscoped: true}},
		{name: "several", texts: []string{"owner=*@example.com, unscoped,unused=90d"}, want: Where{Owner: "*@example.com", Unscoped: true, Unused: "90d"}},
		{name: "repeated", texts: []string{"no-expiry", "expiring=14d"}, want: Where{NoExpiry: true, Expiring: "14d"}},
		{name: "ids", texts: []string{"id=3F2A81C0,id=77b0c2d5aa"}, want: Where{IDs: []string{"3f2a81c0", "77b0c2d5aa"}}},
		{name: "a bare id, as tables show it", texts: []string{"3f2a81c09d4e…"}, want: Where{IDs: []string{"3f2a81c09d4e"}}},
		{name: "empty", texts: []string{""}, says: "a filter is empty; filters are owner=<name>, unscoped"},
		{name: "a comma at the end", texts: []string{"unscoped,"}, says: "a filter is empty"},
		{name: "misspelled", texts: []string{"unscopd"}, says: `unknown filter "unscopd"; did you mean unscoped?`},
		{name: "unknown", texts: []string{"colour=red"}, says: `unknown filter "colour"; filters are owner=<name>`},
		{name: "twice", texts: []string{"owner=a", "owner=b"}, says: "the filter owner is set twice"},
		{name: "no value", texts: []string{"owner="}, says: "the filter owner needs a value"},
		{name: "a value too many", texts: []string{"unscoped=false"}, says: "the filter unscoped takes no value"},
		{name: "no time", texts: []string{"unused=soon"}, says: `the filter unused needs a time such as 30d or 12h, not "soon"`},
		{name: "no time at all", texts: []string{"unused=0d"}, says: "the filter unused needs a time"},
		{name: "a short id", texts: []string{"id=3f2a"}, says: "give at least the first 8, not 4"},
		{name: "a long id", texts: []string{"id=" + strings.Repeat("ab", 33)}, says: "64 hexadecimal digits"},
		{name: "not an id", texts: []string{"id=dapi0123456789abcdef"}, says: "hexadecimal digits only"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseWhere(test.texts)
			switch {
			case test.says != "":
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v, want %q", err, test.says)
				}
				if err != nil && strings.Contains(err.Error(), "dapi") {
					t.Errorf("it repeats what may be a token: %v", err)
				}
			case err != nil || !reflect.DeepEqual(got, test.want):
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestWherePicks(t *testing.T) {
	t.Parallel()
	row := &usage.PlanRow{ListedToken: usage.ListedToken{ID: strings.Repeat("ab", 32)}}
	for prefix, want := range map[string]bool{"abababab": true, "ababababac": false, "": true} {
		w := Where{}
		if prefix != "" {
			w.IDs = []string{"00000000", prefix}
		}
		if w.picks(row) != want {
			t.Errorf("%q: %v", prefix, !want)
		}
	}
}

func FuzzParseWhere(f *testing.F) {
	for _, seed := range []string{"owner=*@example.com,unscoped", "unused=90d", "id=3f2a81c0", ",", "=", "owner==", "3f2a81c09d4e…"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWhere([]string{text})
		if err != nil {
			return
		}
		if reflect.DeepEqual(w, Where{}) {
			t.Errorf("%q selects all tokens", text)
		}
		for _, id := range w.IDs {
			if !isHex(id) || len(id) < MinIDPrefix {
				t.Errorf("%q selects by the id %q", text, id)
			}
		}
	})
}
