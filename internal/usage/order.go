package usage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Order is what rows are sorted by.
type Order string

const (
	ByCalls   Order = "calls"    // most calls first
	ByDenials Order = "denials"  // most denials first, would-be ones included
	ByLast    Order = "last"     // least recently used first, never used before all
	ByExpiry  Order = "expires"  // expiring soonest first, never expiring last
	ByAge     Order = "created"  // oldest first
	ByOwner   Order = "owner"    // by name
	ByUnmap   Order = "unmapped" // most unmapped calls first
)

// orders lists every Order.
var orders = []Order{ByCalls, ByDenials, ByLast, ByExpiry, ByAge, ByOwner, ByUnmap}

// ParseOrder parses the name of an order; "" is [ByCalls].
func ParseOrder(s string) (Order, error) {
	if s == "" {
		return ByCalls, nil
	}
	if o := Order(s); slices.Contains(orders, o) {
		return o, nil
	}
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = string(o)
	}
	return "", fmt.Errorf("cannot sort by %q; use one of %s", s, strings.Join(names, ", "))
}

// Sort sorts the rows, and equal ones by id.
func (r *Report) Sort(by Order) {
	slices.SortStableFunc(r.Rows, func(a, b Row) int { return cmp.Or(by.compare(&a, &b), strings.Compare(a.ID, b.ID)) })
}

func (o Order) compare(a, b *Row) int {
	x, y := a.Seen, b.Seen
	if x == nil {
		x = &Token{}
	}
	if y == nil {
		y = &Token{}
	}
	switch o {
	case ByDenials:
		return cmp.Compare(y.Denied+y.WouldDeny, x.Denied+x.WouldDeny)
	case ByLast:
		return a.Last().Compare(b.Last())
	case ByExpiry:
		return cmp.Or(boolCompare(a.Expires.IsZero(), b.Expires.IsZero()), a.Expires.Compare(b.Expires))
	case ByAge:
		return cmp.Or(boolCompare(a.Created.IsZero(), b.Created.IsZero()), a.Created.Compare(b.Created))
	case ByOwner:
		return strings.Compare(strings.ToLower(a.Owner()), strings.ToLower(b.Owner()))
	case ByUnmap:
		return cmp.Compare(y.Unmapped, x.Unmapped)
	}
	return cmp.Compare(y.Calls, x.Calls)
}

// boolCompare orders false before true.
func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
