// Package merge joins options that are stated in several places.
package merge

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// Options adds to a struct of options what another of the same type states, option by
// option as their JSON has them; both are pointers, and an option that is left out of
// the JSON is not stated. Options that are named as blocks are merged one level deeper.
//
// It returns the name of the first option about which the two contradict each other, as
// in "sync" or "cache ttl", and then changes nothing.
func Options(to, from any, blocks ...string) (conflict string, err error) {
	mine, err := stated(to)
	if err != nil {
		return "", err
	}
	theirs, err := stated(from)
	if err != nil {
		return "", err
	}
	if conflict := join(mine, theirs, blocks); conflict != "" {
		return conflict, nil
	}
	merged, err := json.Marshal(mine)
	if err != nil {
		return "", err
	}
	// Into a new value: what the old one points to may be shared.
	sum := reflect.New(reflect.TypeOf(to).Elem())
	if err := json.Unmarshal(merged, sum.Interface()); err != nil {
		return "", err
	}
	reflect.ValueOf(to).Elem().Set(sum.Elem())
	return "", nil
}

func stated(options any) (all map[string]json.RawMessage, err error) {
	encoded, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(encoded, &all)
}

func join(mine, theirs map[string]json.RawMessage, blocks []string) (conflict string) {
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		value, ok := mine[name]
		switch {
		case !ok:
			mine[name] = theirs[name]
		case bytes.Equal(value, theirs[name]):
		case slices.Contains(blocks, name):
			var a, b map[string]json.RawMessage
			if json.Unmarshal(value, &a) != nil || json.Unmarshal(theirs[name], &b) != nil {
				return name
			}
			if conflict := join(a, b, nil); conflict != "" {
				return name + " " + conflict
			}
			mine[name], _ = json.Marshal(a) // what was unmarshaled can be marshaled
		default:
			return name
		}
	}
	return ""
}
