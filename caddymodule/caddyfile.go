package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/didyoumean"
	durations "github.com/scopegate/scopegate/internal/duration"
)

// This file reads options and values for all blocks of the Caddyfile.

// options are the options of a block, by name, with what reads each of them.
type options map[string]func() error

// elsewhere says where options belong that one may look for in databricks_scopes.
var elsewhere = map[string]string{"discovery": "databricks_gateway, or in the block of transport databricks of your reverse_proxy"}

// eachOption reads a block in which every option may stand once, but for some that may
// stand again.
func eachOption(d *caddyfile.Dispenser, known options, repeatable ...string) error {
	_, err := readOptions(d, known, repeatable...)
	return err
}

// readOptions is eachOption, and tells where each option stands.
func readOptions(d *caddyfile.Dispenser, known options, repeatable ...string) (lines map[string]string, err error) {
	directive := d.Val()
	if d.NextArg() {
		return nil, d.Errf("unexpected %q: %s takes its settings in a block", d.Val(), directive)
	}
	seen := make(map[string]int)
	lines = make(map[string]string)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		read, ok := known[name]
		if where, known := elsewhere[name]; !ok && known && directive == "databricks_scopes" {
			return nil, d.Errf("%s is not an option of databricks_scopes; write it in %s", name, where)
		}
		if !ok {
			return nil, d.Errf("unrecognized option %q; %s", name, didyoumean.Hint(name, slices.Sorted(maps.Keys(known))))
		}
		if line, again := seen[name]; again && !slices.Contains(repeatable, name) {
			return nil, d.Errf("%s is set twice, first in line %d; keep one", name, line)
		}
		seen[name] = d.Line()
		lines[name] = fmt.Sprintf("%s:%d", d.File(), d.Line())
		if err := read(); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

func oneArg(d *caddyfile.Dispenser, to *string) error {
	name := d.Val()
	if !d.NextArg() || d.Val() == "" {
		return d.Errf("%s needs a value", name)
	}
	*to = d.Val()
	if d.NextArg() {
		return d.Errf("%s takes one value; %q is one too many", name, d.Val())
	}
	return nil
}

// flag reads an option that is on by being there.
func flag(d *caddyfile.Dispenser, to *bool) error {
	name := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no value; %q is one too many", name, d.Val())
	}
	*to = true
	return nil
}

// onlyArg reports whether one argument is left and it is that word, and reads it.
func onlyArg(d *caddyfile.Dispenser, word string) bool {
	if d.CountRemainingArgs() != 1 {
		return false
	}
	d.NextArg()
	if d.Val() == word {
		return true
	}
	d.Prev()
	return false
}

// secretArg reads a value that must be a placeholder, and never repeats it in a
// message: a secret that was written out by mistake would end in a log.
func secretArg(d *caddyfile.Dispenser, block string, to *string) error {
	name := d.Val()
	if d.CountRemainingArgs() != 1 {
		return d.Errf("%s takes one value, a placeholder such as {file./run/secrets/%s}", name, name)
	}
	d.NextArg()
	*to = d.Val()
	return at(d, secretPlaceholder(block+" "+name, *to))
}

func choice(d *caddyfile.Dispenser, to *string, choices []string) error {
	name := d.Val()
	if err := oneArg(d, to); err != nil {
		return err
	}
	if err := oneOf(name, *to, choices); err != nil {
		if nearest, ok := didyoumean.Nearest(*to, choices); ok {
			return d.Errf("%v; did you mean %s?", err, nearest)
		}
		return at(d, err)
	}
	return nil
}

func positive(d *caddyfile.Dispenser, to *int, limit int) error {
	name := d.Val()
	var value string
	if err := oneArg(d, &value); err != nil {
		return err
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > limit {
		return d.Errf("%s must be a whole number between 1 and %d, not %q", name, limit, value)
	}
	*to = n
	return nil
}

func duration(d *caddyfile.Dispenser, to *caddy.Duration, limit time.Duration) error {
	name := d.Val()
	var value string
	if err := oneArg(d, &value); err != nil {
		return err
	}
	parsed, err := caddy.ParseDuration(value)
	switch {
	case err != nil:
		return d.Errf("%s must be a duration such as 30s, 5m or 1d, not %q", name, value)
	case parsed <= 0 || parsed > limit:
		return d.Errf("%s must be more than 0 and at most %s, not %s", name, durations.Format(limit), value)
	}
	*to = caddy.Duration(parsed)
	return nil
}

// unmarshalInterval reads a duration, or off.
func unmarshalInterval(d *caddyfile.Dispenser, to *caddy.Duration, validate func() error) error {
	if onlyArg(d, "off") {
		*to = intervalOff
		return nil
	}
	if err := duration(d, to, maxTTL); err != nil {
		return err
	}
	return at(d, validate())
}

// at adds file and line to an error.
func at(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.Errf("%v", err)
}
