package adminapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/duration"
)

// The query parameters. Those of reports and recommendations are named like the flags
// of their commands.
const (
	paramMethod    = "method"
	paramPath      = "path"
	paramScopes    = "scopes"
	paramKind      = "kind"
	paramTokenID   = "token_id"
	paramWorkspace = "workspace"
	paramFormat    = "format"
	paramSort      = "sort"
	paramUnscoped  = "unscoped"
	paramNoExpiry  = "no_expiry"
	paramUnused    = "unused"
	paramExpiring  = "expiring"
	paramOwner     = "owner"
	paramState     = "state"
	paramUsed      = "used"
	paramAll       = "all"
	paramFile      = "file"
	paramBase      = "base"

	paramGeneration = "generation"
)

// Formats of answers.
const (
	formatJSON  = "json"
	formatCSV   = "csv"
	formatTable = "table"
	formatText  = "text"
)

// knownParameters rejects other parameters: a report with a misspelled filter would
// silently list all tokens.
func knownParameters(query url.Values, known ...string) error {
	for name := range query {
		if !slices.Contains(known, name) {
			return errorf(http.StatusBadRequest, "unknown parameter %q; %s", name, didyoumean.Hint(name, known))
		}
	}
	return nil
}

// readBool reads a parameter that may be missing.
func readBool(query url.Values, name string) (bool, error) {
	value := query.Get(name)
	if value == "" {
		return false, nil
	}
	yes, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%s must be true or false, not %q", name, value)
	}
	return yes, nil
}

// readDuration reads a parameter that may be missing.
func readDuration(query url.Values, name string) (time.Duration, error) {
	value := query.Get(name)
	if value == "" {
		return 0, nil
	}
	d, err := duration.Parse(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s must be a duration such as 30d or 12h, not %q", name, value)
	}
	return d, nil
}

// set adds a parameter unless it is empty.
func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// setBool adds a parameter if it is true.
func setBool(query url.Values, name string, value bool) {
	if value {
		query.Set(name, "true")
	}
}
