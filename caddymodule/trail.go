package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/scopes"
)

// trails holds the outputs of all configurations in use: those that are the same
// are one, so that two handlers can write to one file, and a reload finds it open.
var trails = caddy.NewUsagePool()

// trail is a handler's share of an output.
type trail struct {
	key string
	*pooledTrail
}

type pooledTrail struct{ *audit.Trail }

// Destruct implements caddy.Destructor. The pool calls it when the last user has
// gone.
func (t pooledTrail) Destruct() error { return t.Close() }

// shareTrail opens the output of records, nil where there is none.
func (a *Audit) shareTrail(ctx caddy.Context) (*trail, error) {
	if a == nil || a.OutputRaw == nil {
		return nil, nil
	}
	loaded, err := ctx.LoadModule(a, "OutputRaw")
	if err != nil {
		return nil, fmt.Errorf("loading the writer of audit output: %w", err)
	}
	opener := loaded.(caddy.WriterOpener)
	key := opener.WriterKey()
	pooled, _, err := trails.LoadOrNew(key, func() (caddy.Destructor, error) {
		output, err := opener.OpenWriter()
		if err != nil {
			return nil, err
		}
		return &pooledTrail{audit.NewTrail(output, loggedLosses)}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening audit output %s: %w", opener, err)
	}
	return &trail{key: key, pooledTrail: pooled.(*pooledTrail)}, nil
}

// writes returns what writes records, nil for nothing. It works on nil.
func (t *trail) writes() *audit.Trail {
	if t == nil {
		return nil
	}
	return t.Trail
}

func (t *trail) release() error {
	_, err := trails.Delete(t.key)
	return err
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
	case "discard":
		return d.Err("audit output discard would keep no record; if that is what you want, say log off")
	default:
		if _, err := caddy.GetModule(writersNamespace + "." + name); err != nil {
			return unknownWriter(d, name)
		}
		var err error
		if writer, err = caddyfile.UnmarshalModule(d, writersNamespace+"."+name); err != nil {
			return err
		}
	}
	if d.NextArg() {
		return d.Errf("audit output %s takes no value; %q is one too many", name, d.Val())
	}
	a.OutputRaw = caddyconfig.JSONModuleObject(writer, "output", name, nil)
	return nil
}

func unknownWriter(d *caddyfile.Dispenser, name string) error {
	var names []string
	for _, module := range caddy.GetModules(writersNamespace) {
		if known := module.ID.Name(); known != "discard" {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	if nearest, ok := scopes.Closest(name, names); ok {
		return d.Errf("there is no log writer %q; did you mean %s?", name, nearest)
	}
	return d.Errf("there is no log writer %q; known are %s", name, strings.Join(names, ", "))
}
