package edge

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	const position = `{"epoch":"e","generation":7}`
	for name, c := range map[string]struct {
		stream string
		want   []event
		err    error // io.EOF unless it is set
	}{
		"hello":             {"event: hello\nid: e:7\ndata: " + position + "\n\n", []event{{name: wire.HelloEvent, position: wire.Position{Epoch: "e", Generation: 7}}}, nil},
		"a heartbeat":       {":\n\n", []event{{}}, nil},
		"an owner":          {"event: change\nid: e:8\ndata: {\"kind\":\"owner\",\"owner\":5}\n\n", []event{{name: wire.ChangeEvent, position: wire.Position{Epoch: "e", Generation: 8}, change: fleet.Change{Kind: fleet.OwnerChanged, Owner: 5}}}, nil},
		"a later event":     {"event: news\nid: e:8\ndata: 1\n\n", []event{{name: wire.ChangeEvent, position: wire.Position{Epoch: "e", Generation: 8}, change: fleet.Change{Kind: fleet.OwnersDoubted}}}, nil},
		"a later kind":      {"event: change\nid: e:8\ndata: {\"kind\":\"news\"}\n\n", []event{{name: wire.ChangeEvent, position: wire.Position{Epoch: "e", Generation: 8}, change: fleet.Change{Kind: fleet.OwnersDoubted}}}, nil},
		"cut off":           {"event: change\nid: e:8\n", nil, nil},
		"two positions":     {"event: hello\nid: e:8\ndata: " + position + "\n\n", nil, errMalformed},
		"no position":       {"event: change\ndata: {\"kind\":\"all\"}\n\n", nil, errMalformed},
		"a field twice":     {"event: hello\nevent: reset\n", nil, errMalformed},
		"an unknown field":  {"retry: 1\n\n", nil, errMalformed},
		"no token":          {"event: change\nid: e:8\ndata: {\"kind\":\"token\"}\n\n", nil, errMalformed},
		"half an id":        {"event: change\nid: e:8\ndata: {\"kind\":\"token\",\"token\":\"abcd\"}\n\n", nil, errMalformed},
		"an endless line":   {"data: " + strings.Repeat("x", maxLine+1), nil, errors.New("too long")},
		"a duplicate name":  {"event: change\nid: e:8\ndata: {\"kind\":\"all\",\"kind\":\"doubt\"}\n\n", nil, errMalformed},
		"not even a stream": {"<html>\n", nil, errMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			events := newEvents(strings.NewReader(c.stream))
			for _, want := range c.want {
				if got, err := events.next(); err != nil || got != want {
					t.Fatalf("%+v, %v, want %+v", got, err, want)
				}
			}
			_, err := events.next()
			switch {
			case c.err == nil && !errors.Is(err, io.EOF), c.err != nil && (err == nil || errors.Is(err, io.EOF)), errors.Is(c.err, errMalformed) && !errors.Is(err, errMalformed):
				t.Errorf("%v, want %v", err, c.err)
			}
		})
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("event: change\nid: e:8\ndata: {\"kind\":\"all\"}\n\n:\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		events := newEvents(strings.NewReader(stream))
		for {
			e, err := events.next()
			if err != nil {
				return
			}
			if e.name == wire.ChangeEvent && e.change.Kind == "" {
				t.Errorf("%+v", e)
			}
		}
	})
}
