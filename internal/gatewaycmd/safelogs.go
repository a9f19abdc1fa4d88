package gatewaycmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"
)

// safeEncoder returns the configuration of the log encoder that hides secrets, in front of
// another one or, if that is nil, of Caddy's default.
func safeEncoder(wrapped any) json.RawMessage {
	encoder := map[string]any{"format": safeFormat}
	if wrapped != nil {
		encoder["wrap"] = wrapped
	}
	return caddyconfig.JSON(encoder, nil)
}

const safeFormat = "databricks_safe"

// safePrefix starts the names of config adapters that are another one and then give every
// log the safe encoder. A Caddy module cannot do that: a configuration that says nothing
// about logging gets Caddy's default log before any module exists. Wrapping the adapter is
// the one way into the commands run, start and reload, which read files themselves.
const safePrefix = "safe-"

// noAdapter is the name of the adapter for JSON, which Caddy reads without one.
const noAdapter = "json"

// registerSafeAdapters registers a safe adapter for each of the program's adapters.
func registerSafeAdapters() {
	caddyconfig.RegisterAdapter(safePrefix+noAdapter, safeAdapter{})
	for _, module := range caddy.GetModules("caddy.adapters") {
		if name := module.ID.Name(); !strings.HasPrefix(name, safePrefix) && name != noAdapter {
			caddyconfig.RegisterAdapter(safePrefix+name, safeAdapter{caddyconfig.GetAdapter(name)})
		}
	}
}

// withSafeLogs returns the arguments of a command that loads a configuration file, with
// the safe adapter in place of the one that Caddy would choose.
func withSafeLogs(root *cobra.Command, args []string) []string {
	command, rest, err := root.Find(args)
	if err != nil {
		return args
	}
	switch command.Name() {
	case "run", "start", "reload":
	default:
		return args
	}
	if command.ParseFlags(rest) != nil {
		return args // Caddy will say why
	}
	config, adapter := command.Flag("config"), command.Flag("adapter")
	if config == nil || adapter == nil {
		return args
	}
	file, name := config.Value.String(), adapter.Value.String()
	switch {
	case strings.HasPrefix(name, safePrefix): // of the process that the command start starts
		return args
	case file == "" && name != "":
		return args // an error
	case file == "":
		file = "Caddyfile"
		if _, err := os.Stat(file); err != nil {
			return args // no configuration, or one that cannot be read
		}
		name = "caddyfile"
	case name == "":
		name = adapterOf(file)
	}
	if caddyconfig.GetAdapter(safePrefix+name) == nil {
		return args
	}
	return append(args[:len(args):len(args)], "--config", file, "--adapter", safePrefix+name)
}

// adapterOf returns the adapter that Caddy chooses for a file by its name.
func adapterOf(file string) string {
	base := strings.ToLower(filepath.Base(file))
	if filepath.Ext(base) != ".json" && (strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddyfile")) {
		return "caddyfile"
	}
	return noAdapter
}

// safeAdapter adapts a configuration, and gives every log of it the safe encoder.
type safeAdapter struct{ adapter caddyconfig.Adapter }

// Adapt implements [caddyconfig.Adapter].
func (a safeAdapter) Adapt(body []byte, options map[string]any) ([]byte, []caddyconfig.Warning, error) {
	var warnings []caddyconfig.Warning
	if a.adapter != nil {
		var err error
		body, warnings, err = a.adapter.Adapt(body, options)
		for i := range warnings { // there may be no program of that name
			warnings[i].Message = strings.ReplaceAll(warnings[i].Message, "'caddy fmt", "'scopegate fmt")
		}
		if err != nil {
			return nil, warnings, err
		}
	}
	if len(body) == 0 {
		return body, warnings, nil
	}
	safe, err := safeLogging(body)
	return safe, warnings, err
}

// safeLogging gives every log of a configuration the safe encoder. Existing encoders are
// wrapped.
func safeLogging(config []byte) ([]byte, error) {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(config, &document); err != nil {
		if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("config is not valid JSON: %w, at offset %d; did you mean to use a config adapter (the --adapter flag)?", err, wrong.Offset)
		}
		return config, nil // Caddy will say what is wrong
	}
	if document == nil { // null
		return config, nil
	}
	var logging struct {
		Sink json.RawMessage                       `json:"sink,omitempty"`
		Logs map[string]map[string]json.RawMessage `json:"logs"`
	}
	if raw := document["logging"]; raw != nil {
		if caddy.StrictUnmarshalJSON(raw, &logging) != nil {
			return config, nil //nolint:nilerr // likewise
		}
	}
	if logging.Logs == nil {
		logging.Logs = make(map[string]map[string]json.RawMessage)
	}
	if logging.Logs[caddy.DefaultLoggerName] == nil {
		logging.Logs[caddy.DefaultLoggerName] = make(map[string]json.RawMessage)
	}
	for name, log := range logging.Logs {
		if log == nil {
			log = make(map[string]json.RawMessage)
			logging.Logs[name] = log
		}
		var encoder struct {
			Format string `json:"format"`
		}
		switch raw := log["encoder"]; {
		case raw == nil:
			log["encoder"] = safeEncoder(nil)
		case json.Unmarshal(raw, &encoder) == nil && encoder.Format != safeFormat:
			log["encoder"] = safeEncoder(raw)
		}
	}
	document["logging"] = caddyconfig.JSON(logging, nil)
	return json.Marshal(document)
}
