package usage

import "iter"

// uses are the operations that one token called. A busy gateway has hundreds of thousands of
// them, which the garbage collector must not visit one by one: the counts lie in one block
// without pointers. The zero value has none.
type uses struct {
	at      map[handle]int // in counts
	counts  []counts
	reasons map[handle]string // of the last refusal; nil where there was none
}

// counts are those of one operation.
type counts struct {
	calls, denied, wouldDeny uint64
	first, last              int64
}

func (u *uses) len() int { return len(u.counts) }

// of returns the counts of an operation, and whether it was known before. They are valid until
// the next call.
func (u *uses) of(h handle, at int64) (n *counts, known bool) {
	i, known := u.at[h]
	if !known {
		if u.at == nil {
			u.at = make(map[handle]int)
		}
		i = len(u.counts)
		u.at[h] = i
		u.counts = append(u.counts, counts{first: at, last: at})
	}
	return &u.counts[i], known
}

// refused notes why an operation was refused, if there is a reason.
func (u *uses) refused(h handle, reason string) {
	switch {
	case reason == "" || u.reasons[h] == reason:
		return
	case u.reasons == nil:
		u.reasons = make(map[handle]string)
	}
	u.reasons[h] = reason
}

// all visits all operations, in no order.
func (u *uses) all() iter.Seq2[handle, *counts] {
	return func(yield func(handle, *counts) bool) {
		for h, i := range u.at {
			if !yield(h, &u.counts[i]) {
				return
			}
		}
	}
}

// removeOldest removes the operation that was called least recently, of several the first one
// that was known. There must be one.
func (u *uses) removeOldest() (oldest handle, removed counts) {
	last := len(u.counts) - 1
	at := 0
	for i := range u.counts {
		if u.counts[i].last < u.counts[at].last {
			at = i
		}
	}
	removed = u.counts[at]
	for h, i := range u.at {
		switch i {
		case at:
			oldest = h
		case last:
			u.at[h] = at
		}
	}
	delete(u.at, oldest)
	delete(u.reasons, oldest)
	u.counts[at] = u.counts[last]
	u.counts = u.counts[:last]
	return oldest, removed
}
