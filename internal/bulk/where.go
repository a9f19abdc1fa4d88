package bulk

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/usage"
)

// MinIDPrefix is how many digits of an id are needed to select tokens by it.
const MinIDPrefix = 8

// Where selects tokens. A token must match all that is set; the zero value selects all. The
// fields up to Owner are as in [usage.Filter], and the gateway checks them.
type Where struct {
	Unscoped, NoExpiry bool
	Unused, Expiring   string
	Owner              string
	// IDs are beginnings of token ids in lower case, of which one must match.
	IDs []string
}

// Terms are the terms of which filters are made, as users write them.
var Terms = []string{"owner=", "unscoped", "no-expiry", "unused=", "expiring=", "id="}

// usageOfTerms says which terms there are.
const usageOfTerms = "filters are owner=<name>, unscoped, no-expiry, unused=<time>, expiring=<time> and id=<digits>, separated by commas"

// ParseWhere reads filters: each text has terms that are separated by commas. The beginning of
// a token id is a term, too.
func ParseWhere(texts []string) (Where, error) {
	var w Where
	seen := make(map[string]bool)
	for _, text := range texts {
		for term := range strings.SplitSeq(text, ",") {
			name, err := w.add(strings.TrimSpace(term))
			switch {
			case err != nil:
				return Where{}, err
			case seen[name] && name != "id":
				return Where{}, fmt.Errorf("the filter %s is set twice; a token must match all filters", name)
			}
			seen[name] = true
		}
	}
	return w, nil
}

// add adds a term, and returns its name.
func (w *Where) add(term string) (name string, err error) {
	name, value, valued := strings.Cut(term, "=")
	name = strings.ToLower(strings.TrimSpace(name))
	value = strings.TrimSpace(value)
	switch name {
	case "":
		return "", errors.New("a filter is empty; " + usageOfTerms)
	case "unscoped", "no-expiry":
		if valued {
			return "", fmt.Errorf("the filter %s takes no value", name)
		}
	case "owner", "unused", "expiring", "id":
		if value == "" {
			return "", fmt.Errorf("the filter %s needs a value; %s", name, usageOfTerms)
		}
	default:
		if !valued && isHex(strings.TrimSuffix(name, "…")) {
			return "id", w.addID(name)
		}
		known := []string{"owner", "unscoped", "no-expiry", "unused", "expiring", "id"}
		if nearest, ok := didyoumean.Nearest(name, known); ok {
			return "", fmt.Errorf("unknown filter %q; did you mean %s?", name, nearest)
		}
		return "", fmt.Errorf("unknown filter %q; %s", name, usageOfTerms)
	}
	switch name {
	case "unscoped":
		w.Unscoped = true
	case "no-expiry":
		w.NoExpiry = true
	case "owner":
		w.Owner = value
	case "id":
		err = w.addID(strings.ToLower(value))
	case "unused":
		w.Unused, err = checkTime(name, value)
	case "expiring":
		w.Expiring, err = checkTime(name, value)
	}
	return name, err
}

func (w *Where) addID(prefix string) error {
	prefix = strings.TrimSuffix(prefix, "…")
	switch {
	case !isHex(prefix): // not quoted: it may be a token that was pasted by mistake
		return errors.New("a token id has hexadecimal digits only; its first 8 or more are enough, as scopes report shows them")
	case len(prefix) < MinIDPrefix || len(prefix) > 64:
		return fmt.Errorf("a token id has 64 hexadecimal digits; give at least the first %d, not %d", MinIDPrefix, len(prefix))
	}
	w.IDs = append(w.IDs, prefix)
	return nil
}

func checkTime(name, value string) (string, error) {
	if d, err := duration.Parse(value); err != nil || d <= 0 {
		return "", fmt.Errorf("the filter %s needs a time such as 30d or 12h, not %q", name, value)
	}
	return value, nil
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// picks reports whether a token's id is one of those that are wanted.
func (w *Where) picks(row *usage.PlanRow) bool {
	if len(w.IDs) == 0 {
		return true
	}
	for _, prefix := range w.IDs {
		if strings.HasPrefix(row.ID, prefix) {
			return true
		}
	}
	return false
}
