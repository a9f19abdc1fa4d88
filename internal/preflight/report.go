package preflight

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// Status says how a check ended.
type Status string

// The ways a check can end.
const (
	OK   Status = "ok"
	Warn Status = "warn" // it works, but not as it should
	Fail Status = "fail"
	Skip Status = "skip" // it needs one that failed
)

// Result is what one check found out. It holds no secret.
type Result struct {
	Status Status `json:"status"`
	// Check is the name of the check (fixed list).
	Check string `json:"check"`
	// Subject is what was checked: the URL of a workspace, a file, an address.
	Subject string `json:"subject,omitempty"`
	Detail  string `json:"detail"`
	// Advice says what to do, unless all is well.
	Advice string `json:"advice,omitempty"`
}

// Report holds the results in the order of the checks.
type Report struct {
	Results  []Result `json:"results"`
	OK       int      `json:"ok"`
	Warnings int      `json:"warnings"`
	Failures int      `json:"failures"`
	Skipped  int      `json:"skipped"`
}

// add appends a result and counts it.
func (r *Report) add(result Result) {
	r.Results = append(r.Results, result)
	switch result.Status {
	case OK:
		r.OK++
	case Warn:
		r.Warnings++
	case Fail:
		r.Failures++
	case Skip:
		r.Skipped++
	}
}

// Add appends the result of a check that this package does not make. Without an error all is
// well, and the detail says what.
func (r *Report) Add(check, subject, detail string, err error) {
	if err != nil {
		r.add(Result{Status: Fail, Check: check, Subject: subject, Detail: err.Error()})
		return
	}
	r.add(Result{Status: OK, Check: check, Subject: subject, Detail: detail})
}

func (r *Report) ok(check, subject, detail string) {
	r.add(Result{Status: OK, Check: check, Subject: subject, Detail: detail})
}

func (r *Report) warn(check, subject, detail, advice string) {
	r.add(Result{Status: Warn, Check: check, Subject: subject, Detail: detail, Advice: advice})
}

func (r *Report) fail(check, subject, detail, advice string) {
	r.add(Result{Status: Fail, Check: check, Subject: subject, Detail: detail, Advice: advice})
}

func (r *Report) skip(check, subject, detail string) {
	r.add(Result{Status: Skip, Check: check, Subject: subject, Detail: detail})
}

// WriteTable writes a line for each result, and one that counts them.
func (r *Report) WriteTable(out io.Writer) error {
	for _, result := range r.Results {
		line := result.Detail
		if result.Subject != "" {
			line = result.Subject + ": " + line
		}
		if result.Advice != "" {
			line += "; " + result.Advice
		}
		if _, err := fmt.Fprintf(out, "%-4s  %-13s  %s\n", result.Status, result.Check, sanitize.String(strings.ReplaceAll(line, "\n", "; "), sanitize.MaxText)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%d ok, %d to look at, %d failed, %d skipped\n", r.OK, r.Warnings, r.Failures, r.Skipped)
	return err
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(out io.Writer) error {
	if r.Results == nil {
		r.Results = []Result{}
	}
	document, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = out.Write(append(sanitize.JSON(document), '\n'))
	return err
}
