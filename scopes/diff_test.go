package scopes

import (
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const before = `GET	/a	x	documented	a.Get	page
GET	/b	x	documented	b.Get	page
GET	/c	x	inferred	c.Get	guess
GET	/d	public	documented	d.Get	page
`
	const after = `GET	/a	x	documented	a.Get	page
GET	/b	x,y	documented	b.Get	page
GET	/c	x	documented	c.Get	page
GET	/d	x	documented	d.Get	page
POST	/a	x	documented	a.Post	page
`
	parse := func(text string) []Operation {
		t.Helper()
		rows, err := Parse(strings.NewReader(text), "test.tsv")
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	describe := func(changes []Change) (lines []string) {
		for _, c := range changes {
			line := c.either().Method + " " + c.either().Template
			switch {
			case c.Old == nil:
				line = "+ " + line
			case c.New == nil:
				line = "- " + line
			}
			lines = append(lines, line)
		}
		return lines
	}
	for _, test := range []struct {
		name, before, after string
		want                []string
	}{
		{"forwards", before, after, []string{"+ POST /a", "GET /b", "GET /d"}},
		{"backwards", after, before, []string{"- POST /a", "GET /b", "GET /d"}},
		{"the same", before, before, nil},
		{"from nothing", "", "GET	/a	x	documented	a.Get	page\n", []string{"+ GET /a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := describe(Diff(parse(test.before), parse(test.after))); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
