package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/didyoumean"
	durations "github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/merge"
)

// Audit sets where the record of every decision goes. Records are written to an output
// or to the logger `http.handlers.databricks_scopes.audit`, and sent as OpenTelemetry
// spans and log records if the standard environment variables ask for that
// (`OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_LOGS_EXPORTER` and
// the rest of `OTEL_*`).
type Audit struct {
	// Where records are written, one line of JSON each: `stdout`, `stderr`, `file` or
	// another of Caddy's log writers. Lines are written in batches, up to 10 ms later,
	// which costs less than logging them; a process that is killed loses those 10 ms.
	// A file may be rotated by other programs, such as `logrotate`; do not use that of
	// another Caddy log. Default: none; records go to the logger.
	OutputRaw json.RawMessage `json:"output,omitempty" caddy:"namespace=caddy.logging.writers inline_key=output"`

	// How the output writes decisions: `json`, or `ocsf` for events of the Open
	// Cybersecurity Schema Framework, which security information systems read. The
	// logger and OpenTelemetry have forms of their own. Default: `json`.
	Format string `json:"format,omitempty"`

	// Whether records go to the logger `http.handlers.databricks_scopes.audit`, and so
	// to Caddy's logs: `on` or `off`. Each line is written before its request ends.
	// Default: `on` without an output, else `off`.
	Log string `json:"log,omitempty"`

	// What to omit from records. `path` keeps only the path's template. Default:
	// nothing; queries are never recorded.
	Redact []string `json:"redact,omitempty"`

	// How to record token comments, which are free text by the token's creator:
	// `hash` shows which are equal, `plain` shows them, `off` omits them. Default:
	// `hash`.
	Comment string `json:"comment,omitempty"`

	// How many records may wait, including those being sent, for the output and for
	// OpenTelemetry's spans and log records each. With `when_full` `refuse` it also
	// bounds the number of requests in flight. Default: `4096` for the output; else
	// `2048`, or `OTEL_BSP_MAX_QUEUE_SIZE` and `OTEL_BLRP_MAX_QUEUE_SIZE`.
	Queue int `json:"queue,omitempty"`

	// What happens when the queue is full: `drop` drops records and counts them in
	// `scopegate_audit_dropped_total` (for the output, after a request has waited 5s);
	// `block` makes the request wait for room, and then drops; `refuse` answers 503 to
	// requests that could not be recorded, also while the output cannot be written,
	// unless `mode` is `observe`. With `block` and `refuse`, records that could not be
	// sent or written are retried. The logger has no queue. Default: `drop`.
	WhenFull string `json:"when_full,omitempty"`

	// After how long a request that has not ended leaves a record with the outcome
	// `open`; another follows when it ends. At most 1h. Default: `5s`.
	OpenAfter caddy.Duration `json:"open_after,omitempty"`

	// How long a request waits for room with `when_full` `block`; at most 30s.
	BlockFor caddy.Duration `json:"block_for,omitempty"`
}

const (
	on  = "on"
	off = "off"

	redactPath = "path"

	maxQueue = 1_000_000
	maxBlock = 30 * time.Second

	defaultOpenAfter = 5 * time.Second
	maxOpenAfter     = time.Hour
)

var (
	formats      = []string{string(audit.FormatJSON), string(audit.FormatOCSF)}
	logModes     = []string{on, off}
	redactions   = []string{redactPath}
	commentModes = []string{string(audit.CommentHash), string(audit.CommentPlain), string(audit.CommentOff)}
	whenFulls    = []string{string(audit.Drop), string(audit.Block), string(audit.Refuse)}
)

func (a *Audit) validate() error {
	if a == nil {
		return nil
	}
	problems := []error{
		oneOf("audit format", a.Format, formats),
		oneOf("audit log", a.Log, logModes),
		oneOf("audit comment", a.Comment, commentModes),
		between("audit queue", a.Queue, maxQueue),
		oneOf("audit when_full", a.WhenFull, whenFulls),
		betweenDurations("audit block_for", a.BlockFor, maxBlock),
		betweenDurations("audit open_after", a.OpenAfter, maxOpenAfter),
	}
	for _, what := range a.Redact {
		problems = append(problems, oneOf("audit redact", what, redactions))
	}
	if blocks := a.WhenFull == string(audit.Block); blocks != (a.BlockFor != 0) {
		problems = append(problems, errors.New("audit when_full block and block_for belong together"))
	}
	return errors.Join(problems...)
}

