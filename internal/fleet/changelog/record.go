package changelog

import (
	"errors"

	"github.com/scopegate/scopegate/internal/fleet/redis"
)

// record is an entry of the log as the server has it.
type record struct {
	id     string
	fields map[string]string
}

var errRecord = errors.New("the entries of the log cannot be read")

// recordsOf reads the answer to XRANGE. An error of the server is returned as such.
func recordsOf(reply redis.Reply) ([]record, error) {
	entries, err := reply.Array()
	if err != nil {
		return nil, err
	}
	records := make([]record, len(entries))
	for i, entry := range entries {
		parts, err := entry.Array()
		if err != nil || len(parts) != 2 {
			return nil, errRecord
		}
		r := &records[i]
		if r.id, err = parts[0].Text(); err != nil {
			return nil, errRecord
		}
		if parts[1].IsNil() {
			continue // it was deleted
		}
		fields, err := parts[1].Array()
		if err != nil || len(fields)%2 != 0 {
			return nil, errRecord
		}
		r.fields = make(map[string]string, len(fields)/2)
		for j := 0; j < len(fields); j += 2 {
			name, err1 := fields[j].Text()
			value, err2 := fields[j+1].Text()
			if err1 != nil || err2 != nil {
				return nil, errRecord
			}
			r.fields[name] = value
		}
	}
	return records, nil
}

// streamOf reads the answer to XREAD of one stream.
func streamOf(reply redis.Reply) ([]record, error) {
	streams, err := reply.Array()
	if err != nil {
		return nil, err
	}
	if len(streams) != 1 {
		return nil, errRecord
	}
	named, err := streams[0].Array()
	if err != nil || len(named) != 2 {
		return nil, errRecord
	}
	return recordsOf(named[1])
}
