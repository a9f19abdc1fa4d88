package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/usage"
)

// pageSize is how many tokens stand on one page.
const pageSize = 100

// limits say when tokens count as unused, and as expiring soon, without a filter for it.
var limits = usage.Limits{Unused: 90 * 24 * time.Hour, Expiring: 14 * 24 * time.Hour}

// tokensQuery is what the page of tokens shows, as its URL says.
type tokensQuery struct {
	Text                                   string
	Unscoped, NoExpiry, Refused, OwnerGone bool
	Unused, Expiring                       string // durations such as 30d; empty for all
	Order                                  usage.Order
	Page                                   int // from 1
	unusedFor, expiringIn                  time.Duration
}

// Names of parameters of the tokens page. Those of filters are the admin API's.
const (
	paramText      = "q"
	paramUnscoped  = "unscoped"
	paramNoExpiry  = "no_expiry"
	paramRefused   = "refused"
	paramOwnerGone = "owner_gone"
	paramUnused    = "unused"
	paramExpiring  = "expiring"
	paramSort      = "sort"
	paramPage      = "page"
)

// parseTokensQuery reads a query.
func parseTokensQuery(values url.Values) (tokensQuery, error) {
	q, err := readTokensQuery(values)
	if err != nil {
		return q, errorf(http.StatusBadRequest, "%w", err)
	}
	return q, nil
}

func readTokensQuery(values url.Values) (q tokensQuery, err error) {
	q.Text = filterText(values, paramText)
	for name, into := range map[string]*bool{paramUnscoped: &q.Unscoped, paramNoExpiry: &q.NoExpiry, paramRefused: &q.Refused, paramOwnerGone: &q.OwnerGone} {
		if value := values.Get(name); value != "" {
			if *into, err = strconv.ParseBool(value); err != nil {
				return q, fmt.Errorf("%s must be true or false, not %q", name, value)
			}
		}
	}
	q.Unused, q.Expiring = values.Get(paramUnused), values.Get(paramExpiring)
	for name, into := range map[string]*time.Duration{paramUnused: &q.unusedFor, paramExpiring: &q.expiringIn} {
		if value := values.Get(name); value != "" {
			if *into, err = duration.Parse(value); err != nil || *into <= 0 {
				return q, fmt.Errorf("%s must be a duration such as 30d or 12h, not %q", name, value)
			}
		}
	}
	if q.Order, err = usage.ParseOrder(values.Get(paramSort)); err != nil {
		return q, err
	}
	q.Page = 1
	if value := values.Get(paramPage); value != "" {
		if q.Page, err = strconv.Atoi(value); err != nil || q.Page < 1 {
			return q, fmt.Errorf("page must be a number from 1, not %q", value)
		}
	}
	return q, nil
}

// selectFrom returns what a query asks for, in its order. The report stays as it is.
func (q tokensQuery) selectFrom(report *usage.Report, ownerless map[string]bool) usage.Report {
	found := report.Filter(q.filter()) // copies the rows
	if q.OwnerGone {
		found.Rows = slices.DeleteFunc(found.Rows, func(r usage.Row) bool { return !ownerless[r.ID] })
	}
	found.Sort(q.Order)
	return found
}

// filter returns the part of a query that reports know.
func (q tokensQuery) filter() usage.Filter {
	return usage.Filter{
		Text: q.Text, Unscoped: q.Unscoped, NoExpiry: q.NoExpiry, Refused: q.Refused,
		Unused: q.unusedFor, Expiring: q.expiringIn,
	}
}

// limits returns those of the filter where it has them, so that flags and filter agree.
func (q tokensQuery) limits() usage.Limits {
	l := limits
	if q.unusedFor > 0 {
		l.Unused = q.unusedFor
	}
	if q.expiringIn > 0 {
		l.Expiring = q.expiringIn
	}
	return l
}

// Filtered reports whether some tokens may be left out.
func (q tokensQuery) Filtered() bool { return q.OwnerGone || q.filter() != usage.Filter{} }

// encode writes a query of the same filter, in an order and at a page.
func (q tokensQuery) encode(order usage.Order, page int) string {
	values := url.Values{}
	for name, value := range map[string]string{paramText: q.Text, paramUnused: q.Unused, paramExpiring: q.Expiring} {
		if value != "" {
			values.Set(name, value)
		}
	}
	for name, on := range map[string]bool{paramUnscoped: q.Unscoped, paramNoExpiry: q.NoExpiry, paramRefused: q.Refused, paramOwnerGone: q.OwnerGone} {
		if on {
			values.Set(name, "true")
		}
	}
	if order != usage.ByCalls {
		values.Set(paramSort, string(order))
	}
	if page > 1 {
		values.Set(paramPage, strconv.Itoa(page))
	}
	return values.Encode()
}

// option is one of a select.
type option struct {
	Value, Label string
	Selected     bool
}

// UnusedOptions and ExpiringOptions are what the form offers.
func (q tokensQuery) UnusedOptions() []option {
	return durations(q.Unused, "any time", "30d", "90d", "180d", "365d")
}

// ExpiringOptions: see UnusedOptions.
func (q tokensQuery) ExpiringOptions() []option {
	return durations(q.Expiring, "any time", "7d", "14d", "30d", "90d")
}

// durations are options, of which one is selected. It is added if it is none of them.
func durations(selected, none string, offered ...string) []option {
	if selected != "" && !slices.Contains(offered, selected) {
		offered = append(offered, selected)
	}
	all := []option{{"", none, selected == ""}}
	for _, value := range offered {
		label := value
		if days, ok := strings.CutSuffix(value, "d"); ok {
			label = days + " days"
		}
		all = append(all, option{value, label, value == selected})
	}
	return all
}
