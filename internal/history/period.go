package history

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Period is a time until now.
type Period struct {
	// Name is how URLs name it, and Label how people do.
	Name, Label string
	Length      time.Duration
	// Step is how much of it one bin counts. A counter must be scraped twice in it.
	Step time.Duration
}

// Periods are those that can be asked for, the shortest first. Each has 180 bins at most.
var Periods = []Period{
	{"6h", "6 hours", 6 * time.Hour, 5 * time.Minute},
	{"24h", "24 hours", 24 * time.Hour, 10 * time.Minute},
	{"7d", "7 days", 7 * 24 * time.Hour, time.Hour},
}

// Match selects series by the value of a label that Prometheus adds, such as job.
type Match struct{ Label, Value string }

// ownLabels are those by which the queries tell decisions apart.
var ownLabels = []string{"decision", "mode", "outcome", "reason"}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// maxMatch bounds a match, in bytes.
const maxMatch = 256

// ParseMatch reads <label>=<value>.
func ParseMatch(text string) (Match, error) {
	label, value, ok := strings.Cut(text, "=")
	switch {
	case !ok || value == "" || !labelName.MatchString(label) || strings.HasPrefix(label, "__"):
		return Match{}, errors.New("match needs a label and its value, such as job=scopegate")
	case len(text) > maxMatch:
		return Match{}, fmt.Errorf("match has %d bytes, and at most %d are possible", len(text), maxMatch)
	case slices.Contains(ownLabels, label):
		return Match{}, fmt.Errorf("match %s: that label tells decisions apart; match one that Prometheus adds, such as job or namespace", label)
	}
	return Match{label, value}, nil
}

// selector returns matches as a part of a selector of PromQL.
func selector(matches []Match) string {
	var b strings.Builder
	for _, m := range matches {
		b.WriteString("," + m.Label + "=" + strconv.Quote(m.Value))
	}
	return b.String()
}
