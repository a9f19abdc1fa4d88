package audit

import (
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/scopes"
)

// Message is that of every line.
const Message = "decision"

// LoggerName is the name of the logger.
const LoggerName = "http.handlers.databricks_scopes.audit"

// LogSink writes records to a logger, one line each, before their requests end.
type LogSink struct {
	logger *zap.Logger
	losses *Losses
}

// NewLogSink returns a sink that counts the lines which could not be written.
func NewLogSink(logger *zap.Logger, losses *Losses) *LogSink {
	return &LogSink{logger: logger.WithOptions(zap.ErrorOutput(failedLines{losses})), losses: losses}
}

// Write writes a record as one line. The set of fields is the same for every
// record, so that whoever searches for denials finds in them what is in allows. A
// nil sink writes nothing.
func (s *LogSink) Write(r *Record) {
	if s == nil {
		return
	}
	if entry := s.logger.Check(zap.InfoLevel, Message); entry != nil {
		entry.Write(zap.Inline(r))
		s.losses.Kept()
	}
}

// failedLines is where zap reports a line that a log could not take. What it says
// goes no further: that log may be the one for it.
type failedLines struct{ losses *Losses }

func (f failedLines) Write(report []byte) (int, error) {
	f.losses.Lost(1, CauseWrite, "")
	return len(report), nil
}

func (failedLines) Sync() error { return nil }

// MarshalLogObject implements [zapcore.ObjectMarshaler]. Durations are in seconds,
// as in Caddy's own access log.
func (r *Record) MarshalLogObject(to zapcore.ObjectEncoder) error {
	for i := range fields {
		f := &fields[i]
		if f.text != nil {
			to.AddString(f.name, f.text(r))
			continue
		}
		v := f.value(r)
		switch v.kind {
		case foreignKind, methodKind:
			to.AddString(f.name, v.text)
		case wordsKind:
			if err := to.AddArray(f.name, (*wordArray)(v.words)); err != nil {
				return err
			}
		case numberKind, idKind:
			to.AddInt64(f.name, v.number)
		case secondsKind:
			to.AddFloat64(f.name, v.seconds())
		case truthKind:
			to.AddBool(f.name, v.number != 0)
		case arrivedKind:
			to.AddTime(f.name, r.Time)
		}
	}
	return nil
}

type wordArray []string

func (w *wordArray) MarshalLogArray(to zapcore.ArrayEncoder) error {
	for _, word := range *w {
		to.AppendString(word)
	}
	return nil
}

// Required tells what an operation asks for, in the form of the placeholders and
// the refusal's metadata.
func Required(operation *scopes.Operation) string {
	if operation == nil {
		return ""
	}
	return strings.Join(operation.AnyOf, ",")
}
