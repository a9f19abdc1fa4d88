package recent

import (
	"sync"

	"github.com/scopegate/scopegate/internal/audit"
)

const (
	// together is how many records are encoded at once. One by one, each between two requests,
	// they would find nothing of what encoding needs in the processor's caches.
	together = 32
	// mostWaiting bounds the records that wait, also if the request that encodes them is slow.
	mostWaiting = 4 * together
)

// batch holds the records that are still to be encoded. Any number of requests add to it.
type batch struct {
	mu      sync.Mutex
	records []*audit.Record
}

// add returns how many records wait now.
func (b *batch) add(r *audit.Record) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
	return len(b.records)
}

// swap takes the records, and leaves an empty slice in their place.
func (b *batch) swap(empty []*audit.Record) []*audit.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	records := b.records
	b.records = empty
	return records
}
