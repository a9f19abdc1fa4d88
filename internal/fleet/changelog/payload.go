package changelog

import (
	"encoding/binary"
	"errors"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/tokens"
)

// payload is what an entry of the stream holds, sealed.
type payload struct {
	writer   uint64 // of a process, random
	sequence uint64 // counts the entries of the writer
	change   fleet.Change
}

const payloadVersion = 1

// kinds are the numbers of kinds in payloads. They must not be changed.
var kinds = [...]fleet.Kind{
	1: fleet.TokenChanged, 2: fleet.OwnerChanged, 3: fleet.AllChanged, 4: fleet.OwnersChanged,
	5: fleet.UnknownChanged, 6: fleet.Doubted, 7: fleet.OwnersDoubted,
}

// payloadSize is the size of a payload: all have the same, so that they do not tell what kind
// of change they are.
const payloadSize = 1 + 8 + 8 + 1 + 32 + 8 + 8 + 8

func (p *payload) encode() []byte {
	b := make([]byte, 0, payloadSize)
	b = append(b, payloadVersion)
	b = binary.BigEndian.AppendUint64(b, p.writer)
	b = binary.BigEndian.AppendUint64(b, p.sequence)
	kind := byte(0)
	for number, k := range kinds {
		if k == p.change.Kind {
			kind = byte(number)
		}
	}
	b = append(b, kind)
	b = append(b, p.change.Token[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.change.Owner))
	b = binary.BigEndian.AppendUint64(b, uint64(p.change.From))
	return binary.BigEndian.AppendUint64(b, p.change.Proof)
}

var errPayload = errors.New("the change cannot be read")

// decodePayload reads a payload. A kind of a later version may concern anything.
func decodePayload(b []byte) (p payload, err error) {
	if len(b) != payloadSize || b[0] != payloadVersion {
		return p, errPayload
	}
	p.writer = binary.BigEndian.Uint64(b[1:])
	p.sequence = binary.BigEndian.Uint64(b[9:])
	kind := int(b[17])
	switch {
	case kind == 0:
		return p, errPayload
	case kind >= len(kinds):
		p.change.Kind = fleet.OwnersDoubted
		return p, nil
	}
	p.change = fleet.Change{
		Kind: kinds[kind], Token: tokens.ID(b[18:50]), Owner: int64(binary.BigEndian.Uint64(b[50:])),
		From: fleet.Generation(binary.BigEndian.Uint64(b[58:])), Proof: binary.BigEndian.Uint64(b[66:]),
	}
	return p, nil
}
