package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/scopegate/scopegate/internal/audit"
)

// openOutput opens the output of records.
func (a *Audit) openOutput(ctx caddy.Context, settings audit.Settings) (*outlet, error) {
	loaded, err := ctx.LoadModule(a, "OutputRaw")
	if err != nil {
		return nil, fmt.Errorf("loading the writer of audit output: %w", err)
	}
	var opener caddy.WriterOpener
	switch writer := loaded.(type) {
	case *caddy.DiscardWriter:
		return nil, errors.New("audit output discard would keep no record; if that is what you want, set log to off")
	case *logging.FileWriter:
		writer.Filename = realPath(writer.Filename) // one file, by whatever name
		opener = writer
	default:
		opener = writer.(caddy.WriterOpener)
	}
	described, err := json.Marshal(opener)
	if err != nil {
		return nil, fmt.Errorf("describing audit output %s: %w", opener, err)
	}
	shared, err := shareOutlet(outletKey{opener.WriterKey(), string(described), settings}, func() (*audit.Sinks, error) {
		output, err := opener.OpenWriter()
		if err != nil {
			return nil, err
		}
		return audit.NewOutput(output, settings, audit.NewLosses(audit.SinkOutput, processMetrics(), lossWatcher{})), nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening audit output %s: %w", opener, err)
	}
	return shared, nil
}

const writersNamespace = "caddy.logging.writers"

// unmarshalOutput reads the name of a writer and its settings.
func (a *Audit) unmarshalOutput(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("audit output needs a writer: stdout, stderr, file <path> or another of Caddy's log writers")
	}
	name := d.Val()
	var writer any
	switch name {
	// Those are no Caddyfile modules in Caddy.
	case "stdout":
		writer = caddy.StdoutWriter{}
	case "stderr":
		writer = caddy.StderrWriter{}
	case off, "discard", "none":
		return d.Errf("audit output %s would keep no record; if that is what you want, say log off", name)
	default:
		if _, err := caddy.GetModule(writersNamespace + "." + name); err != nil {
			return unknownWriter(d, name)
		}
		if name == "file" && d.CountRemainingArgs() == 0 {
			return d.Err("audit output file needs a path, such as /var/log/scopegate/audit.jsonl")
		}
		var err error
		if writer, err = caddyfile.UnmarshalModule(d, writersNamespace+"."+name); err != nil {
			return err // it has read all that belongs to it
		}
	}
	if d.NextArg() {
		return d.Errf("audit output %s takes no value; %q is one too many", name, d.Val())
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("audit output %s has no settings; its lines are JSON", name)
	}
	a.OutputRaw = caddyconfig.JSONModuleObject(writer, "output", name, nil)
	return nil
}

func unknownWriter(d *caddyfile.Dispenser, name string) error {
	if strings.ContainsRune(name, '/') {
		return d.Errf("there is no log writer %q; did you mean output file %s?", name, name)
	}
	var names []string
	for _, module := range caddy.GetModules(writersNamespace) {
		if known := module.ID.Name(); known != "discard" {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	return d.Errf("there is no log writer %q; %s", name, putRight(name, names))
}

// realPath returns the one name of a file, as far as its folder exists.
func realPath(name string) string {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		return resolved
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		return filepath.Join(folder, filepath.Base(absolute))
	}
	return absolute
}
