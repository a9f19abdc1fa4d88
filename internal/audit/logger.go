package audit

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Message is the message of every line.
const Message = "decision"

// LoggerName is the name of the audit logger.
const LoggerName = "http.handlers.databricks_scopes.audit"

// Logger writes records to a log, one line each, before their requests end. A nil
// Logger writes nothing.
type Logger struct {
	logger *zap.Logger
	failed *failedLines
}

// NewLogger returns a Logger that counts lines which could not be written.
func NewLogger(logger *zap.Logger, losses *Losses) *Logger {
	failed := &failedLines{losses: losses}
	return &Logger{logger: logger.WithOptions(zap.ErrorOutput(failed)), failed: failed}
}

// Write writes a record as one line. Every line has the same fields, so that a search
// for denials finds in them what it would find in allowed requests.
func (l *Logger) Write(r *Record) {
	if l == nil {
		return
	}
	if entry := l.logger.Check(zap.InfoLevel, Message); entry != nil {
		before := l.failed.count.Load()
		entry.Write(zap.Inline(r))
		if l.failed.count.Load() == before {
			l.failed.losses.Kept()
		}
	}
}

// failedLines is where zap reports a line that could not be written. The report is not
// logged: it would go to the log that just failed.
type failedLines struct {
	losses *Losses
	count  atomic.Int64
}

func (f *failedLines) Write(report []byte) (int, error) {
	f.count.Add(1)
	f.losses.Lost(1, CauseWrite, failureIn(string(report)))
	return len(report), nil
}

func (*failedLines) Sync() error { return nil }

// MarshalLogObject implements [zapcore.ObjectMarshaler]. Durations are in seconds, as
// in Caddy's access log.
func (r *Record) MarshalLogObject(to zapcore.ObjectEncoder) error {
	line := zapLines.Get().(*zapLine)
	line.to = to
	encodeLine(r, line)
	err := line.err
	*line = zapLine{}
	zapLines.Put(line)
	return err
}

// zapLine encodes a line with zap.
type zapLine struct {
	to  zapcore.ObjectEncoder
	err error
}

// zapLines saves an allocation per line.
var zapLines = sync.Pool{New: func() any { return new(zapLine) }}

func (l *zapLine) text(f *field, text string)        { l.to.AddString(f.name, text) }
func (l *zapLine) number(f *field, number int64)     { l.to.AddInt64(f.name, number) }
func (l *zapLine) seconds(f *field, d time.Duration) { l.to.AddFloat64(f.name, d.Seconds()) }
func (l *zapLine) truth(f *field, truth bool)        { l.to.AddBool(f.name, truth) }
func (l *zapLine) time(f *field, t time.Time)        { l.to.AddTime(f.name, t) }
func (l *zapLine) words(f *field, words *[]string) {
	if err := l.to.AddArray(f.name, (*wordArray)(words)); err != nil {
		l.err = err
	}
}

type wordArray []string

func (w *wordArray) MarshalLogArray(to zapcore.ArrayEncoder) error {
	for _, word := range *w {
		to.AppendString(word)
	}
	return nil
}
