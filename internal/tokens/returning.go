package tokens

import (
	"encoding/binary"
	"sync/atomic"
)

// returning remembers, in a fixed 256 KiB, which IDs were turned away recently. It is a
// table of fingerprints; an ID is a hash, so one part of it is the index and another the
// fingerprint. At 10,000 invented tokens a second, 74 of 100 clients that retry after
// two seconds are still in it; the others start again in the first lane.
type returning struct {
	prints [1 << 16]atomic.Uint32
}

func (t *returning) entry(id *ID) (cell *atomic.Uint32, print uint32) {
	return &t.prints[binary.LittleEndian.Uint16(id[2:])], binary.LittleEndian.Uint32(id[4:]) | 1
}

func (t *returning) add(id *ID) {
	cell, print := t.entry(id)
	cell.Store(print)
}

func (t *returning) has(id *ID) bool {
	cell, print := t.entry(id)
	return cell.Load() == print
}

// remove makes one rejection good for one look-up only, so that a flood that sends each
// value twice does not keep this lane to itself.
func (t *returning) remove(id *ID) {
	cell, print := t.entry(id)
	cell.CompareAndSwap(print, 0)
}