// logs reports whether records go to the logger.
func (a *Audit) logs() bool {
	return a == nil || a.Log == on || a.Log == "" && a.OutputRaw == nil
}

// formatsOutput reports an error for a format without an output, which nothing would have.
func (a *Audit) formatsOutput() error {
	if a == nil || a.Format == "" || a.OutputRaw != nil {
		return nil
	}
	return fmt.Errorf("audit format %s is that of the output, and there is none; add one, such as output file /var/log/scopegate/audit.jsonl", a.Format)
}

func (a *Audit) redactsPath() bool { return a != nil && slices.Contains(a.Redact, redactPath) }

// openAfter is after how long a request that has not ended leaves a record.
func (a *Audit) openAfter() time.Duration {
	if a == nil {
		return defaultOpenAfter
	}
	return cmp.Or(time.Duration(a.OpenAfter), defaultOpenAfter)
}

func (a *Audit) commentMode() audit.CommentMode {
	if a == nil || a.Comment == "" {
		return audit.CommentHash
	}
	return audit.CommentMode(a.Comment)
}

// settings returns how records are sent and written, with defaults.
func (a *Audit) settings() audit.Settings {
	if a == nil {
		return audit.Settings{WhenFull: audit.Drop}
	}
	settings := audit.Settings{Queue: a.Queue, WhenFull: audit.WhenFull(a.WhenFull), BlockFor: time.Duration(a.BlockFor), Format: audit.Format(cmp.Or(a.Format, string(audit.FormatJSON)))}
	if settings.WhenFull == "" {
		settings.WhenFull = audit.Drop
	}
	return settings
}

func (a *Audit) options(d *caddyfile.Dispenser) options {
	return options{
		"output": func() error { return a.unmarshalOutput(d) },
		"format": func() error { return choice(d, &a.Format, formats) },
		"log":    func() error { return choice(d, &a.Log, logModes) },
		"redact": func() error {
			var what string
			if err := choice(d, &what, redactions); err != nil {
				return err
			}
			a.Redact = append(a.Redact, what)
			return nil
		},
		"comment": func() error { return choice(d, &a.Comment, commentModes) },
		"queue":   func() error { return positive(d, &a.Queue, maxQueue) },
		"open_after": func() error {
			return duration(d, &a.OpenAfter, maxOpenAfter)
		},
		"when_full": func() error {
			return a.unmarshalWhenFull(d)
		},
	}
}

// unmarshalWhenFull reads drop, block <duration> or refuse.
func (a *Audit) unmarshalWhenFull(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("when_full is drop, block <duration> or refuse")
	}
	a.WhenFull = args[0]
	if err := oneOf("when_full", a.WhenFull, whenFulls); err != nil {
		if nearest, ok := didyoumean.Nearest(a.WhenFull, whenFulls); ok {
			return d.Errf("%v; did you mean %s?", err, nearest)
		}
		return at(d, err)
	}
	if a.WhenFull != string(audit.Block) {
		if len(args) > 1 {
			return d.Errf("when_full %s takes no value; %q is one too many", a.WhenFull, args[1])
		}
		return nil
	}
	if len(args) != 2 {
		return d.Err("when_full block needs how long a request waits for room, such as when_full block 50ms")
	}
	wait, err := caddy.ParseDuration(args[1])
	switch {
	case err != nil:
		return d.Errf("when_full block must be followed by a duration such as 50ms, not %q", args[1])
	case wait <= 0 || wait > maxBlock:
		return d.Errf("when_full block must be more than 0 and at most %s, not %s", durations.Format(maxBlock), args[1])
	}
	a.BlockFor = caddy.Duration(wait)
	return nil
}

// merged returns a handler's settings, completed by those of the app.
func (a *Audit) merged(app *Audit) (*Audit, error) {
	var all Audit // a copy: loading the output's module consumes its JSON
	switch {
	case a == nil && app == nil:
		return nil, nil
	case app == nil:
		all = *a
		return &all, nil
	case a == nil:
		all = *app
		return &all, nil
	}
	all = *a
	conflict, err := merge.Options(&all, app)
	if err == nil && conflict != "" {
		err = fmt.Errorf("audit %s is set both here and in the %s app, with different values; set it once", conflict, appName)
	}
	return &all, err
}
