package usage

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, data, want string
	}{
		{"plain", `{"a":{"b":[1,"x:",{"c":"\\\""}]},"d":{"b":1}}`, ""},
		{"text", `"a"`, ""},
		{"twice", `{"a":1,"b":{},"a":2}`, `the field "a" is there twice`},
		{"twice below", `[{"x":[{"id" : 1, "id"
: 2}]}]`, "there twice"},
		{"twice in another letter case", `{"id":1,"ID":2}`, "there twice"},
		{"twice, escaped", `{"id":1,"\u0069d":2}`, "a field has a name that scopegate does not write"},
		{"twice, with a letter that decoders fold", `{"calls":1,"callſ":2}`, "a field has a name"},
		{"the same in other objects", `[{"a":1},{"a":2}]`, ""},
		{"deep", strings.Repeat("[", 17) + strings.Repeat("]", 17), "nested deeper than 16"},
		{"deep objects", strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17), "nested deeper than 16"},
		{"many rows", `{"tokens":[` + strings.Repeat("null,", maxRows) + `null]}`, "more rows"},
		{"many empty rows", `{"a":[[` + strings.Repeat("[],", maxItems) + `[]]]}`, "more rows"},
		{"many names", `{` + strings.TrimSuffix(manyNames(maxNames+1), ",") + `}`, "more than 10000 fields"},
	} {
		err := scan([]byte(test.data))
		if !json.Valid([]byte(test.data)) {
			t.Fatalf("%s: the test is no JSON", test.name)
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"` + id(i)[:16] + `":1,`)
	}
	return b.String()
}

// FuzzScan compares what is found with what a decoder finds.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":[{"b":"\\"},1],"a":2}`, `["\"",{"x" :null}]`, `{"A":1,"a":{"a":1}}`, `[[[]]]`, `"\u0022"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		err := scan(bytes.Clone(data))
		twice, deep, odd := decodedNames(t, data)
		if got, want := err != nil, twice || deep || odd; got != want {
			t.Errorf("%v; twice %v, deep %v, odd %v", err, twice, deep, odd)
		}
	})
}

// decodedNames reports whether an object has a name twice, whether it is nested too
// deep, and whether a name is written in a way that snapshots do not use.
func decodedNames(t *testing.T, data []byte) (twice, deep, odd bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		names map[string]bool // nil for an array
		value bool            // a value comes next
	}
	var levels []level
	for {
		begin := decoder.InputOffset()
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return twice, deep, odd
		}
		if err != nil {
			t.Fatal(err)
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if top := len(levels) - 1; top >= 0 && levels[top].names != nil {
			if levels[top].value = !levels[top].value; levels[top].value {
				name := token.(string)
				raw := data[begin:decoder.InputOffset()]
				odd = odd || bytes.ContainsRune(raw, '\\') || bytes.ContainsFunc(raw, func(r rune) bool { return r >= 0x80 })
				folded := strings.ToLower(name)
				twice = twice || levels[top].names[folded]
				levels[top].names[folded] = true
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: make(map[string]bool)})
		case json.Delim('['):
			levels = append(levels, level{})
		}
		deep = deep || len(levels) > maxDepth
	}
}
