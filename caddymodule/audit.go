package caddymodule

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/scopes"
)

func init() {
	audit.GuardOpenTelemetry(func(problem, detail string) {
		auditLogger().Warn(problem, zap.String("detail", detail))
	})
}

// Audit says what becomes of the record of every decision. It is written to an output
// of its own or to the logger `http.handlers.databricks_scopes.audit`, and sent as
// OpenTelemetry spans and log records where the standard environment variables ask for that
// (`OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_LOGS_EXPORTER` and
// the rest of `OTEL_*`).
type Audit struct {
	// Where records are written, one line of JSON each: `stdout`, `stderr`, `file` or
	// another of Caddy's log writers. Lines are written many together, a hundredth of
	// a second later, which costs less than logging them; those of that moment are lost
	// if the process is killed. A file must not be that of a log of Caddy's too.
	// Default: none; records go to the logger.
	OutputRaw json.RawMessage `json:"output,omitempty" caddy:"namespace=caddy.logging.writers inline_key=output"`

	// Whether records go to the logger `http.handlers.databricks_scopes.audit`, and so
	// to Caddy's logs: `on` or `off`. Each line is written before its request ends.
	// Default: `on` without an output, else `off`.
	Log string `json:"log,omitempty"`

	// What is left out of records everywhere. `path` leaves only the path's
	// template. Default: nothing; queries are never recorded.
	Redact []string `json:"redact,omitempty"`

	// How the comments of tokens appear, which are free text of whoever made them:
	// `hash` shows which are the same, `plain` shows them, `off` leaves them out.
	// Default: `hash`.
	Comment string `json:"comment,omitempty"`

	// How many records may wait, those being sent included, for the output and for
	// OpenTelemetry's spans and log records each. With `when_full` `refuse` it also
	// bounds the requests under way. Default: `4096` for the output; else `2048`, or
	// `OTEL_BSP_MAX_QUEUE_SIZE` and `OTEL_BLRP_MAX_QUEUE_SIZE`.
	Queue int `json:"queue,omitempty"`

	// What happens when that many wait: `drop` loses records and counts them in
	// `scopegate_audit_dropped_total`, for the output after a request has waited 5s in
	// vain; `block` lets the request wait for room, and then drops; `refuse` answers
	// requests 503 that could not be recorded, unless `mode` is `observe`. With
	// `block` and `refuse` what could not be sent or written is kept and tried again.
	// The logger has no queue. Default: `drop`.
	WhenFull string `json:"when_full,omitempty"`

	// How long a request waits for room with `when_full` `block`; at most 30s.
	BlockFor caddy.Duration `json:"block_for,omitempty"`
}

const (
	on  = "on"
	off = "off"

	redactPath = "path"

	maxQueue = 1_000_000
	maxBlock = 30 * time.Second
)

var (
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
		oneOf("audit log", a.Log, logModes),
		oneOf("audit comment", a.Comment, commentModes),
		between("audit queue", a.Queue, maxQueue),
		oneOf("audit when_full", a.WhenFull, whenFulls),
		betweenDurations("audit block_for", a.BlockFor, maxBlock),
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

func (a *Audit) redactsPath() bool { return a != nil && slices.Contains(a.Redact, redactPath) }

func (a *Audit) commentMode() audit.CommentMode {
	if a == nil || a.Comment == "" {
		return audit.CommentHash
	}
	return audit.CommentMode(a.Comment)
}

// settings returns how records are sent, with defaults.
func (a *Audit) settings() audit.Settings {
	if a == nil {
		return audit.Settings{WhenFull: audit.Drop}
	}
	settings := audit.Settings{Queue: a.Queue, WhenFull: audit.WhenFull(a.WhenFull), BlockFor: time.Duration(a.BlockFor)}
	if settings.WhenFull == "" {
		settings.WhenFull = audit.Drop
	}
	return settings
}

// unmarshal sets up the audit from Caddyfile tokens.
func (a *Audit) unmarshal(d *caddyfile.Dispenser) error {
	return eachOption(d, map[string]func() error{
		"output": func() error { return a.unmarshalOutput(d) },
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
		"when_full": func() error {
			return a.unmarshalWhenFull(d)
		},
	})
}

// unmarshalWhenFull reads drop, block <duration> or refuse.
func (a *Audit) unmarshalWhenFull(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("when_full is drop, block <duration> or refuse")
	}
	a.WhenFull = args[0]
	if err := oneOf("when_full", a.WhenFull, whenFulls); err != nil {
		if nearest, ok := scopes.Closest(a.WhenFull, whenFulls); ok {
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
		return d.Errf("when_full block must be more than 0 and at most %s, not %s", maxBlock, args[1])
	}
	a.BlockFor = caddy.Duration(wait)
	return nil
}

// eventLossy: the audit began to lose records, or has stopped to. Data: sink (output,
// log, traces or logs), losing (true or false); at the beginning cause and detail, at
// the end lost, the number of records.
const eventLossy = "databricks_audit_lossy"

// loggedLosses are those of the audit logger, of all handlers.
var loggedLosses = audit.NewLosses(audit.SinkLog, processMetrics(), lossWatcher{})

func processMetrics() *metrics.Metrics {
	m, _ := metrics.Register(nil) // fails only with a registry
	return m
}

// lossWatcher tells the log and the events app that records are lost.
type lossWatcher struct{}

// LosingRecords implements [audit.LossObserver].
func (lossWatcher) LosingRecords(sink, cause, detail string) {
	auditLogger().Error("the audit loses records; scopegate_audit_dropped_total counts them",
		zap.String("sink", sink), zap.String("cause", cause), zap.String("detail", detail))
	emitAny(eventLossy, map[string]any{"sink": sink, "losing": true, "cause": cause, "detail": detail})
}

// KeepingRecords implements [audit.LossObserver].
func (lossWatcher) KeepingRecords(sink string, lost int64) {
	auditLogger().Info("the audit keeps all records again",
		zap.String("sink", sink), zap.Int64("lost", lost))
	emitAny(eventLossy, map[string]any{"sink": sink, "losing": false, "lost": lost})
}

// auditLogger is for what outlives configurations.
func auditLogger() *zap.Logger { return caddy.Log().Named("http.handlers.databricks_scopes") }

// emitAny emits an event that is not about one workspace through one of the
// handlers.
func emitAny(name string, data map[string]any) {
	for _, h := range live.list() {
		if h.events != nil {
			go h.events.Emit(h.ctx, name, data) // see emitFor
			return
		}
	}
}

// hashRules returns a name for the rules in force, so that a record tells which
// were. Configurations that judge alike have the same.
func (h *Handler) hashRules() (string, error) {
	rules, err := json.Marshal(struct {
		Mode, Unscoped, OAuth string
		Policies              []Policy
	}{h.modeName(), orDefault(h.UnscopedTokens, unscoped), orDefault(h.OAuth, oauths), h.Policies})
	if err != nil {
		return "", fmt.Errorf("naming the rules: %w", err)
	}
	sum := sha256.Sum256(rules)
	return hex.EncodeToString(sum[:6]), nil
}

// orDefault returns a setting, or the first of its choices where it is not set.
func orDefault(value string, choices []string) string {
	if value == "" {
		return choices[0]
	}
	return value
}

// hostName returns the name of the host of a workspace's URL.
func hostName(workspace string) string {
	u, err := url.Parse(workspace)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
