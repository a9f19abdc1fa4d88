package merge

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

type block struct {
	Size int    `json:"size,omitempty"`
	Name string `json:"name,omitempty"`
}

type options struct {
	Every int    `json:"every,omitempty"`
	Cache *block `json:"cache,omitempty"`
	Admin *block `json:"admin,omitempty"`
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		to, from options
		want     options
		conflict string
	}{
		{"nothing", options{}, options{}, options{}, ""},
		{"only one", options{Every: 1}, options{}, options{Every: 1}, ""},
		{"only the other", options{}, options{Every: 1}, options{Every: 1}, ""},
		{"the same", options{Every: 1}, options{Every: 1}, options{Every: 1}, ""},
		{"different", options{Every: 1}, options{Every: 2}, options{Every: 1}, "every"},
		{"parts of a block", options{Cache: &block{Size: 1}}, options{Cache: &block{Name: "x"}}, options{Cache: &block{1, "x"}}, ""},
		{"different in a block", options{Cache: &block{Size: 1}}, options{Cache: &block{Size: 2}, Every: 3}, options{Cache: &block{Size: 1}}, "cache size"},
		{"parts of what is one thing", options{Admin: &block{Size: 1}}, options{Admin: &block{Name: "x"}}, options{Admin: &block{Size: 1}}, "admin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conflict, err := Options(&test.to, &test.from, "cache")
			if err != nil || conflict != test.conflict {
				t.Errorf("conflict %q, %v; want %q", conflict, err, test.conflict)
			}
			if diff := cmp.Diff(test.want, test.to); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOptionsShareNothing: what the options pointed to before stays as it was.
func TestOptionsShareNothing(t *testing.T) {
	t.Parallel()
	shared := &block{Size: 1}
	to := options{Cache: shared}
	if conflict, err := Options(&to, &options{Cache: &block{Name: "x"}}, "cache"); conflict != "" || err != nil {
		t.Fatal(conflict, err)
	}
	if *shared != (block{Size: 1}) || *to.Cache != (block{1, "x"}) {
		t.Errorf("shared %+v, merged %+v", shared, to.Cache)
	}
}
