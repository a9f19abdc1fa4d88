package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/DeRuina/timberjack"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/didyoumean"
)

// output returns the output of records, and how to open it.
func (a *App) output(settings *Audit) (key sinksKey, open func() (*audit.Sinks, error), err error) {
	loaded, err := a.ctx.LoadModule(settings, "OutputRaw")
	if err != nil {
		return key, nil, fmt.Errorf("loading the writer of audit output: %w", err)
	}
	var opener caddy.WriterOpener
	switch writer := loaded.(type) {
	case *caddy.DiscardWriter:
		return key, nil, errors.New("audit output discard would keep no record; if that is what you want, set log to off")
	case *logging.FileWriter:
		writer.Filename = realPath(writer.Filename) // one file, by whatever name
		opener = followedFile{writer}
	default:
		opener = writer.(caddy.WriterOpener)
	}
	described, err := json.Marshal(opener)
	if err != nil {
		return key, nil, fmt.Errorf("describing audit output %s: %w", opener, err)
	}
	key = sinksKey{opener.WriterKey(), string(described), settings.settings()}
	return key, func() (*audit.Sinks, error) {
		output, err := opener.OpenWriter()
		if err != nil {
			return nil, fmt.Errorf("opening audit output %s: %w", opener, err)
		}
		return audit.NewOutput(output, key.queue, audit.NewLosses(audit.SinkOutput, a.metrics, lossObserver{})), nil
	}, a.claimWriter(key)
}

// followedFile is Caddy's file writer, with the same settings, for a file that others may
// rename, remove or truncate.
type followedFile struct{ *logging.FileWriter }

func (w followedFile) OpenWriter() (io.WriteCloser, error) {
	plain, rolls := *w.FileWriter, false
	plain.Roll = &rolls
	open := func() (*os.File, error) { return opened[*os.File](plain.OpenWriter()) }
	roll := func() (*timberjack.Logger, error) { return opened[*timberjack.Logger](w.FileWriter.OpenWriter()) }
	if w.Roll != nil && !*w.Roll {
		roll = nil
	}
	return audit.NewFile(w.Filename, open, roll)
}

// opened returns a writer as what it is.
func opened[W io.WriteCloser](writer io.WriteCloser, err error) (W, error) {
	file, ok := writer.(W)
	if err == nil && !ok {
		err = errors.Join(fmt.Errorf("this version of Caddy writes files with a %T", writer), writer.Close())
	}
	return file, err
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
	// These are not Caddyfile modules in Caddy.
	case "stdout":
		writer = caddy.StdoutWriter{}
	case "stderr":
		writer = caddy.StderrWriter{}
	case off, "discard", "none":
		return d.Errf("audit output %s would keep no record; if that is what you want, write log off", name)
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
		return d.Errf("unknown log writer %q; did you mean output file %s?", name, name)
	}
	var names []string
	for _, module := range caddy.GetModules(writersNamespace) {
		if known := module.ID.Name(); known != "discard" {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	return d.Errf("unknown log writer %q; %s", name, didyoumean.Hint(name, names))
}

// realPath returns the canonical name of a file, if its folder exists.
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
