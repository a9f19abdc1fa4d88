package redis

import (
	"errors"
	"strconv"

	redigo "github.com/gomodule/redigo/redis"
)

var (
	errNil   = errors.New("there is no such value")
	errShape = errors.New("server replies with something else than was asked for")
)

// Reply is what the server replies to a command, or a part of that.
type Reply struct {
	value any // nil, string, []byte, int64, []any, or an error of the server
}

// Err returns the error that the server replies with, if it does.
func (r Reply) Err() error {
	if refusal, ok := r.value.(redigo.Error); ok {
		return refusal
	}
	return nil
}

// IsNil reports whether there is no such value.
func (r Reply) IsNil() bool { return r.value == nil }

// other returns why the reply is not what it is read as.
func (r Reply) other() error {
	switch {
	case r.Err() != nil:
		return r.Err()
	case r.IsNil():
		return errNil
	}
	return errShape
}

// Bytes returns a value. It is not copied.
func (r Reply) Bytes() ([]byte, error) {
	switch value := r.value.(type) {
	case []byte:
		return value, nil
	case string:
		return []byte(value), nil
	}
	return nil, r.other()
}

// Text returns a value as text.
func (r Reply) Text() (string, error) {
	value, err := r.Bytes()
	return string(value), err
}

// IsInt reports whether the reply is a number, and not one that is written as text.
func (r Reply) IsInt() bool {
	_, ok := r.value.(int64)
	return ok
}

// Int returns a number, which may be written as text.
func (r Reply) Int() (int64, error) {
	if value, ok := r.value.(int64); ok {
		return value, nil
	}
	text, err := r.Text()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// Array returns the parts of a reply.
func (r Reply) Array() ([]Reply, error) {
	values, ok := r.value.([]any)
	if !ok {
		return nil, r.other()
	}
	parts := make([]Reply, len(values))
	for i, value := range values {
		parts[i] = Reply{value: value}
	}
	return parts, nil
}

// Map returns the parts of a reply that lists names, each with what it stands for.
func (r Reply) Map() (map[string]Reply, error) {
	parts, err := r.Array()
	if err != nil {
		return nil, err
	}
	if len(parts)%2 != 0 {
		return nil, errShape
	}
	all := make(map[string]Reply, len(parts)/2)
	for i := 0; i < len(parts); i += 2 {
		name, err := parts[i].Text()
		if err != nil {
			return nil, err
		}
		all[name] = parts[i+1]
	}
	return all, nil
}
