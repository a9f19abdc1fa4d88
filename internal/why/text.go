package why

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/sanitize"
)

// Line is one line of a story.
type Line struct {
	// Name says what the line is about. It is empty for one that continues the line before.
	Name string
	// Value is not sanitized.
	Value string
}

// WriteText writes the story for a terminal, in two columns.
func (s *Story) WriteText(to io.Writer) error {
	var out strings.Builder
	for _, line := range s.Lines() {
		fmt.Fprintf(&out, "%-10s %s\n", line.Name, sanitize.String(line.Value, sanitize.MaxText))
	}
	_, err := io.WriteString(to, out.String())
	return err
}

// Lines returns the story, line by line.
func (s *Story) Lines() (lines []Line) {
	line := func(name, value string) {
		if value != "" {
			lines = append(lines, Line{name, value})
		}
	}
	line("decision", s.verdict())
	line("because", s.because())
	line("to permit", s.Permit)
	line("when", s.when())
	line("request", s.Request.Method+" "+orElse(s.Request.Path, "(the path is not recorded)"))
	line("from", s.Request.Client)
	line("workspace", s.Request.Host)
	if len(s.Request.Dropped) > 0 {
		line("dropped", "headers "+strings.Join(s.Request.Dropped, ", "))
	}
	s.writeToken(line)
	s.writeOperation(line)
	if s.Rules != "" {
		line("rules", s.Rules+" (policy_hash)")
	}
	line("client saw", s.saw())
	line("message", s.Client.Message)
	for _, note := range s.Notes {
		line("note", note)
	}
	line("id", s.RequestID)
	if s.Client.Upstream != "" {
		line("", "the workspace calls it "+s.Client.Upstream)
	}
	return lines
}

func (s *Story) verdict() string {
	switch {
	case s.Decision == judge.Deny && s.Enforced:
		return "refused: " + string(s.Reason)
	case s.Decision == judge.Deny && s.Policy != "":
		return "passed, and recorded as refused (" + string(s.Reason) + "): the policy is rehearsed, or the mode is observe"
	case s.Decision == judge.Deny:
		return "passed, and recorded as refused (" + string(s.Reason) + "): the mode is observe"
	}
	return "passed: " + string(s.Reason)
}

// because says which rule decided.
func (s *Story) because() string {
	text := s.Meaning
	if s.Policy != "" {
		text += fmt.Sprintf(": %s, which %s", s.Policy, s.PolicyAsks)
	}
	if s.Detail != "" && s.Decision == judge.Deny {
		text += " (" + s.Detail + ")"
	}
	return text
}

// when says when the request arrived, and how it ended.
func (s *Story) when() string {
	arrived := s.Arrived.Format("2006-01-02T15:04:05.000Z07:00")
	took := time.Duration(s.Seconds * float64(time.Second)).Round(time.Microsecond).String()
	switch s.Outcome {
	case audit.Open:
		return arrived + "; it was still open after " + took + ", and another record follows when it ends"
	case audit.Answered:
		return arrived + ", answered after " + took
	}
	outcome := string(s.Outcome)
	if s.Detail != "" && s.Decision != judge.Deny {
		outcome += " (" + s.Detail + ")"
	}
	return arrived + ", outcome " + outcome + " after " + took
}

func (s *Story) writeToken(line func(name, value string)) {
	t := s.Token
	if t == nil {
		line("token", "none that is accepted")
		return
	}
	kind := map[string]string{"pat": " (personal access token)", "oauth": " (OAuth access token)"}[t.Kind]
	line("token", t.ID+kind)
	if !t.Known {
		line("", "nothing is known about it")
		return
	}
	owner := t.Owner
	if t.OwnerID != 0 {
		owner = strings.TrimSpace(owner + " (" + strconv.FormatInt(t.OwnerID, 10) + ")")
	}
	line("owner", owner)
	if t.Creator != t.Owner {
		line("created by", t.Creator)
	}
	comment := t.Comment
	if strings.HasPrefix(comment, "sha256:") { // see the option comment of audit
		comment += " (hashed, as in audit records)"
	}
	line("comment", comment)
	none := "no scopes"
	if t.Kind == "pat" {
		none += ": it was never narrowed"
	}
	line("holds", orElse(strings.Join(t.Scopes, ", "), none))
	line("expires", s.expires())
	if t.Source == "stale" {
		line("", fmt.Sprintf("these facts were %s old: the workspace could not be asked", time.Duration(t.Age*float64(time.Second)).Round(time.Second)))
	}
}

// expires says when the token ends.
func (s *Story) expires() string {
	at, err := time.Parse(time.RFC3339, s.Token.Expires)
	switch {
	case s.Token.Expires == "":
		return "the audit log does not say"
	case err != nil:
		return s.Token.Expires
	case !s.Arrived.Before(at):
		return s.Token.Expires + ", before the request"
	}
	return s.Token.Expires
}

func (s *Story) writeOperation(line func(name, value string)) {
	o := s.Operation
	if o == nil {
		return
	}
	name := o.Name
	if o.Template != "" && o.Evidence != "unmapped" {
		name += " (" + o.Template + ")"
	}
	line("operation", name)
	if len(o.Also) > 0 {
		line("readings", strings.Join(o.Also, ", "))
	}
	line("needs", o.Needs)
	evidence := o.Evidence
	if o.Source != "" {
		evidence += ": " + o.Source
	}
	line("evidence", evidence)
	line("map", o.Map+", "+strings.TrimPrefix(o.About, "of "))
}

// saw says what answer the client got.
func (s *Story) saw() string {
	c := s.Client
	switch {
	case c.Status == 0 && s.Outcome == audit.Open:
		return "nothing yet"
	case c.Status == 0:
		return "no answer"
	case c.By == byWorkspace:
		return strconv.Itoa(c.Status) + " from the workspace"
	case c.ErrorCode == 0:
		return strconv.Itoa(c.Status) + " from the gateway's site"
	}
	return fmt.Sprintf("%d from the gateway, with error_code %d and x-scopegate-reason %s", c.Status, c.ErrorCode, c.Reason)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
