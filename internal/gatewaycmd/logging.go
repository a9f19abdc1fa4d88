package gatewaycmd

import (
	"os"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/zapcore"

	"github.com/scopegate/scopegate/internal/audit"
)

// LogLevel returns Caddy's default log at a level, without secrets, see
// [logencoder.Encoder].
func LogLevel(level zapcore.Level) *caddy.Logging {
	log := &caddy.CustomLog{BaseLog: caddy.BaseLog{Level: level.CapitalString(), EncoderRaw: safeEncoder(nil)}}
	if level > zapcore.DebugLevel {
		// The proxy prepares a log line for each request even if it is not written, which
		// costs a few percent. http.log.error logs its errors too.
		log.Exclude = []string{"http.handlers.reverse_proxy"}
	}
	return &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: log}}
}

// ourLoggers are those of the scopegate modules.
var ourLoggers = []string{"http.handlers.databricks_scopes", "databricks"}

// terminalLog is [LogLevel] for people: text, in color unless NO_COLOR is set
// (no-color.org), and without what Caddy reports while all is well.
func terminalLog(level zapcore.Level) *caddy.Logging {
	console := map[string]string{"format": "console", "time_format": "15:04:05", "level_format": levelFormat()}
	logging := LogLevel(level)
	standard := logging.Logs[caddy.DefaultLoggerName]
	standard.EncoderRaw = safeEncoder(console)
	if level == zapcore.DebugLevel {
		return logging
	}
	standard.Level = max(level, zapcore.WarnLevel).CapitalString()
	standard.Exclude = append(standard.Exclude, ourLoggers...)
	// It warns that it is off, and of a Unix socket that it takes for an open interface. What
	// there is to warn of, we do.
	standard.Exclude = append(standard.Exclude, "admin")
	logging.Logs["scopegate"] = &caddy.CustomLog{
		BaseLog: caddy.BaseLog{Level: level.CapitalString(), EncoderRaw: safeEncoder(without(omitted(), console))},
		Include: ourLoggers,
	}
	return logging
}

// without returns an encoder that omits fields.
func without(names []string, encoder map[string]string) map[string]any {
	fields := make(map[string]any)
	for _, name := range names {
		fields[name] = map[string]string{"filter": "delete"}
	}
	return map[string]any{"format": "filter", "wrap": encoder, "fields": fields}
}

// omitted returns the fields of a record that nobody reads on a terminal, where all forty
// would take ten lines.
func omitted() []string {
	return slices.DeleteFunc(audit.FieldNames(), func(name string) bool {
		switch name {
		case "decision", "reason", "method", "path", "required_scopes", "token_scopes", "owner", "outcome", "status", "duration":
			return true
		}
		return false
	})
}

func levelFormat() string {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return "upper"
	}
	return "color"
}
