package redis

import (
	"errors"
	"reflect"
	"testing"

	redigo "github.com/gomodule/redigo/redis"
)

func TestReply(t *testing.T) {
	t.Parallel()
	refusal := redigo.Error("OOM too much")
	for _, test := range []struct {
		name            string
		value           any
		text            string
		number          int64
		parts           int
		textErr, intErr error // nil, or what it is
		arrayErr        error
	}{
		{"bytes", []byte("7"), "7", 7, 0, nil, nil, errShape},
		{"status", "12", "12", 12, 0, nil, nil, errShape},
		{"number", int64(-3), "", -3, 0, errShape, nil, errShape},
		{"array", []any{[]byte("a"), nil}, "", 0, 2, errShape, errShape, nil},
		{"nil", nil, "", 0, 0, errNil, errNil, errNil},
		{"error", refusal, "", 0, 0, refusal, refusal, refusal},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := Reply{value: test.value}
			if text, err := r.Text(); text != test.text || !errors.Is(err, test.textErr) {
				t.Errorf("text %q, %v", text, err)
			}
			if n, err := r.Int(); n != test.number || !errors.Is(err, test.intErr) {
				t.Errorf("number %d, %v", n, err)
			}
			if parts, err := r.Array(); len(parts) != test.parts || !errors.Is(err, test.arrayErr) {
				t.Errorf("parts %v, %v", parts, err)
			}
			if got := r.Err(); (got != nil) != (test.name == "error") {
				t.Errorf("error %v", got)
			}
			if r.IsNil() != (test.value == nil) || r.IsInt() != (test.name == "number") {
				t.Errorf("nil %v, number %v", r.IsNil(), r.IsInt())
			}
		})
	}
}

func TestReplyMap(t *testing.T) {
	t.Parallel()
	all, err := Reply{value: []any{[]byte("role"), []byte("master"), []byte("modules"), []any{}}}.Map()
	if role, _ := all["role"].Text(); err != nil || role != "master" || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	for _, value := range []any{nil, []any{[]byte("odd")}, []any{int64(1), int64(2)}} {
		if all, err := (Reply{value: value}).Map(); err == nil {
			t.Errorf("%v is read as %v", value, all)
		}
	}
}

func TestCmd(t *testing.T) {
	t.Parallel()
	got := Cmd("EVAL", "text", 2, []string{"a", "b"}, []byte("c"), []string(nil))
	want := Command{"EVAL", []any{"text", 2, "a", "b", []byte("c")}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
