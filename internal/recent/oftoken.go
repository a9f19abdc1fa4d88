package recent

import (
	"encoding/binary"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// tokenPart is the place of token in parts.
const tokenPart = 1

// OfToken visits the records of a token, the newest first, and returns when the oldest request
// that is held arrived, of any token; zero for none. Requests that have ended since are not told
// as open ones.
//
// Only the records of the token are read whole, so that this is cheap for most tokens of a
// busy gateway.
func (g *Ring) OfToken(id string, visit func(*audit.Record)) (oldest time.Time) {
	ended := make(map[string]bool)
	buf := new(page)
	of := make(map[int]bool) // whether a part of the page is of the token, by its offset
	first := uint64(0)       // number of the first record of that page
	var each audit.Record
	for h := range g.records(buf) {
		h.head(h.i, &each)
		oldest = each.Time
		if h.first != first {
			clear(of)
			first = h.first
		}
		offset := h.partOffset(h.i, tokenPart)
		is, known := of[offset]
		if !known {
			var r audit.Record
			token(&wire{bytes: h.part(offset), reading: true}, &r)
			is = r.TokenID == id
			of[offset] = is
		}
		if !is || each.Outcome == audit.Open && ended[each.RequestID] {
			continue
		}
		ended[each.RequestID] = each.Outcome != audit.Open
		visit(h.record(h.i))
	}
	return oldest
}

// partOffset returns where a part of a record is, by the place of the record in the page.
func (p *page) partOffset(i, part int) int {
	return int(binary.BigEndian.Uint16(p.bytes[p.offset(i)+2*part:]))
}
