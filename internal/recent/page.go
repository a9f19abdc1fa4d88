package recent

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

const (
	// pageMemory is what a page takes, in bytes: a gateway with little traffic needs only one,
	// and a full ring drops so much at once.
	pageMemory = 64 << 10
	// pageSize is what it holds. Offsets fit 16 bits.
	pageSize = pageMemory - 2*indexSize - 3*8
	// indexSize is more than the parts that usually differ in a page. Parts that find no
	// place in the index are written again.
	indexSize  = 1024
	indexTries = 8
)

// page holds records, in the order in which they came. Parts and records fill it from its
// beginning, and the offsets of records from its end.
type page struct {
	first   uint64 // number of the first record, from 0
	records int
	used    int
	index   [indexSize]uint16 // offset of a part plus 1, by its hash
	bytes   [pageSize]byte
}

// clear makes an empty page of it, for records from a number on.
func (p *page) clear(first uint64) {
	p.first, p.records, p.used = first, 0, 0
	clear(p.index[:])
}

// entry is a record on its way into a page.
type entry struct {
	wire        // the request, then each part
	request int // where the request ends
	ends    [len(parts)]int
	sums    [len(parts)]uint64
}

var seed = maphash.MakeSeed()

// encode makes an entry of a record.
func (e *entry) encode(r *audit.Record) {
	e.bytes, e.room = e.bytes[:0], maxTexts
	request(&e.wire, r)
	e.request = len(e.bytes)
	from := e.request
	for i, part := range parts {
		part(&e.wire, r)
		e.ends[i], e.sums[i] = len(e.bytes), maphash.Bytes(seed, e.bytes[from:])
		from = len(e.bytes)
	}
}

// add writes a record. It is false if the page is full.
func (p *page) add(e *entry) bool {
	const lengths = binary.MaxVarintLen16 * len(parts) // before each part
	if p.used+len(e.bytes)+lengths+2*len(parts) > pageSize-2*(p.records+1) {
		return false
	}
	var at [len(parts)]int
	from := e.request
	for i, end := range e.ends {
		at[i] = p.share(e.bytes[from:end], e.sums[i])
		from = end
	}
	begin := p.used
	for _, offset := range at {
		binary.BigEndian.PutUint16(p.bytes[p.used:], uint16(offset))
		p.used += 2
	}
	p.used += copy(p.bytes[p.used:], e.bytes[:e.request])
	p.records++
	binary.BigEndian.PutUint16(p.bytes[pageSize-2*p.records:], uint16(begin))
	return true
}

// share returns where the page has a part, which it writes if need be.
func (p *page) share(part []byte, sum uint64) (offset int) {
	for try := range uint64(indexTries) {
		known := &p.index[(sum+try)%indexSize]
		if *known == 0 {
			*known = uint16(p.used + 1)
			break
		}
		if bytes.Equal(p.part(int(*known-1)), part) {
			return int(*known - 1)
		}
	}
	offset = p.used
	p.used += binary.PutUvarint(p.bytes[p.used:], uint64(len(part)))
	p.used += copy(p.bytes[p.used:], part)
	return offset
}

// part returns what share has written.
func (p *page) part(offset int) []byte {
	length, size := binary.Uvarint(p.bytes[offset:])
	return p.bytes[offset+size:][:length]
}

// offset returns where a record begins, by its place in the page.
func (p *page) offset(i int) int {
	return int(binary.BigEndian.Uint16(p.bytes[pageSize-2*(i+1):]))
}

// head reads what tells a record from others into r: id, outcome and time.
func (p *page) head(i int, r *audit.Record) {
	r.Time = time.Time{}
	head(&wire{bytes: p.bytes[p.offset(i)+2*len(parts) : p.used], reading: true}, r)
}

// record returns a record.
func (p *page) record(i int) *audit.Record {
	r, begin := new(audit.Record), p.offset(i)
	request(&wire{bytes: p.bytes[begin+2*len(parts) : p.used], reading: true}, r)
	for n, part := range parts {
		at := binary.BigEndian.Uint16(p.bytes[begin+2*n:])
		part(&wire{bytes: p.part(int(at)), reading: true}, r)
	}
	return r
}
