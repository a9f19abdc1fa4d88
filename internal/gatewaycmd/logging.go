package gatewaycmd

import (
	"os"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/zapcore"
)

// LogLevel returns Caddy's default log at a level, with the query strings,
// credentials and headers of requests removed.
func LogLevel(level zapcore.Level) *caddy.Logging {
	log := &caddy.CustomLog{BaseLog: caddy.BaseLog{Level: level.CapitalString(), EncoderRaw: requestFilter(nil)}}
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
func terminalLog(level zapcore.Level, adminOff bool) *caddy.Logging {
	encoder := requestFilter(map[string]string{"format": "console", "time_format": "15:04:05", "level_format": levelFormat()})
	logging := LogLevel(level)
	standard := logging.Logs[caddy.DefaultLoggerName]
	standard.EncoderRaw = encoder
	if level == zapcore.DebugLevel {
		return logging
	}
	standard.Level = max(level, zapcore.WarnLevel).CapitalString()
	standard.Exclude = append(standard.Exclude, ourLoggers...)
	if adminOff {
		standard.Exclude = append(standard.Exclude, "admin") // warns that it is off
	}
	logging.Logs["scopegate"] = &caddy.CustomLog{
		BaseLog: caddy.BaseLog{Level: level.CapitalString(), EncoderRaw: encoder},
		Include: ourLoggers,
	}
	return logging
}

func levelFormat() string {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return "upper"
	}
	return "color"
}
