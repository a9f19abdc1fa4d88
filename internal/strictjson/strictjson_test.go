package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	many := func(last string) string {
		var b strings.Builder
		for i := range 40 {
			fmt.Fprintf(&b, `"name%d":%d,`, i, i)
		}
		return "{" + b.String() + `"` + last + `":1}`
	}
	for _, test := range []struct {
		name string
		text string
		want error
	}{
		{"an object", `{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}`, nil},
		{"no members", `{}`, nil},
		{"white space", " {\n\t\"a\" : [ ] , \"b\" : { } }\r\n", nil},
		{"a scalar", ` 1`, nil},
		{"the same name twice", `{"a":1,"a":1}`, ErrDuplicate},
		{"in another letter case", `{"scopes":["sql"],"Scopes":[]}`, ErrDuplicate},
		{"by a letter that folds to ASCII", `{"scopes":["sql"],"\u017fcopes":[]}`, ErrDuplicate},
		{"the letter itself", `{"tokens":1,"toKens":2}`, ErrDuplicate},
		{"escaped", `{"scopes":["sql"],"sc\u006fpes":[]}`, ErrDuplicate},
		{"in an inner object", `{"a":{"b":1,"c":2,"b":3}}`, ErrDuplicate},
		{"in an element", `{"a":[1,[{"b":1},{"b":1,"B":3}]]}`, ErrDuplicate},
		{"names that are empty", `{"":1,"":2}`, ErrDuplicate},
		{"lone surrogates, which become one character", `{"\ud800":1,"\ud801":2}`, ErrDuplicate},
		{"not the first of many", many("NAME7"), ErrDuplicate},
		{"the first beyond a few", many("name39"), ErrDuplicate},
		{"many", many("name"), nil},
		{"a name as a value", `{"a":"a","b":"a"}`, nil},
		{"braces in strings", `{"a":"}{\"","b\"}":"],[\\","c":[{"d":"}"}]}`, nil},
		{"more behind it", `{"a":1} {"a":2}`, ErrSyntax},
		{"garbage behind it", `{"a":1}x`, ErrSyntax},
		{"a comma too many", `{"a":1,}`, ErrSyntax},
		{"cut off", `{"a":[1`, ErrSyntax},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", ErrSyntax},
		{"a byte order mark", "\ufeff{}", ErrSyntax},
		{"nothing", "", ErrSyntax},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var value any
			if err := Unmarshal([]byte(test.text), &value); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	var got []string
	for name, value := range Members([]byte(` { "a" : [ 1 , {"b":2} ] , "\u0062":"x,}" , "c":-1.5e3, "d" :null} `)) {
		got = append(got, name+"="+string(value))
	}
	if want := []string{`a=[ 1 , {"b":2} ]`, `b="x,}"`, `c=-1.5e3`, `d=null`}; !slices.Equal(got, want) {
		t.Errorf("members %q, want %q", got, want)
	}
	got = nil
	for element := range Elements([]byte(` [ 1 ,[2,3], "]" ,{"a":[]}, true ] `)) {
		got = append(got, string(element))
	}
	if want := []string{`1`, `[2,3]`, `"]"`, `{"a":[]}`, `true`}; !slices.Equal(got, want) {
		t.Errorf("elements %q, want %q", got, want)
	}
	for text, want := range map[string]error{`{"a":1,"A":2}`: ErrDuplicate, `{"a":{"b":1,"b":2}}`: nil, `[1]`: nil} {
		if err := UniqueNames([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	if got := Kind([]byte(" \n[1]")); got != '[' {
		t.Errorf("the type of a list is %c", got)
	}
	for range Members([]byte(`[1]`)) {
		t.Error("an array has members")
	}
	for range Elements([]byte(`{"a":1}`)) {
		t.Error("an object has elements")
	}
}

// FuzzCheck compares with a reader that counts names itself, by encoding/json's tokens.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"A":2}`, `{"a":[{"b":1},{"b":1,"\u0042":2}]}`, `[[],{},""]`, `{"":{},"\ud800":"\\"}`, ` 1 `, `{"token_info":{"scopes":null}}`,
		`{"K":1,"K":2}`, "{\"a\":\"\xff\"}", `{"a":1}{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Check(data)
		if err == ErrSyntax {
			if json.Valid(data) && strings.ToValidUTF8(string(data), "") == string(data) {
				t.Fatalf("%q is JSON", data)
			}
			return
		}
		if want := duplicated(t, json.NewDecoder(strings.NewReader(string(data)))); (err == ErrDuplicate) != want {
			t.Fatalf("%q: %v, but a name is there twice: %t", data, err, want)
		}
	})
}

// duplicated reports whether an object of the next value names a member twice.
func duplicated(t *testing.T, d *json.Decoder) (twice bool) {
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch token {
	case json.Delim('{'):
		var names []string
		for d.More() {
			token, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			name := token.(string)
			twice = twice || slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(name, other) })
			names = append(names, name)
			twice = duplicated(t, d) || twice
		}
		_, _ = d.Token()
	case json.Delim('['):
		for d.More() {
			twice = duplicated(t, d) || twice
		}
		_, _ = d.Token()
	}
	return twice
}
