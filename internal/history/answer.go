package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/recent"
)

// Decisions are counts of what was decided in a period.
type Decisions struct {
	// Bins are those of the period, the oldest first. The last one is over.
	Bins []recent.Minute
	Step time.Duration
	// Since is when the first bin begins of which anything is known; zero for none.
	Since time.Time
}

// answer is that of a range query, as far as it is read.
type answer struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Data      struct {
		ResultType string   `json:"resultType"`
		Result     []series `json:"result"`
	} `json:"data"`
}

type series struct {
	Metric map[string]string `json:"metric"`
	Values []sample          `json:"values"`
}

// sample is a time in seconds since 1970, and a value.
type sample struct{ at, value float64 }

// UnmarshalJSON reads [1435781430.781, "1"].
func (s *sample) UnmarshalJSON(text []byte) error {
	var value string
	pair := []any{&s.at, &value}
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return errors.New("not a sample")
	}
	var err error
	s.value, err = strconv.ParseFloat(value, 64)
	return err
}

// errorTypes are the kinds of errors of Prometheus, with what to do. Its own words are not
// repeated: they may be of someone else.
var errorTypes = map[string]string{
	"timeout":     "the query took too long there",
	"canceled":    "the query was canceled there",
	"execution":   "the query failed there; its log says why",
	"bad_data":    "it does not understand the query; is it Prometheus 2.0 or newer?",
	"internal":    "it has an internal error; its log says why",
	"unavailable": "it is not ready yet",
	"not_found":   "it does not have the API; check the path in the URL",
}

// read reads an answer.
func read(body []byte, g grid) (Decisions, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || a.Status == "" {
		return Decisions{}, errors.New("the answer is not one of Prometheus; check the URL")
	}
	switch {
	case a.Status == "error" && errorTypes[a.ErrorType] != "":
		return Decisions{}, errors.New(errorTypes[a.ErrorType])
	case a.Status != "success":
		return Decisions{}, errors.New("it answered with an error; its log says why")
	case a.Data.ResultType != "matrix":
		return Decisions{}, errors.New("the answer is not one to a range query; check the URL")
	}
	return count(a.Data.Result, g), nil
}

// count adds up series. Times that were not asked for and values that no counter has, such as
// NaN, do not count.
func count(all []series, g grid) Decisions {
	sums := make([][classes]float64, g.bins)
	first := g.bins
	for i := range all {
		class := classOf(all[i].Metric)
		for _, s := range all[i].Values {
			bin, ok := g.bin(s.at)
			if !ok || math.IsNaN(s.value) || s.value < 0 || math.IsInf(s.value, 0) {
				continue
			}
			sums[bin][class] += s.value
			first = min(first, bin)
		}
	}
	d := Decisions{Bins: make([]recent.Minute, g.bins), Step: g.step}
	for i := range sums {
		sum := &sums[i]
		// What the workspace did not answer has passed, and is in another metric as well.
		sum[passed] = max(0, sum[passed]-sum[unanswered])
		d.Bins[i] = recent.Minute{Begins: g.begins(i), Classes: recent.Classes{
			Allowed: whole(sum[passed]), Refused: whole(sum[refused]), WouldRefuse: whole(sum[wouldRefuse]),
			Unavailable: whole(sum[unavailable] + sum[unanswered]),
		}}
	}
	if first < g.bins {
		d.Since = g.begins(first)
	}
	return d
}

// whole rounds a sum of extrapolated counts, and bounds it so that sums of bins fit.
func whole(sum float64) int {
	const most = 1 << 50
	return int(math.Round(min(sum, most)))
}

// classes of series.
const (
	passed = iota
	refused
	wouldRefuse
	unavailable
	unanswered
	foreign // not asked for
	classes
)

// unavailableReasons are those that say nothing about the token.
var unavailableReasons = []policy.Reason{policy.DirectoryUnavailable, policy.GatewayMisconfigured, policy.AuditUnavailable}

// classOf returns where a series counts, as [recent.Minutes] counts records.
func classOf(labels map[string]string) int {
	decision, counted := labels["decision"]
	switch {
	case labels["outcome"] != "":
		return unanswered
	case slices.Contains(unavailableReasons, policy.Reason(labels["reason"])):
		return unavailable
	case counted && decision != "deny":
		return passed
	case labels["mode"] == "enforce": // of a decision, or of a call that clients go on without
		return refused
	case labels["mode"] == "observe":
		return wouldRefuse
	}
	return foreign
}

// statusError says what to do about an answer that is not 200. Prometheus says more in its body,
// with some statuses.
func statusError(status int, body []byte) error {
	var a answer
	if err := json.Unmarshal(body, &a); err == nil && errorTypes[a.ErrorType] != "" {
		return errors.New(errorTypes[a.ErrorType])
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("it answered %d; check the option token", status)
	case status == http.StatusNotFound:
		return errors.New("it answered 404; check the path in the URL")
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		return fmt.Errorf("it answered %d, and redirects are not followed; write the URL that it leads to", status)
	}
	return fmt.Errorf("it answered %d", status)
}
