package edge

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// maxLine bounds one line of the stream, in bytes.
const maxLine = 4 << 10

var errMalformed = errors.New("the stream of changes is malformed")

// event is one event of the stream. Without a name it is a comment: the authority lives.
type event struct {
	name     string
	position wire.Position
	change   fleet.Change // of a change event
}

// events reads a stream.
type events struct{ lines *bufio.Scanner }

func newEvents(from io.Reader) *events {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 512), maxLine)
	return &events{lines}
}

// next returns the next event. It returns io.EOF at the end of the stream.
func (e *events) next() (event, error) {
	var name, id, data []byte
	for e.lines.Scan() {
		line := e.lines.Bytes()
		switch field, value, _ := bytes.Cut(line, []byte(": ")); {
		case len(line) == 0:
			return eventOf(name, id, data)
		case line[0] == ':':
		case string(field) == "event" && name == nil:
			name = bytes.Clone(value)
		case string(field) == "id" && id == nil:
			id = bytes.Clone(value)
		case string(field) == "data" && data == nil:
			data = bytes.Clone(value)
		default:
			return event{}, errMalformed
		}
	}
	if err := e.lines.Err(); err != nil {
		return event{}, err
	}
	return event{}, io.EOF
}

func eventOf(name, id, data []byte) (event, error) {
	if name == nil && id == nil && data == nil {
		return event{}, nil
	}
	position, ok := wire.ParsePosition(string(id))
	if !ok {
		return event{}, errMalformed
	}
	e := event{name: string(name), position: position}
	var err error
	switch e.name {
	case wire.HelloEvent, wire.ResetEvent:
		var told wire.Position
		if told, err = wire.DecodePosition(data); err == nil && told != position {
			err = errMalformed
		}
	case wire.ChangeEvent:
		e.change, err = wire.DecodeChange(data)
	default:
		// Of a later version. What it says may concern anything.
		e.name, e.change = wire.ChangeEvent, fleet.Change{Kind: fleet.OwnersDoubted}
	}
	if err != nil {
		return event{}, errMalformed
	}
	return e, nil
}
